"""Exact sums per (token type, latent) for the few latents that deserve it: dense ones fire on thousands of types.

Rows are the token types in the order in which they first occurred, so memory follows the types of
the text (a few thousand) and not the vocabulary (fifty to two hundred and fifty thousand).
"""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.statistics.base import add_at

_FIRST = 1024  # rows at the start; doubled when they are used up


class TokenMatrix:
    """Sums [types, m] for m latents; a part of `TokenTable`, which is the accumulator.

    Args:
        latents: the m latents, int64.
        vocab: size of the vocabulary.
        signed: whether activations can be negative; if not, the sums of magnitudes are the sums.
    """

    def __init__(self, latents: Tensor, vocab: int, signed: bool, device: torch.device | str = "cpu") -> None:
        self.latents, self.signed = latents.to(device), signed
        shape = (0, len(latents))
        self.tensors = {
            "type": torch.zeros(0, dtype=torch.int64, device=device),  # token id of each row in use
            "slot": torch.full((vocab,), -1, dtype=torch.int64, device=device),  # row of each token id
            "sum": torch.zeros(shape, dtype=torch.float64, device=device),
            "fired": torch.zeros(shape, dtype=torch.int32, device=device),
        }
        if signed:
            self.tensors["abs"] = torch.zeros(shape, dtype=torch.float64, device=device)

    def update(self, token: Tensor, place: Tensor, total: Tensor, size: Tensor, count: Tensor) -> None:
        """Add sums, sums of magnitudes and numbers of firings [r] of r different (token id, place among the m)."""
        at = self._rows(torch.unique(token), token) * len(self.latents) + place
        for name, values in (("sum", total), ("fired", count), ("abs", size)):
            if name in self.tensors:
                add_at(self.tensors[name], at, values)

    def merge(self, other: TokenMatrix) -> None:
        """Add another's sums; it stays as it was."""
        theirs = other.tensors
        rows = self._rows(theirs["type"], theirs["type"])
        for name in self._summed():
            self.tensors[name].index_add_(0, rows, theirs[name][: len(rows)])

    def used(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(token ids ascending [t], sum [m, t], sum of magnitudes [m, t], firings [m, t])."""
        t = self.tensors
        ids, order = t["type"].sort()
        size = t["abs"] if self.signed else t["sum"]
        return ids, t["sum"][order].T, size[order].T, t["fired"][order].T.long()

    def state_dict(self) -> dict[str, Tensor]:
        """Copies, rows in use only."""
        used = len(self.tensors["type"])
        summed = self._summed()
        return {name: (t[:used] if name in summed else t).clone() for name, t in self.tensors.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved state."""
        device = self.tensors["slot"].device
        self.tensors = {name: state[name].clone().to(device) for name in self.tensors}

    def _summed(self) -> list[str]:
        return ["sum", "fired", *(["abs"] if self.signed else [])]

    def _rows(self, types: Tensor, token: Tensor) -> Tensor:
        """The rows of token ids; new ones among the distinct `types` get the next free rows."""
        slot = self.tensors["slot"]
        fresh = types[slot[types] < 0]
        if len(fresh):
            used = len(self.tensors["type"])
            slot[fresh] = torch.arange(used, used + len(fresh), device=slot.device)
            self.tensors["type"] = torch.cat([self.tensors["type"], fresh])
            self._grow(used + len(fresh))
        return slot[token]

    def _grow(self, needed: int) -> None:
        room = len(self.tensors["sum"])
        if needed <= room:
            return
        while room < needed:
            room = max(_FIRST, 2 * room)
        for name in self._summed():
            old = self.tensors[name]
            wider = torch.zeros(room, old.shape[1], dtype=old.dtype, device=old.device)
            wider[: len(old)] = old
            self.tensors[name] = wider
