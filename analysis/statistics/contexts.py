"""A bounded sample of whole contexts with every signal on their tokens: what the classes look at.

Kept are the contexts with the smallest hash of their place, as many as have room for their tokens, so the
sample is fair, shards merge to the same one, and a resumed run keeps the same. The room is counted in
tokens, since a corpus of short texts has many contexts; it is taken at the start and never grows. Cost:
a signal is float32 on each token of the sample, 25 MB for 100 signals on 65,536 tokens; an activation is float16.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from analysis.reading.batches import Sample
from analysis.statistics.base import Accumulator, State, Step, context_keys
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup
from analysis.statistics.sampling import mix_bits
from analysis.statistics.signals import Signals

CROWD_TOKENS = 16_384  # on which many random directions are held: their scores are blurred by a hundredth
_FREE = torch.iinfo(torch.int64).max
_LEAST, _MOST = 2.0**-24, 65504.0  # of float16
_PLACES = ("token", "column", "paragraph", "sentence", "begin")
_FACTS = ("document", "start", "group", "length")
_ROWS = (*_PLACES, "ordinary", "norm", "acts", "values", "beside")

STATISTICS = (
    Statistic("class_sample", "Sample of the classes", "tokens", "scalar", "sae",
              "Classes and labels are measured on whole contexts drawn by hash from all that was read, every document"
              " alike; a text no larger than the sample is looked at whole. Massive tokens are left out.",
              "O", "our own"),
)  # fmt: skip


class Contexts(Accumulator):
    """The sampled contexts: those with the smallest keys, as many as fit.

    Args:
        latents: the m latents with detail, int64.
        directions: [q, D] unit vectors: the latents' decoder directions, then random ones.
        pivot: [D]: the mean of x over ordinary tokens of the pilot.
        tokens: how many fit; at least those of one context.
        seed: of the hash.
        beside: [R, D]: what gives a bottleneck's codes; none where it is None.
    """

    exact = True

    def __init__(
        self,
        latents: Tensor,
        directions: Tensor,
        pivot: Tensor,
        tokens: int,
        seed: int = 0,
        beside: Tensor | None = None,
    ) -> None:
        device = directions.device
        self.latents, self.directions, self.pivot = latents.to(device), directions, pivot
        self.beside = directions[:0] if beside is None else beside
        self.room, self.seed = tokens, seed
        whole = {"dtype": torch.int64, "device": device}
        self.tensors = {
            "bound": torch.full((1,), _FREE, **whole),  # type: ignore[call-overload]  # smallest key ever given up
            "key": torch.full((tokens,), _FREE, **whole),  # type: ignore[call-overload]  # a slot a context
            **{name: torch.full((tokens,), -1, **whole) for name in _FACTS},  # type: ignore[call-overload]
            "slot": torch.full((tokens,), -1, **whole),  # type: ignore[call-overload]  # a row a token; -1 is free
            **{name: torch.full((tokens,), -1, dtype=torch.int32, device=device) for name in _PLACES},
            "ordinary": torch.full((tokens,), False, device=device),
            # filled, not merely reserved: what a run will need is taken at its start
            "norm": torch.full((tokens,), 0.0, device=device),
            "acts": torch.full((tokens, len(latents)), 0, dtype=torch.float16, device=device),
            "values": torch.full((tokens, len(directions)), 0.0, device=device),
            "beside": torch.full((tokens, len(self.beside)), 0.0, device=device),
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Where classes are asked for."""
        plan, settings = setup.plan, setup.settings
        if not settings.class_tokens:
            return {}
        tokens = max(settings.class_tokens, settings.context)  # room for one context at least
        made = {"sample": cls(plan.latents, setup.directions, plan.pivot, tokens, settings.seed, setup.beside)}
        if settings.crowd:  # the same keys: its contexts are among the sample's
            few = min(tokens, max(CROWD_TOKENS, settings.context))
            made["crowd"] = cls(plan.latents[:0], setup.crowd, plan.pivot, few, settings.seed)
        return made

    def update(self, step: Step) -> None:
        """Keep the contexts with the smallest keys of those there are and those that come."""
        device = step.x.device
        lines, lengths = torch.unique(step.counted.row, return_counts=True)
        facts = [part[lines] for part in (step.batch.document, step.batch.start, step.batch.group)]
        key = mix_bits(context_keys(step.batch)[lines], self.seed).bitwise_and(_FREE)
        slot, chosen = self._admit(key, lengths, [*facts, lengths])
        if not len(slot):
            return
        target = torch.full((step.batch.ids.shape[0],), -1, dtype=torch.int64, device=device)
        target[lines[chosen]] = slot
        counted = step.counted
        mine = torch.nonzero(target[counted.row] >= 0).flatten()
        rows: State = {name: getattr(counted, name)[mine].int() for name in _PLACES}
        rows |= {"slot": target[counted.row[mine]], "ordinary": step.ordinary[mine]}
        rows |= {
            "norm": step.x[mine].norm(dim=1),
            "acts": _halved(step.columns(self.latents)[mine]),
            "values": _projected(step.x[mine] - self.pivot, counted.row[mine], self.directions),
            "beside": _projected(step.x[mine] - self.pivot, counted.row[mine], self.beside),
        }
        self._put(rows)

    def limits(self) -> State:
        """The smallest key that was given up: none that is larger will be kept."""
        return {"bound": self.tensors["bound"].clone()}

    def limit(self, limits: State) -> None:
        """Take no larger key."""
        self.tensors["bound"] = torch.minimum(self.tensors["bound"], limits["bound"].to(self.tensors["bound"].device))

    def merge(self, other: Self) -> None:
        """The smallest keys of both."""
        theirs = other.tensors
        held = torch.nonzero(theirs["key"] < _FREE).flatten()
        facts = [theirs[name][held] for name in _FACTS]
        self.tensors["bound"] = torch.minimum(self.tensors["bound"], theirs["bound"])
        slot, chosen = self._admit(theirs["key"][held], theirs["length"][held], facts)
        target = torch.full_like(theirs["key"], -1)
        target[held[chosen]] = slot
        used = torch.nonzero(theirs["slot"] >= 0).flatten()
        mine = used[target[theirs["slot"][used]] >= 0]
        self._put({name: theirs[name][mine] for name in _ROWS} | {"slot": target[theirs["slot"][mine]]})

    def summarise(self) -> Signals:
        """All tokens of the sample, contexts by document and place."""
        t = self.tensors
        held = torch.nonzero(t["key"] < _FREE).flatten()
        for name in ("start", "document"):
            held = held[t[name][held].argsort(stable=True)]
        rows, context = self._rows(held)
        token, column, paragraph, sentence, begin = (t[name][rows].long() for name in _PLACES)
        sample = Sample(
            token, context, column, paragraph, sentence, begin, t["document"][held].clone(), t["group"][held].clone()
        )
        acts = t["acts"][rows]
        return Signals(
            sample=sample,
            latents=self.latents,
            values=t["values"][rows],
            side=acts.sign().to(torch.int8),
            ordinary=t["ordinary"][rows],
            directions=self.directions,
            acts=acts,
            norm=t["norm"][rows],
            beside=t["beside"][rows],
        )

    def documents(self) -> Tensor:
        """Indices of the documents that have a context here, ascending."""
        found: Tensor = torch.unique(self.tensors["document"][self.tensors["key"] < _FREE])
        return found

    def state_dict(self) -> State:
        """Contexts by key with their tokens: where they sit is nobody's business."""
        t = self.tensors
        held = t["key"].argsort(stable=True)[: int((t["key"] < _FREE).sum())]
        rows, context = self._rows(held)
        facts = {name: t[name][held] for name in ("key", *_FACTS)}
        return facts | {name: t[name][rows] for name in _ROWS} | {"slot": context, "bound": t["bound"].clone()}

    def load_state_dict(self, state: State) -> None:
        """Into the first slots and rows; what stood here is forgotten."""
        self.tensors["key"].fill_(_FREE)
        self.tensors["slot"].fill_(-1)
        for name, tensor in self.tensors.items():
            tensor[: len(state[name])] = state[name].to(tensor.device)

    def _rows(self, held: Tensor) -> tuple[Tensor, Tensor]:
        """Rows of the tokens of some contexts, context by context in reading order, and each one's place in `held`."""
        t = self.tensors
        place = torch.full_like(t["key"], -1)
        place[held] = torch.arange(len(held), device=held.device)
        used = torch.nonzero(t["slot"] >= 0).flatten()
        used = used[t["column"][used].argsort(stable=True)]
        context = place[t["slot"][used]]
        order = context.argsort(stable=True)
        return used[order], context[order]

    def _admit(self, key: Tensor, length: Tensor, facts: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Give up what has larger keys, take in what has smaller ones: their slots, and which of the new they are.

        Once a context did not fit, none with a larger key is taken, however short: the sample stays fair, and
        that of merged shards is the same.
        """
        t = self.tensors
        held = torch.nonzero(t["key"] < _FREE).flatten()
        ordered, order = torch.cat([t["key"][held], key]).sort(stable=True)
        whole = torch.cat([t["length"][held], length])[order].cumsum(0)
        fits = (whole <= self.room) & (ordered < t["bound"])
        t["bound"] = torch.cat([t["bound"], ordered[~fits]]).amin(0, keepdim=True)
        kept = order[fits]
        lost = torch.ones_like(held, dtype=torch.bool)
        lost[kept[kept < len(held)]] = False
        chosen = (kept[kept >= len(held)] - len(held)).sort().values
        self._drop(held[lost])
        slot = torch.nonzero(t["key"] == _FREE).flatten()[: len(chosen)]
        t["key"][slot] = key[chosen]
        for name, values in zip(_FACTS, facts, strict=True):
            t[name][slot] = values[chosen]
        return slot, chosen

    def _drop(self, slots: Tensor) -> None:
        gone = torch.zeros_like(self.tensors["key"], dtype=torch.bool)
        gone[slots] = True
        self.tensors["key"][slots] = _FREE
        used = torch.nonzero(self.tensors["slot"] >= 0).flatten()
        self.tensors["slot"][used[gone[self.tensors["slot"][used]]]] = -1

    def _put(self, rows: State) -> None:
        free = torch.nonzero(self.tensors["slot"] < 0).flatten()[: len(rows["slot"])]
        for name, values in rows.items():
            self.tensors[name][free] = values


def _projected(x: Tensor, row: Tensor, directions: Tensor) -> Tensor:
    """Signals of some tokens, context by context: a product's last bits may depend on how many rows it has and
    where in memory they begin, and which other contexts of a batch are taken depends on what was read before.
    """
    if not len(directions):
        return x[:, :0]
    sizes = torch.unique_consecutive(row, return_counts=True)[1].tolist()
    return torch.cat([part.clone() @ directions.T for part in x.split(sizes)])  # type: ignore[no-untyped-call]


def _halved(acts: Tensor) -> Tensor:
    """In float16, whose bounds no value exceeds: what fires still does, on the same side."""
    held = acts.clamp(-_MOST, _MOST)
    return torch.where(acts.abs() < _LEAST, acts.sign() * _LEAST, held).to(torch.float16)
