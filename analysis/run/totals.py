"""What a run has counted, added up shard by shard, so that any number of readers give the same digits.

Sums of floats depend on their order in the last bits. So the text is cut into shards of a fixed number of batches; the
sums of a shard begin at nothing and go into the whole in the order of the text, whoever read it. Cost: what is not
exact in any order is held twice, and added once a shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from analysis.reading.batches import TokenBatch
from analysis.run.panel import Panel
from analysis.statistics.base import State, counted_tokens
from store.vocabulary import BOS, SPECIAL, TEMPLATE

SHARD = "shard/"  # before the names of a half-read shard's tensors in a checkpoint


@dataclass
class Counts:
    """Tokens by kind, which documents, and how far in the text."""

    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("tokens", BOS, SPECIAL, TEMPLATE), 0))
    documents: set[int] = field(default_factory=set)
    cursor: int = 0

    def update(self, batch: TokenBatch) -> None:
        """One batch."""
        counted, read = int(batch.mask.sum()), int(batch.attention.sum())
        bos, template = len(batch.ids) * batch.lead, int(batch.template.sum())
        found = {"tokens": counted, BOS: bos, TEMPLATE: template, SPECIAL: read - counted - template - bos}
        self._add(found, set(batch.document[batch.mask.any(1)].tolist()), batch.cursor)

    def merge(self, other: Counts) -> None:
        """What was read after this."""
        self._add(other.numbers, other.documents, other.cursor)

    def note(self) -> dict[str, Any]:
        """For a checkpoint's note."""
        return {"counts": {**self.numbers, "cursor": self.cursor}, "documents": sorted(self.documents)}

    @classmethod
    def of(cls, note: dict[str, Any]) -> Counts:
        """From `note`."""
        numbers = dict(note["counts"])
        cursor = numbers.pop("cursor")
        return cls(numbers, set(note["documents"]), cursor)

    def _add(self, numbers: dict[str, int], documents: set[int], cursor: int) -> None:
        for name, number in numbers.items():
            self.numbers[name] += number
        self.documents |= documents
        self.cursor = max(self.cursor, cursor)


def update_all(panels: Sequence[Panel], batch: TokenBatch, activations: dict[str, Tensor]) -> None:
    """One batch into the panels of SAEs on one device."""
    device = next(iter(activations.values())).device
    there, flat = batch.to(device), counted_tokens(batch, device)  # one copy for all SAEs
    for panel in panels:
        panel.update(there, flat, activations[panel.sae.hook_point], activations[panel.sae.hook_out])


class Totals:
    """A panel for each SAE and the shard of it that is being read.

    Args:
        panels: empty ones.
        shard: contexts of a shard.
    """

    def __init__(self, panels: Sequence[Panel], shard: int) -> None:
        self.panels, self.size = list(panels), shard
        self.shards = [panel.shard() for panel in self.panels]

    def update(self, batch: TokenBatch, activations: dict[str, Tensor]) -> None:
        """One batch; where it ends a shard, that goes into the whole."""
        update_all(self.shards, batch, activations)
        if batch.cursor % self.size == 0:
            self.settle()

    def settle(self) -> None:
        """Add the shard to the whole, and begin another."""
        for place, panel in enumerate(self.panels):
            panel.merge(self.shards[place])
            self.shards[place] = panel.shard()

    def state_dict(self, place: int) -> State:
        """Of one SAE, the half-read shard's beside the whole's."""
        half = {f"{SHARD}{name}": tensor for name, tensor in self.shards[place].state_dict().items()}
        return self.panels[place].state_dict() | half

    def load_state_dict(self, place: int, state: State) -> None:
        """Go on from `state_dict`."""
        self.panels[place].load_state_dict(state)
        half = {name.removeprefix(SHARD): tensor for name, tensor in state.items() if name.startswith(SHARD)}
        self.shards[place].load_state_dict(half)
