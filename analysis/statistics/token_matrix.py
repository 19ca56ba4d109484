"""Exact sums per (token type, latent) for the few latents that deserve it: dense ones fire on thousands of types.

Rows are the token types in the order in which they first occurred, so memory follows the types of
the text (a few thousand) and not the vocabulary (fifty to two hundred and fifty thousand).
"""

from __future__ import annotations

import torch
from torch import Tensor

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

    def update(self, token: Tensor, acts: Tensor) -> None:
        """Add n tokens: ids [n] and activations [n, m]."""
        self._rows(torch.unique(token))
        rows = self.tensors["slot"][token]
        values = acts.double()
        self.tensors["sum"].index_add_(0, rows, values)
        self.tensors["fired"].index_add_(0, rows, (acts != 0).int())
        if self.signed:
            self.tensors["abs"].index_add_(0, rows, values.abs())

    def merge(self, other: TokenMatrix) -> None:
        """Add another's sums; it stays as it was."""
        theirs = other.tensors
        rows = self._rows(theirs["type"])
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

    def _rows(self, token: Tensor) -> Tensor:
        """The rows of distinct token ids; new ids get the next free ones."""
        slot = self.tensors["slot"]
        fresh = token[slot[token] < 0]
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
