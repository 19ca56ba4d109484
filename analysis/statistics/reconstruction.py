"""L0 and the fraction of variance unexplained, of the SAE as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.statistics.base import Step, Sums
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup

DENSE_FROM = 10  # a product with the sparse matrix costs about as much where one activation in ten is not 0
EVERY = 8  # decoding costs as much as encoding, so one batch in eight is decoded

STATISTICS = (
    Statistic("l0", "L0", "latents per token", "scalar", "sae",
              "Mean number of latents that fire on a counted token. It is the sum of all densities, and differs from"
              " layer to layer: compare dense counts with it in view.", "O", "common usage"),
    Statistic("fvu", "FVU", "share", "scalar", "sae",
              f"Fraction of variance unexplained: summed squared error over summed squared distance from the mean,"
              f" on one batch in {EVERY}, massive tokens left out.", "O", "common usage"),
)  # fmt: skip


class ReconstructionSummary(NamedTuple):
    """`fvu` is NaN where no batch was decoded or the variance is 0."""

    l0: float
    fvu: float
    tokens: int
    ordinary: int


class Reconstruction(Sums):
    """Sums for L0 (every batch) and FVU (one batch in eight, by the batch's place in the stream).

    Args:
        decode: activations [n, N] -> reconstruction [n, D], called right after encoding.
        pivot: [D] near the mean of x, from the pilot: keeps the sums free of cancellation.
        contexts: contexts per batch, to tell the batch's number from its cursor.
    """

    def __init__(self, decode: Callable[[Tensor], Tensor], pivot: Tensor, contexts: int) -> None:
        self.decode, self.pivot, self.contexts = decode, pivot.double(), contexts
        device = pivot.device
        self.tensors = {
            "count": torch.zeros(4, dtype=torch.float64, device=device),  # tokens, ordinary, firings, decoded tokens
            "squares": torch.zeros(2, dtype=torch.float64, device=device),  # error, x - pivot
            "sum": torch.zeros_like(self.pivot),
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Of the SAE as a whole."""
        return {"reconstruction": cls(setup.sae.decode, setup.plan.pivot, setup.settings.contexts)}

    def update(self, step: Step) -> None:
        """Count; decode where it is this batch's turn."""
        keep = step.ordinary
        ordinary = keep.sum()
        counts = [torch.full_like(ordinary, len(keep)), ordinary, step.firing.starts[-1], torch.zeros_like(ordinary)]
        if (step.batch.cursor - 1) // self.contexts % EVERY == 0:
            error = (step.x.double() - self.decode(_sparse(step)).double()) * keep[:, None]
            off = (step.x.double() - self.pivot) * keep[:, None]
            self.tensors["squares"] += torch.stack([error.square().sum(), off.square().sum()])
            self.tensors["sum"] += off.sum(0)
            counts[-1] = ordinary
        self.tensors["count"] += torch.stack(counts)

    def summarise(self) -> ReconstructionSummary:
        """Both numbers."""
        tokens, ordinary, firings, decoded = self.tensors["count"].tolist()
        error, squares = self.tensors["squares"].tolist()
        variance = squares - float(self.tensors["sum"].square().sum()) / max(decoded, 1)
        fvu = error / variance if variance > 1e-12 * squares else float("nan")  # below is rounding
        return ReconstructionSummary(firings / max(tokens, 1), fvu, int(tokens), int(ordinary))


def _sparse(step: Step) -> Tensor:
    """The activations [n, N] for decoding: a sparse matrix, unless so much fires that it would cost more."""
    token, latent, value, starts = step.firing
    shape = len(step.x), len(starts) - 1
    if len(value) * DENSE_FROM > shape[0] * shape[1]:
        whole = torch.zeros(shape, device=value.device)
        whole[token, latent] = value
        return whole
    order = token.sort(stable=True).indices
    places = torch.stack([token[order], latent[order]])
    return torch.sparse_coo_tensor(places, value[order], shape, is_coalesced=True, check_invariants=False)
