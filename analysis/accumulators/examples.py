"""Stretches of text for the latents with detail: at the top, at four levels, at random, and off.

Every choice is a maximum of something each token has by itself (its activation, or a hash of its
place), so shards merge to the same examples and a resumed run picks the same ones.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.accumulators.base import Accumulator, Statistic, Step
from analysis.hashing import mix

KINDS = ("top", "level1", "level2", "level3", "level4", "random", "off")
BEFORE, AFTER = 40, 23
WINDOW = BEFORE + 1 + AFTER

STATISTICS = (
    Statistic("examples", "Examples", "activation", "tokens", "latent",
              "Stretches of 64 tokens, at most one a context: the highest activations; four levels, the quarters of"
              " the firing activations from low to high; firing tokens at random; and tokens at random where the"
              " latent is off. Snippets mislead for latents that fire on half of all tokens: see the whole document.",
              "O", "our own"),
)  # fmt: skip


class ExamplesSummary(NamedTuple):
    """m latents, K = len(KINDS), k examples each. Absent ones have score -inf."""

    score: Tensor  # [m, K, k] float32
    document: Tensor  # [m, K, k] int64
    position: Tensor  # [m, K, k] int64: of the focus token in its document
    tokens: Tensor  # [m, K, k, WINDOW] int64, -1 outside the context
    acts: Tensor  # [m, K, k, WINDOW] float32
    partner: Tensor  # [m, K, k, WINDOW] float32


class Examples(Accumulator):
    """Keeps the k best contexts of each kind.

    Args:
        latents: the m latents, int64.
        partners: their partners, int64; the latent itself where it has none.
        cuts: [m, 3] float: quartiles of the firing |activations|, from the pilot.
        k: examples per kind.
        seed: of the hashes.
    """

    def __init__(
        self, latents: Tensor, partners: Tensor, cuts: Tensor, k: int = 4, seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:  # fmt: skip
        self.latents, self.partners, self.cuts = latents.to(device), partners.to(device), cuts.to(device)
        self.k, self.seed = k, seed
        shape = (len(latents), len(KINDS), k)
        whole = {"dtype": torch.int64, "device": device}
        real = {"dtype": torch.float32, "device": device}
        self.tensors = {
            "score": torch.full(shape, -torch.inf, **real),  # type: ignore[call-overload]
            "serial": torch.full(shape, -1, **whole),  # type: ignore[call-overload]
            "document": torch.full(shape, -1, **whole),  # type: ignore[call-overload]
            "position": torch.full(shape, -1, **whole),  # type: ignore[call-overload]
            "tokens": torch.full((*shape, WINDOW), -1, **whole),  # type: ignore[call-overload]
            "acts": torch.zeros(*shape, WINDOW, **real),  # type: ignore[call-overload]
            "partner": torch.zeros(*shape, WINDOW, **real),  # type: ignore[call-overload]
        }

    def update(self, step: Step) -> None:
        """One candidate a context, latent and kind; then keep the best k."""
        if not len(self.latents):
            return
        mine = _spread(step, step.acts[:, self.latents])  # [B, T, m]
        theirs = _spread(step, step.acts[:, self.partners])
        serial = _spread(step, step.counted.serial[:, None])[..., 0].long()
        counted = step.batch.mask.to(mine.device)
        scores = self._scores(mine, serial, counted)  # [K, B, T, m]
        best, column = scores.max(2)  # [K, B, m]
        candidates = self._windows(step, mine, theirs, serial, column)
        candidates["score"] = best.permute(2, 0, 1)
        self._keep(candidates)

    def merge(self, other: Self) -> None:
        """The best k of both."""
        self._keep(other.tensors)

    def summarise(self) -> ExamplesSummary:
        """What was kept, best first."""
        t = self.tensors
        return ExamplesSummary(*(t[name].clone() for name in ExamplesSummary._fields))

    def _scores(self, mine: Tensor, serial: Tensor, counted: Tensor) -> Tensor:
        size = mine.abs()
        on = (size > 0) & counted[..., None]
        off = (size == 0) & counted[..., None]
        level = (size[..., None] > self.cuts).sum(-1)  # 0..3
        chance = [mix(serial, self.seed * 16 + salt)[..., None].expand_as(size) for salt in range(3)]
        kinds = [(on, size), *[(on & (level == n), chance[0]) for n in range(4)], (on, chance[1]), (off, chance[2])]
        return torch.stack([torch.where(allowed, score, -torch.inf) for allowed, score in kinds])

    def _windows(
        self, step: Step, mine: Tensor, theirs: Tensor, serial: Tensor, column: Tensor
    ) -> dict[str, Tensor]:
        """Candidates in the layout of the state, k being the contexts of the batch."""
        device = mine.device
        contexts, width, _m = mine.shape
        focus = column.permute(2, 0, 1)  # [m, K, B]
        row = torch.arange(contexts, device=device).expand_as(focus)
        reach = focus[..., None] + torch.arange(-BEFORE, AFTER + 1, device=device)  # [m, K, B, WINDOW]
        inside = (reach >= 0) & (reach < width)
        reach = reach.clamp(0, width - 1)
        rows = row[..., None].expand_as(reach)
        inside &= step.batch.attention.to(device)[rows, reach]
        which = torch.arange(len(self.latents), device=device)[:, None, None, None].expand_as(reach)
        return {
            "serial": serial[row, focus],
            "document": step.batch.document.to(device)[row],
            "position": step.batch.start.to(device)[row] + focus - step.batch.lead,
            "tokens": torch.where(inside, step.batch.ids.to(device)[rows, reach], -1),
            "acts": mine[rows, reach, which] * inside,
            "partner": theirs[rows, reach, which] * inside,
        }

    def _keep(self, candidates: dict[str, Tensor]) -> None:
        both = {name: torch.cat([tensor, candidates[name]], 2) for name, tensor in self.tensors.items()}
        order = both["serial"].sort(dim=2, stable=True).indices
        ranked = both["score"].gather(2, order).sort(dim=2, descending=True, stable=True).indices
        best = order.gather(2, ranked)[..., : self.k]
        for name, tensor in both.items():
            index = best if tensor.dim() == 3 else best[..., None].expand(*best.shape, tensor.shape[-1])
            self.tensors[name] = tensor.gather(2, index)


def _spread(step: Step, values: Tensor) -> Tensor:
    """[n, ...] of the counted tokens -> [B, T, ...], 0 elsewhere."""
    out = torch.zeros(*step.batch.mask.shape, *values.shape[1:], dtype=values.dtype, device=values.device)
    out[step.counted.row, step.counted.column] = values
    return out

