"""All accumulators of one SAE, updated together from one batch."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor

from analysis.reading.batches import TokenBatch
from analysis.reading.sae import LoadedSae
from analysis.statistics.base import Accumulator, State, Step, counted_tokens, firing_list
from analysis.statistics.plan import Plan, Settings, Setup
from analysis.statistics.registry import ACCUMULATORS

_A = TypeVar("_A", bound=Accumulator)


class Panel:
    """One SAE's accumulators.

    Args:
        sae: the SAE.
        plan: from the pilot.
        settings: sizes and seed.
    """

    def __init__(self, sae: LoadedSae, plan: Plan, settings: Settings) -> None:
        self.sae, self.plan = sae, plan
        setup = Setup(sae, plan, settings)
        self.accumulators = {name: made for kind in ACCUMULATORS for name, made in kind.planned(setup).items()}

    def __getitem__(self, kind: type[_A]) -> _A:
        """The one of this kind; a KeyError where the run has none."""
        return self.all(kind)[0]

    def all(self, kind: type[_A]) -> list[_A]:
        """All of this kind, one at least; a KeyError where the run has none."""
        found = [each for each in self.accumulators.values() if isinstance(each, kind)]
        if not found:
            raise KeyError(kind.__name__)
        return found

    def update(self, batch: TokenBatch, x: Tensor, target: Tensor | None = None) -> None:
        """One batch.

        Args:
            x: [n, d_in] float32, the counted tokens' activations at the SAE's hook point.
            target: [n, d_out], those that it is to give; `x` itself but for a transcoder, whose directions, norms and
                errors are all of this place.
        """
        target = x if target is None else target
        acts = self.sae.encode(x)
        step = Step(batch, counted_tokens(batch, target, self.plan.median_norm), target, acts, firing_list(acts))
        for accumulator in self.accumulators.values():
            accumulator.update(step)

    def columns(self) -> dict[str, Tensor]:
        """What the latents' rows have of all of them: column of the store -> [N]."""
        return {name: values for each in self.accumulators.values() for name, values in each.columns().items()}

    def state_dict(self) -> State:
        """Every tensor of every accumulator, as `accumulator/tensor`."""
        states = {name: accumulator.state_dict() for name, accumulator in self.accumulators.items()}
        return {f"{name}/{key}": tensor for name, state in states.items() for key, tensor in state.items()}

    def load_state_dict(self, state: State) -> None:
        """Go on from `state_dict`."""
        for name, accumulator in self.accumulators.items():
            prefix = f"{name}/"
            mine = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
            accumulator.load_state_dict(mine)
