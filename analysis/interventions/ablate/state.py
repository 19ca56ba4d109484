"""How far the second pass is: the sums of what was read, and of the shard that is being read."""

from __future__ import annotations

import time
from collections.abc import Sequence

from analysis.interventions.ablate.config import SHARD
from analysis.interventions.ablate.sums import EffectSums
from analysis.interventions.ablate.variants import Variant
from analysis.process.checkpoint import Checkpoints


class State:
    """Sums of variants, whole and half a shard; goes on from a checkpoint where there is one.

    Args:
        made: the variants.
        width: of the directions.
    """

    def __init__(self, made: Sequence[Variant], width: int, checkpoints: Checkpoints) -> None:
        self.made, self.width, self.checkpoints = list(made), width, checkpoints
        self.whole, self.half = self.empty(), self.empty()
        self.batches, self._before = 0, 0.0
        self._started = self._saved = time.monotonic()
        if checkpoints.exists():
            note = checkpoints.note()
            self.batches, self._before = note["batches"], note["seconds"]
            self.whole.tensors, self.half.tensors = checkpoints.parts()

    @property
    def seconds(self) -> float:
        """Of the second pass, those of earlier processes too."""
        return self._before + time.monotonic() - self._started

    def empty(self) -> EffectSums:
        """Sums of nothing."""
        return EffectSums(len(self.made), self.width)

    def read(self, batches: int) -> None:
        """So many batches are read; where they end a shard, it goes into the whole."""
        self.batches = batches
        if batches % SHARD == 0:
            self.settle()

    def settle(self) -> None:
        """Add the shard to the whole, and begin another."""
        self.whole.merge(self.half)
        self.half = self.empty()

    def save(self, every: float) -> None:
        """Write a checkpoint, if the last is so many seconds old."""
        if time.monotonic() - self._saved > every:
            self._saved = time.monotonic()
            note = {"batches": self.batches, "seconds": self.seconds}
            self.checkpoints.save(note, [self.whole.tensors, self.half.tensors])
