"""Stretches of text for the latents with detail: at the top, at four levels, at random, and off.

Every choice is a maximum of something each token has by itself (its activation, or a hash of its
place), so shards merge to the same examples and a resumed run picks the same ones. For all kinds
but the top, 16 tokens of each context are drawn by hash and only they are looked at: nearly as many
to choose from, at a sixteenth of the work.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.accumulators.base import Accumulator, Statistic, Step
from analysis.hashing import mix

KINDS = ("top", "level1", "level2", "level3", "level4", "random", "off")
BEFORE, AFTER = 40, 23
DRAWS = 16  # tokens drawn by hash in each context, for the kinds that are not about the top
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
    start: Tensor  # [m, K, k] int64: character of the document at which the context begins
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
            "start": torch.full(shape, -1, **whole),  # type: ignore[call-overload]
            "tokens": torch.full((*shape, WINDOW), -1, **whole),  # type: ignore[call-overload]
            "acts": torch.zeros(*shape, WINDOW, **real),  # type: ignore[call-overload]
            "partner": torch.zeros(*shape, WINDOW, **real),  # type: ignore[call-overload]
        }

    def update(self, step: Step) -> None:
        """One candidate a context, latent and kind; then keep the best k."""
        if not len(self.latents):
            return
        mine = _spread(step, step.acts[:, self.latents])  # [B, T, m]
        serial = _spread(step, step.counted.serial[:, None])[..., 0].long()
        score, column = self._candidates(mine, serial, step.batch.mask.to(mine.device))  # [m, K, B]
        worst = self.tensors["score"][..., -1:]
        better = (torch.isfinite(score) & (score >= worst)).any(-1)
        rows = torch.nonzero(better)  # few, once the best are found: only their windows are cut out
        if len(rows):
            latent, kind = rows.T
            found = self._windows(step, mine, serial, latent, column[latent, kind])
            self._keep(found | {"score": score[latent, kind]}, latent, kind)

    def merge(self, other: Self) -> None:
        """The best k of both."""
        latent, kind = torch.ones_like(self.tensors["score"][..., 0]).nonzero().T
        self._keep({name: tensor[latent, kind] for name, tensor in other.tensors.items()}, latent, kind)

    def summarise(self) -> ExamplesSummary:
        """What was kept, best first."""
        t = self.tensors
        return ExamplesSummary(*(t[name].clone() for name in ExamplesSummary._fields))

    def _candidates(self, mine: Tensor, serial: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        """The best token of each context by latent and kind: score (-inf: none) and column, [m, K, B] each."""
        top = torch.where(mine != 0, mine.abs(), -torch.inf).max(1)
        found = [(top.values, top.indices)]
        for salt, kinds in ((0, (1, 2, 3, 4)), (1, (5,)), (2, (6,))):
            chance = torch.where(counted, mix(serial, self.seed * 16 + salt), -1.0)
            drawn, column = chance.topk(min(DRAWS, chance.shape[1]), dim=1)  # [B, S]
            size = mine.gather(1, column[..., None].expand(-1, -1, mine.shape[2])).abs()  # [B, S, m]
            real = (drawn >= 0)[..., None]
            for kind in kinds:
                allowed = real & self._allowed(kind, size)
                best = torch.where(allowed, drawn[..., None], -torch.inf).max(1)  # [B, m]
                found.append((best.values, column.gather(1, best.indices)))
        scores, columns = (torch.stack(part).permute(2, 0, 1) for part in zip(*found, strict=True))
        return scores, columns

    def _allowed(self, kind: int, size: Tensor) -> Tensor:
        if KINDS[kind] == "off":
            return size == 0
        if KINDS[kind] == "random":
            return size > 0
        return (size > 0) & ((size[..., None] > self.cuts).sum(-1) == kind - 1)

    def _windows(self, step: Step, mine: Tensor, serial: Tensor, latent: Tensor, column: Tensor) -> dict[str, Tensor]:
        """Candidates in the layout of the state for r rows, k being the contexts of the batch.

        Args:
            latent: [r] int64: which of the m latents each row is about.
            column: [r, B] int64: the focus in each context.
        """
        device = mine.device
        row = torch.arange(mine.shape[0], device=device).expand_as(column)
        reach = column[..., None] + torch.arange(-BEFORE, AFTER + 1, device=device)  # [r, B, WINDOW]
        inside = (reach >= 0) & (reach < mine.shape[1])
        reach = reach.clamp(0, mine.shape[1] - 1)
        rows = row[..., None].expand_as(reach)
        inside &= step.batch.attention.to(device)[rows, reach]
        which = latent[:, None, None].expand_as(reach)
        token = torch.zeros(mine.shape[:2], dtype=torch.int64, device=device)
        token[step.counted.row, step.counted.column] = torch.arange(len(step.acts), device=device)
        counted = inside & step.batch.mask.to(device)[rows, reach]
        return {
            "serial": serial[row, column],
            "document": step.batch.document.to(device)[row],
            "start": step.batch.start.to(device)[row],
            "tokens": torch.where(inside, step.batch.ids.to(device)[rows, reach], -1),
            "acts": mine[rows, reach, which] * inside,
            "partner": step.acts[token[rows, reach], self.partners[which]] * counted,
        }

    def _keep(self, candidates: dict[str, Tensor], latent: Tensor, kind: Tensor) -> None:
        """Fold candidates [r, ...] into the rows (latent, kind) of the state."""
        both = {name: torch.cat([tensor[latent, kind], candidates[name]], 1) for name, tensor in self.tensors.items()}
        order = both["serial"].sort(dim=1, stable=True).indices
        ranked = both["score"].gather(1, order).sort(dim=1, descending=True, stable=True).indices
        best = order.gather(1, ranked)[..., : self.k]
        for name, tensor in both.items():
            index = best if tensor.dim() == 2 else best[..., None].expand(*best.shape, tensor.shape[-1])
            self.tensors[name][latent, kind] = tensor.gather(1, index)


def _spread(step: Step, values: Tensor) -> Tensor:
    """[n, ...] of the counted tokens -> [B, T, ...], 0 elsewhere."""
    out = torch.zeros(*step.batch.mask.shape, *values.shape[1:], dtype=values.dtype, device=values.device)
    out[step.counted.row, step.counted.column] = values
    return out
