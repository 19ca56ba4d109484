"""A bounded sample of whole contexts with every signal on their tokens: what the classes look at.

Kept are the contexts with the smallest hash of their place, so the sample is fair, shards merge to the
same one, and a resumed run keeps the same. Its room is taken at the start and never grows. Cost: a
signal is float32 on each token of the sample, 25 MB for 100 signals on 65,536 tokens.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.accumulators.base import Accumulator, State, Statistic, Step
from analysis.hashing import mix_bits
from analysis.signals import Sample, Signals

_FREE = torch.iinfo(torch.int64).max
_PLACES = ("token", "column", "paragraph", "sentence", "begin")

STATISTICS = (
    Statistic("class_sample", "Sample of the classes", "tokens", "scalar", "sae",
              "Classes and labels are measured on whole contexts drawn by hash from all that was read, every document"
              " alike; a text no larger than the sample is looked at whole. Massive tokens are left out.",
              "O", "our own"),
)  # fmt: skip


class Room(NamedTuple):
    """Size of the sample."""

    contexts: int
    width: int  # columns of a context, BOS included


class Contexts(Accumulator):
    """The sampled contexts, one slot each.

    Args:
        latents: the m latents with detail, int64.
        directions: [q, D] unit vectors: the latents' decoder directions, then random ones.
        pivot: [D]: the mean of x over ordinary tokens of the pilot.
        room: how many contexts, and how wide.
        seed: of the hash.
    """

    def __init__(self, latents: Tensor, directions: Tensor, pivot: Tensor, room: Room, seed: int = 0) -> None:
        device = directions.device
        self.latents, self.directions, self.pivot = latents.to(device), directions, pivot
        self.room, self.seed = room, seed
        slots, flat = (room.contexts,), (room.contexts, room.width)
        whole = {"dtype": torch.int64, "device": device}
        self.tensors = {
            "key": torch.full(slots, _FREE, **whole),  # type: ignore[call-overload]
            "document": torch.full(slots, -1, **whole),  # type: ignore[call-overload]
            "start": torch.full(slots, -1, **whole),  # type: ignore[call-overload]
            "group": torch.full(slots, -1, **whole),  # type: ignore[call-overload]
            **{name: torch.full(flat, -1, dtype=torch.int32, device=device) for name in _PLACES},
            "ordinary": torch.full(flat, False, device=device),
            # filled, not merely reserved: what a run will need is taken at its start
            "on": torch.full((*flat, len(latents)), False, device=device),
            "values": torch.full((*flat, len(directions)), 0.0, device=device),
        }

    def update(self, step: Step) -> None:
        """Put the contexts with the smallest keys into the slots of those with the largest."""
        device = step.x.device
        lines = torch.unique(step.counted.row)
        document, start = (part.to(device)[lines] for part in (step.batch.document, step.batch.start))
        key = mix_bits((document << 41) + (start << 12), self.seed).bitwise_and(_FREE)
        slot, chosen = self._slots(key)
        if not len(slot):
            return
        t, line = self.tensors, lines[chosen]
        t["key"][slot], t["document"][slot], t["start"][slot] = key[chosen], document[chosen], start[chosen]
        t["group"][slot] = step.batch.group.to(device)[line]
        self._write(step, slot, line)

    def merge(self, other: Self) -> None:
        """The smallest keys of both."""
        theirs = other.tensors
        held = torch.nonzero(theirs["key"] < _FREE).flatten()
        slot, chosen = self._slots(theirs["key"][held])
        for name, tensor in self.tensors.items():
            tensor[slot] = theirs[name][held[chosen]]

    def summarise(self) -> Signals:
        """All tokens of the sample, contexts by document and place."""
        t = self.tensors
        held = torch.nonzero(t["key"] < _FREE).flatten()
        for name in ("start", "document"):
            held = held[t[name][held].argsort(stable=True)]
        context, column = torch.nonzero(t["token"][held] >= 0, as_tuple=True)
        flat = held[context], column
        token, places, paragraph, sentence, begin = (t[name][flat].long() for name in _PLACES)
        sample = Sample(
            token, context, places, paragraph, sentence, begin, t["document"][held].clone(), t["group"][held].clone()
        )
        return Signals(sample, self.latents, t["values"][flat], t["on"][flat], t["ordinary"][flat], self.directions)

    def state_dict(self) -> State:
        """Slots in use only, by key: which slot a context sits in is nobody's business."""
        order = self.tensors["key"].argsort(stable=True)
        used = order[: int((self.tensors["key"] < _FREE).sum())]
        return {name: tensor[used] for name, tensor in self.tensors.items()}

    def load_state_dict(self, state: State) -> None:
        """Into the first slots; what stood here is forgotten."""
        count = len(state["key"])
        self.tensors["key"].fill_(_FREE)
        for name, tensor in self.tensors.items():
            tensor[:count] = state[name].to(tensor.device)

    def _slots(self, key: Tensor) -> tuple[Tensor, Tensor]:
        """Slots that are given up, and which of the new keys take them."""
        held = self.tensors["key"]
        kept = torch.cat([held, key]).sort(stable=True).indices[: len(held)]
        chosen = kept[kept >= len(held)] - len(held)
        lost = torch.ones_like(held, dtype=torch.bool)
        lost[kept[kept < len(held)]] = False
        chosen = chosen[key[chosen] < _FREE].sort().values
        return torch.nonzero(lost).flatten()[: len(chosen)], chosen

    def _write(self, step: Step, slot: Tensor, line: Tensor) -> None:
        counted = step.counted
        target = torch.full((step.batch.ids.shape[0],), -1, dtype=torch.int64, device=slot.device)
        target[line] = slot
        mine = torch.nonzero(target[counted.row] >= 0).flatten()
        at = target[counted.row[mine]], counted.column[mine]
        t = self.tensors
        for name, empty in (*((name, -1) for name in _PLACES), ("ordinary", False), ("on", False), ("values", 0.0)):
            t[name][slot] = empty
        for name in _PLACES:
            t[name][at] = getattr(counted, name)[mine].int()
        t["ordinary"][at] = counted.ordinary[mine]
        t["on"][at] = step.columns(self.latents)[mine] != 0
        t["values"][at] = (step.x[mine] - self.pivot) @ self.directions.T


def room_for(tokens: int, width: int, lead: int = 1) -> Room:
    """Room for about so many tokens."""
    return Room(max(1, -(-tokens // max(1, width - lead))), width)
