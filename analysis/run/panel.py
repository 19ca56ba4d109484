"""All accumulators of one SAE, updated together from one batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.reading.batches import Counted, Firing, TokenBatch
from analysis.reading.sae import LoadedSae
from analysis.run.pilot import MASSIVE, Plan
from analysis.statistics.base import Accumulator, State, Step
from analysis.statistics.contexts import Contexts
from analysis.statistics.covariance import Covariance
from analysis.statistics.density import Density
from analysis.statistics.examples import Examples
from analysis.statistics.histogram import Histogram
from analysis.statistics.joint import Joint
from analysis.statistics.mixture import Mixture
from analysis.statistics.moments import Moments
from analysis.statistics.positions import KINDS as POSITION_KINDS
from analysis.statistics.positions import Positions
from analysis.statistics.reconstruction import Reconstruction
from analysis.statistics.top_tokens import TokenTable
from store.vocabulary import CONTROL, DETAILS


class Settings(NamedTuple):
    """What shapes the accumulators besides the plan."""

    context: int
    contexts: int  # per batch
    vocab: int
    seed: int
    class_tokens: int = 0  # size of the sample the classes look at; 0: no classes


class Panel:
    """One SAE's accumulators.

    Args:
        sae: the SAE.
        plan: from the pilot.
        settings: sizes and seed.
    """

    def __init__(self, sae: LoadedSae, plan: Plan, settings: Settings) -> None:
        self.sae, self.plan = sae, plan
        device = plan.pivot.device
        latents = sae.n_latents
        self.density = Density(latents, device)
        self.moments = Moments(latents, device)
        self.histogram = Histogram(latents, sae.signed, device)
        exact = plan.latents[plan.kind != DETAILS.index(CONTROL)]  # controls are sparse: the pruned table is enough
        self.tokens = TokenTable(latents, settings.vocab, exact, signed=sae.signed, device=device)
        self.positions = {kind: Positions(kind, plan.latents, settings.context, device) for kind in POSITION_KINDS}
        self.examples = Examples(plan.latents, plan.partners, plan.cuts, seed=settings.seed, device=device)
        self.joint = Joint(plan.pairs)
        self.reconstruction = Reconstruction(sae.decode, plan.pivot, settings.contexts)
        self.classes = _class_accumulators(sae, plan, settings) if settings.class_tokens else None

    def update(self, batch: TokenBatch, x: Tensor) -> None:
        """One batch.

        Args:
            x: [n, D] float32, the counted tokens' activations at the SAE's hook point.
        """
        acts = self.sae.encode(x)
        step = Step(batch, counted_tokens(batch, x, self.plan.median_norm), x, acts, firing_list(acts))
        for accumulator in self.accumulators().values():
            accumulator.update(step)

    def accumulators(self) -> dict[str, Accumulator]:
        """All of them by name. Reconstruction comes first: it decodes what was just encoded."""
        named: dict[str, Accumulator] = {
            "reconstruction": self.reconstruction,
            "density": self.density,
            "moments": self.moments,
            "histogram": self.histogram,
            "tokens": self.tokens,
            "examples": self.examples,
            "joint": self.joint,
        }
        named |= {f"position_{kind}": positions for kind, positions in self.positions.items()}
        return named if self.classes is None else named | self.classes._asdict()

    def state_dict(self) -> State:
        """Every tensor of every accumulator, as `accumulator/tensor`."""
        return dict(self._flat())

    def load_state_dict(self, state: State) -> None:
        """Go on from `state_dict`."""
        for name, accumulator in self.accumulators().items():
            prefix = f"{name}/"
            accumulator.load_state_dict(
                {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}
            )

    def _flat(self) -> Iterator[tuple[str, Tensor]]:
        for name, accumulator in self.accumulators().items():
            for key, tensor in accumulator.state_dict().items():
                yield f"{name}/{key}", tensor


class ClassAccumulators(NamedTuple):
    """What the classes are decided from."""

    sample: Contexts
    covariance: Covariance
    mixture: Mixture


def _class_accumulators(sae: LoadedSae, plan: Plan, settings: Settings) -> ClassAccumulators:
    directions = plan.directions(sae.decoder)
    tokens = max(settings.class_tokens, settings.context)  # room for one context at least
    return ClassAccumulators(
        Contexts(plan.latents, directions, plan.pivot, tokens, settings.seed),
        Covariance(plan.pivot, settings.seed),
        Mixture(plan.pool, directions[: len(plan.latents)], plan.pivot, settings.seed),
    )


def counted_tokens(batch: TokenBatch, x: Tensor, median_norm: Tensor) -> Counted:
    """The counted tokens of a batch, flat; `x` [n, D] tells the massive ones from the rest."""
    device = x.device
    mask = batch.mask.to(device)
    row, column = torch.nonzero(mask, as_tuple=True)
    document, start = batch.document.to(device)[row], batch.start.to(device)[row]
    return Counted(
        token=batch.ids.to(device)[mask],
        row=row,
        column=column,
        group=batch.group.to(device)[row],
        paragraph=batch.paragraph.to(device)[mask],
        sentence=batch.sentence.to(device)[mask],
        begin=batch.begin.to(device)[mask],
        serial=(document << 41) + (start << 12) + column,
        ordinary=x.norm(dim=1) <= MASSIVE * median_norm,
    )


def firing_list(acts: Tensor) -> Firing:
    """[n, N] -> its non-zero entries."""
    token, latent = torch.nonzero(acts, as_tuple=True)
    return Firing(token, latent, acts[token, latent])
