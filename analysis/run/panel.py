"""All accumulators of one SAE, updated together from one batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from torch import Tensor

from analysis.reading.batches import Counted, TokenBatch
from analysis.reading.sae import LoadedSae
from analysis.statistics.base import Accumulator, State, Step, ordinary_tokens
from analysis.statistics.plan import Plan, Settings, Setup
from analysis.statistics.registry import ACCUMULATORS

_A = TypeVar("_A", bound=Accumulator)


class Panel:
    """One SAE's accumulators.

    Args:
        sae: the SAE.
        plan: from the pilot.
        settings: sizes and seed.
        whole: the panel that this one is a shard of. What is exact in any order is counted straight into it, so
            that the largest tables are held once; the rest begins at nothing, for `whole.merge`.
    """

    def __init__(self, sae: LoadedSae, plan: Plan, settings: Settings, whole: Panel | None = None) -> None:
        self.sae, self.plan, self.settings = sae, plan, settings
        setup = Setup(sae, plan, settings)
        kinds = [kind for kind in ACCUMULATORS if whole is None or not kind.exact]
        self.own = {name: made for kind in kinds for name, made in kind.planned(setup).items()}
        shared = {} if whole is None else {name: each for name, each in whole.own.items() if each.exact}
        self.accumulators: dict[str, Accumulator] = self.own | shared

    def __getitem__(self, kind: type[_A]) -> _A:
        """The one of this kind; a KeyError where the run has none."""
        return self.all(kind)[0]

    def all(self, kind: type[_A]) -> list[_A]:
        """All of this kind, one at least; a KeyError where the run has none."""
        found = [each for each in self.accumulators.values() if isinstance(each, kind)]
        if not found:
            raise KeyError(kind.__name__)
        return found

    def update(self, batch: TokenBatch, counted: Counted, x: Tensor, target: Tensor | None = None) -> None:
        """One batch.

        Args:
            batch: where the SAE is, as all else.
            counted: its counted tokens.
            x: [n, d_in] float32, the counted tokens' activations at the SAE's hook point.
            target: [n, d_out], those that it is to give; `x` itself but for a transcoder, whose directions, norms and
                errors are all of this place.
        """
        target = x if target is None else target
        ordinary = ordinary_tokens(target, self.plan.median_norm)
        step = Step(batch, counted, ordinary, target, self.sae.fire(x))
        for accumulator in self.accumulators.values():
            accumulator.update(step)

    def shard(self) -> Panel:
        """An empty shard of this one."""
        return Panel(self.sae, self.plan, self.settings, self)

    def limits(self) -> State:
        """Of every accumulator, as `accumulator/tensor`."""
        return {f"{name}/{key}": tensor for name, each in self.own.items() for key, tensor in each.limits().items()}

    def limit(self, limits: State) -> None:
        """As an empty shard of the panel that has these `limits`."""
        for name, mine in self._apart(limits):
            self.own[name].limit(mine)

    def merge(self, other: Panel) -> None:
        """Add what another one holds for itself; it is left as it was."""
        for name, each in other.own.items():
            self.own[name].merge(each)

    def columns(self) -> dict[str, Tensor]:
        """What the latents' rows have of all of them: column of the store -> [N]."""
        return {name: values for each in self.accumulators.values() for name, values in each.columns().items()}

    def state_dict(self) -> State:
        """Every tensor of every accumulator of its own, as `accumulator/tensor`."""
        states = {name: accumulator.state_dict() for name, accumulator in self.own.items()}
        return {f"{name}/{key}": tensor for name, state in states.items() for key, tensor in state.items()}

    def load_state_dict(self, state: State) -> None:
        """Go on from `state_dict`; of a shard's state, what it does not have stays as it is."""
        for name, mine in self._apart(state):
            self.own[name].load_state_dict(mine)

    def _apart(self, state: State) -> Iterator[tuple[str, State]]:
        for name in self.own:
            prefix = f"{name}/"
            mine = {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
            if mine:
                yield name, mine
