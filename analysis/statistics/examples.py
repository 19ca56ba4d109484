"""Stretches of text for the latents with detail: at the top, at four levels, at random, and off.

Every choice is a maximum of something each token has by itself (its activation, or a hash of its
place), so shards merge to the same examples and a resumed run picks the same ones. For all kinds
but the top, 16 tokens of each context are drawn by hash and only they are looked at: nearly as many
to choose from, at a sixteenth of the work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.statistics.base import Accumulator, State, Step
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup
from analysis.statistics.sampling import mix
from store.vocabulary import EXAMPLES, RANDOM_OFF, RANDOM_ON

BEFORE, AFTER = 40, 23
DRAWS = 16  # tokens drawn by hash in each context, for the kinds that are not about the top
WINDOW = BEFORE + 1 + AFTER

_FACTS = ("score", "serial", "document", "start")
_WINDOWS = ("begin", "end", "acts", "partner")

STATISTICS = (
    Statistic("examples", "Examples", "activation", "tokens", "latent",
              "Stretches of at most 64 tokens, at most one a context, none of a text that stood there before: the"
              " highest activations, massive tokens left out (the same few would be every latent's); four levels,"
              " the quarters of the firing activations from low to high; firing tokens at random; and tokens at"
              " random where the latent is off. Snippets mislead for latents that fire on half of all tokens: see"
              " the whole document.",
              "O", "our own"),
)  # fmt: skip


class ExamplesSummary(NamedTuple):
    """m latents, K = len(EXAMPLES), k examples each. Absent ones have score -inf."""

    score: Tensor  # [m, K, k] float32
    document: Tensor  # [m, K, k] int64
    start: Tensor  # [m, K, k] int64: character of the document at which the context begins
    begin: Tensor  # [m, K, k, WINDOW] int64: character at which the token begins, -1 outside the text
    end: Tensor  # [m, K, k, WINDOW] int64: character after its last, -1 outside the text
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
        shape = (len(latents), len(EXAMPLES), k)
        whole = {"dtype": torch.int64, "device": device}
        real = {"dtype": torch.float32, "device": device}
        self.tensors = {
            "score": torch.full(shape, -torch.inf, **real),  # type: ignore[call-overload]
            "serial": torch.full(shape, -1, **whole),  # type: ignore[call-overload]
            "document": torch.full(shape, -1, **whole),  # type: ignore[call-overload]
            "start": torch.full(shape, -1, **whole),  # type: ignore[call-overload]
            "begin": torch.full((*shape, WINDOW), -1, **whole),  # type: ignore[call-overload]
            "end": torch.full((*shape, WINDOW), -1, **whole),  # type: ignore[call-overload]
            "acts": torch.zeros(*shape, WINDOW, **real),  # type: ignore[call-overload]
            "partner": torch.zeros(*shape, WINDOW, **real),  # type: ignore[call-overload]
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Four of each kind."""
        plan = setup.plan
        return {"examples": cls(plan.latents, plan.partners, plan.cuts, 4, setup.settings.seed, plan.pivot.device)}

    def update(self, step: Step) -> None:
        """One candidate a context, latent and kind; then keep the best k."""
        if not len(self.latents):
            return
        mine = _spread(step, step.columns(self.latents))  # [B, T, m]
        serial = _spread(step, step.counted.serial[:, None])[..., 0].long()
        ordinary = _spread(step, step.counted.ordinary[:, None])[..., 0]
        score, column = self._candidates(mine, serial, step.batch.mask.to(mine.device), ordinary)  # [m, K, B]
        score = score.masked_fill(step.batch.repeats.to(mine.device), -torch.inf)
        better = (torch.isfinite(score) & (score >= self.tensors["score"][..., -1:])).any(-1)
        latent, kind = torch.nonzero(better).T  # few, once the best are found
        context = torch.arange(mine.shape[0], device=mine.device).expand(len(latent), -1)
        focus = column[latent, kind]
        facts = {
            "score": score[latent, kind],
            "serial": serial[context, focus],
            "document": step.batch.document.to(mine.device)[context],
            "start": step.batch.start.to(mine.device)[context],
        }
        self._keep(latent, kind, facts, lambda row, place: self._windows(step, latent[row], place, focus[row, place]))

    def merge(self, other: Self) -> None:
        """The best k of both."""
        latent, kind = torch.ones_like(self.tensors["score"][..., 0]).nonzero().T
        theirs = {name: tensor[latent, kind] for name, tensor in other.tensors.items()}
        facts = {name: theirs[name] for name in _FACTS}
        self._keep(latent, kind, facts, lambda row, place: {name: theirs[name][row, place] for name in _WINDOWS})

    def summarise(self) -> ExamplesSummary:
        """What was kept, best first."""
        t = self.tensors
        return ExamplesSummary(*(t[name].clone() for name in ExamplesSummary._fields))

    def _candidates(self, mine: Tensor, serial: Tensor, counted: Tensor, ordinary: Tensor) -> tuple[Tensor, Tensor]:
        """The best token of each context by latent and kind: score (-inf: none) and column, [m, K, B] each."""
        top = torch.where((mine != 0) & ordinary[..., None], mine.abs(), -torch.inf).max(1)
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
        if EXAMPLES[kind] == RANDOM_OFF:
            return size == 0
        if EXAMPLES[kind] == RANDOM_ON:
            return size > 0
        return (size > 0) & ((size[..., None] > self.cuts).sum(-1) == kind - 1)

    def _windows(self, step: Step, latent: Tensor, context: Tensor, focus: Tensor) -> State:
        """Windows [e, WINDOW] around e tokens, by latent (one of the m), context and column."""
        device = step.acts.device
        width = step.batch.ids.shape[1]
        reach = focus[:, None] + torch.arange(-BEFORE, AFTER + 1, device=device)
        inside = (reach >= 0) & (reach < width)
        reach, rows = reach.clamp(0, width - 1), context[:, None].expand_as(reach)
        inside &= step.batch.attention.to(device)[rows, reach]
        counted = inside & step.batch.mask.to(device)[rows, reach]
        number = torch.zeros(step.batch.ids.shape, dtype=torch.int64, device=device)
        number[step.counted.row, step.counted.column] = torch.arange(len(step.acts), device=device)
        token = number[rows, reach]
        return {
            "begin": torch.where(inside, step.batch.begin.to(device)[rows, reach], -1),
            "end": torch.where(inside, step.batch.end.to(device)[rows, reach], -1),
            "acts": step.acts[token, self.latents[latent][:, None]] * counted,
            "partner": step.acts[token, self.partners[latent][:, None]] * counted,
        }

    def _keep(self, latent: Tensor, kind: Tensor, facts: State, windows: Callable[[Tensor, Tensor], State]) -> None:
        """Fold candidates into the rows (latent, kind) of the state.

        Args:
            latent, kind: [r] int64, the rows.
            facts: [r, c] each, of c candidates a row.
            windows: (row [e], candidate [e]) -> windows [e, WINDOW]; asked only for those that are kept.
        """
        both = {name: torch.cat([self.tensors[name][latent, kind], found], 1) for name, found in facts.items()}
        order = both["serial"].sort(dim=1, stable=True).indices
        ranked = both["score"].gather(1, order).sort(dim=1, descending=True, stable=True).indices
        best = order.gather(1, ranked)[:, : self.k]
        for name, values in both.items():
            self.tensors[name][latent, kind] = values.gather(1, best)
        row, place = torch.nonzero(best >= self.k).T
        fresh = windows(row, best[row, place] - self.k)
        old = best.clamp(max=self.k - 1)[..., None].expand(*best.shape, WINDOW)
        for name in _WINDOWS:
            kept = self.tensors[name][latent, kind].gather(1, old)
            kept[row, place] = fresh[name]
            self.tensors[name][latent, kind] = kept


def _spread(step: Step, values: Tensor) -> Tensor:
    """[n, ...] of the counted tokens -> [B, T, ...], 0 elsewhere."""
    out = torch.zeros(*step.batch.mask.shape, *values.shape[1:], dtype=values.dtype, device=values.device)
    out[step.counted.row, step.counted.column] = values
    return out
