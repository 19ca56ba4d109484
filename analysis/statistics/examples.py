"""Stretches of text for the latents with detail: at the top, at some levels, at random, and off.

Every choice is a maximum of something each token has by itself (its activation, or a hash of its
place), so shards merge to the same examples and a resumed run picks the same ones. For all kinds
but the top, 16 tokens of each context are drawn by hash and only they are looked at: nearly as many
to choose from, at a sixteenth of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from analysis.statistics.base import Accumulator, Entries, State, Step
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup
from analysis.statistics.sampling import mix
from store.vocabulary import RANDOM_OFF, RANDOM_ON, example_kinds

BEFORE, AFTER = 40, 23
DRAWS = 16  # tokens drawn by hash in each context, for the kinds that are not about the top
WINDOW = BEFORE + 1 + AFTER
KINDS = example_kinds()

_FACTS = ("score", "serial", "document", "start")
_WINDOWS = ("begin", "end", "acts", "partner")

STATISTICS = (
    Statistic("examples", "Examples", "activation", "tokens", "latent",
              "Stretches of at most 64 tokens, at most one a context, none of a text that stood there before: the"
              " highest activations, massive tokens left out (the same few would be every latent's); four levels,"
              " the quarters of the firing activations from low to high (with `--levels N` instead N equal intervals of"
              " activation up to the largest of the first tokens); firing tokens at random; and tokens at"
              " random where the latent is off. Snippets mislead for latents that fire on half of all tokens: see"
              " the whole document.",
              "O", "our own"),
)  # fmt: skip


class ExamplesSummary(NamedTuple):
    """m latents, K kinds, k examples each. Absent ones have score -inf."""

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
        cuts: [m, levels - 1] float: where the levels of the firing |activations| meet, from the pilot.
        k: examples per kind.
        seed: of the hashes.
        kinds: of example; as many levels among them as `cuts` says.
    """

    exact = True

    def __init__(
        self, latents: Tensor, partners: Tensor, cuts: Tensor, k: int = 4, seed: int = 0,
        device: torch.device | str = "cpu", kinds: Sequence[str] = KINDS,
    ) -> None:  # fmt: skip
        self.kinds = kinds
        self.latents, self.cuts, self.k, self.seed = latents.to(device), cuts.to(device), k, seed
        both = torch.stack([self.latents, partners.to(device)])
        self.wanted, place = torch.unique(both, return_inverse=True)  # each once; `mine` and `theirs` are places in it
        self.mine, self.theirs = place.unbind()
        shape = (len(latents), len(kinds), k)
        whole = {"dtype": torch.int64, "device": device}
        real = {"dtype": torch.float32, "device": device}
        self.tensors = {
            "score": torch.full(shape, -torch.inf, **real),  # type: ignore[call-overload]
            "serial": torch.full(shape, -1, **whole),  # type: ignore[call-overload]
            "slot": torch.arange(k, device=device).expand(shape).contiguous(),  # where each one's windows are
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
        plan, settings = setup.plan, setup.settings
        kinds = example_kinds(settings.intervals)
        return {"examples": cls(plan.latents, plan.partners, plan.cuts, 4, settings.seed, plan.pivot.device, kinds)}

    def update(self, step: Step) -> None:
        """One candidate a context, latent and kind; then keep the best k."""
        if not len(self.latents):
            return
        acts = _spread(step.among(self.wanted), len(self.wanted), step)
        score, column = self._candidates(acts, step)  # [m, K, B]
        score = score.masked_fill(step.batch.repeats, -torch.inf)
        better = (torch.isfinite(score) & (score >= self.tensors["score"][..., -1:])).any(-1)
        latent, kind = torch.nonzero(better).T  # few, once the best are found
        context = torch.arange(score.shape[2], device=score.device).expand(len(latent), -1)
        focus = column[latent, kind]
        facts = {
            "score": score[latent, kind],
            "serial": step.counted.serials[context, focus],
            "document": step.batch.document[context],
            "start": step.batch.start[context],
        }
        around = self._windows(step, acts)
        self._keep(latent, kind, facts, lambda row, place: around(latent[row], place, focus[row, place]))

    def merge(self, other: Self) -> None:
        """The best k of both."""
        latent, kind = torch.ones_like(self.tensors["score"][..., 0]).nonzero().T
        theirs = {name: other.tensors[name][latent, kind] for name in _FACTS}
        theirs |= {name: other._ordered(name)[latent, kind] for name in _WINDOWS}
        facts = {name: theirs[name] for name in _FACTS}
        self._keep(latent, kind, facts, lambda row, place: {name: theirs[name][row, place] for name in _WINDOWS})

    def summarise(self) -> ExamplesSummary:
        """What was kept, best first."""
        found = {name: self.tensors[name].clone() for name in ExamplesSummary._fields if name not in _WINDOWS}
        return ExamplesSummary(**found, **{name: self._ordered(name) for name in _WINDOWS})

    def _ordered(self, name: str) -> Tensor:
        """Windows [m, K, k, WINDOW], best first."""
        slot = self.tensors["slot"][..., None]
        return self.tensors[name].gather(2, slot.expand(*slot.shape[:-1], WINDOW))

    def _candidates(self, acts: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        """The best token of each context by latent and kind: score (-inf: none) and column, [m, K, B] each.

        Args:
            acts: [w, B, BEFORE + T + AFTER] of the wanted latents.
        """
        score, column = _top(step.among(self.wanted), len(self.wanted), step)
        found = [(score[self.mine], column[self.mine])]
        contexts = torch.arange(acts.shape[1], device=acts.device)[:, None]
        last = len(self.kinds) - 1
        for salt, kinds in ((0, range(1, last - 1)), (1, (last - 1,)), (2, (last,))):
            chance = torch.where(step.counted.serials >= 0, mix(step.counted.serials, self.seed * 16 + salt), -1.0)
            drawn, column = chance.topk(min(DRAWS, chance.shape[1]), dim=1)  # [B, S], the largest first
            size = acts[self.mine[:, None, None], contexts, column + BEFORE].abs()  # [m, B, S]
            level = (size[..., None] > self.cuts[:, None, None]).sum(-1) if len(kinds) > 1 else size
            for kind in kinds:
                best = torch.where(self._allowed(kind, size, level) & (drawn >= 0), drawn, -torch.inf).max(2)
                found.append((best.values, column[contexts.T, best.indices]))
        scores, columns = (torch.stack(part, 1) for part in zip(*found, strict=True))
        return scores, columns

    def _allowed(self, kind: int, size: Tensor, level: Tensor) -> Tensor:
        if self.kinds[kind] == RANDOM_OFF:
            return size == 0
        if self.kinds[kind] == RANDOM_ON:
            return size > 0
        return (size > 0) & (level == kind - 1)

    def _windows(self, step: Step, acts: Tensor) -> Callable[[Tensor, Tensor, Tensor], State]:
        """What gives the windows [e, WINDOW] around e tokens, by latent (one of the m), context and column."""
        texts = {
            name: pad(places, (BEFORE, AFTER), value=-1).unfold(1, WINDOW, 1)
            for name, places in (("begin", step.batch.begin), ("end", step.batch.end))
        }
        signals = acts.unfold(2, WINDOW, 1)

        def around(latent: Tensor, context: Tensor, focus: Tensor) -> State:
            found = {name: windows[context, focus] for name, windows in texts.items()}
            found["acts"] = signals[self.mine[latent], context, focus]
            found["partner"] = signals[self.theirs[latent], context, focus]
            return found

        return around

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
        slot, fresh = self._slots(self.tensors["slot"][latent, kind], best)
        for name, values in both.items():
            self.tensors[name][latent, kind] = values.gather(1, best)
        self.tensors["slot"][latent, kind] = slot
        row, place = torch.nonzero(fresh).T
        for name, found in windows(row, best[row, place] - self.k).items():
            self.tensors[name][latent[row], kind[row], slot[row, place]] = found

    def _slots(self, before: Tensor, best: Tensor) -> tuple[Tensor, Tensor]:
        """Where the windows of the best k of a row are: those that were there stay, new ones take what became free.

        Args:
            before: [r, k] slots of the k that a row had.
            best: [r, k] places among those k and the candidates after them.

        Returns:
            slots [r, k], and which of them are to be filled, bool.
        """
        fresh = best >= self.k
        kept = before.gather(1, best.clamp(max=self.k - 1))
        taken = torch.zeros_like(before).scatter_add_(1, kept, (~fresh).long())
        free = taken.sort(dim=1, stable=True).indices  # those not taken first
        return torch.where(fresh, free.gather(1, (fresh.cumsum(1) - 1).clamp(min=0)), kept), fresh


def _spread(found: Entries, latents: int, step: Step) -> Tensor:
    """[latents, B, BEFORE + T + AFTER]: the activations where the tokens stand, and 0 around each context."""
    contexts, width = step.batch.ids.shape
    out = torch.zeros(latents, contexts, BEFORE + width + AFTER, device=found.value.device)
    out[found.place, step.counted.row[found.token], step.counted.column[found.token] + BEFORE] = found.value
    return out


def _top(found: Entries, latents: int, step: Step) -> tuple[Tensor, Tensor]:
    """The largest |activation| of each context on ordinary tokens (-inf: none) and its first column, [latents, B]."""
    contexts, width = step.batch.ids.shape
    at = found.place * contexts + step.counted.row[found.token]
    size = torch.where(step.ordinary[found.token], found.value.abs(), -torch.inf)
    best = size.new_full((latents * contexts,), -torch.inf).scatter_reduce_(0, at, size, "amax")
    column = torch.where(size == best[at], step.counted.column[found.token], width)
    first = at.new_full(best.shape, width).scatter_reduce_(0, at, column, "amin").clamp_(max=width - 1)
    return best.view(latents, contexts), first.view(latents, contexts)
