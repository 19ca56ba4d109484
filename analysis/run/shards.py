"""One reader of several: a shard of the text -> its sums, in a process that has the model and SAEs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from analysis import __version__
from analysis.cluster.session import everywhere
from analysis.config import AnalyzeConfig
from analysis.errors import UserError
from analysis.process.progress import Progress
from analysis.reading.corpus import Unmade
from analysis.run.panel import Panel
from analysis.run.pipeline import Reading, prepare
from analysis.run.totals import Counts, update_all
from analysis.statistics.base import State
from analysis.statistics.plan import PairPlan, Plan

Arrays = dict[str, np.ndarray[Any, Any]]
"""A state as it travels."""


class ShardPiece(NamedTuple):
    """Contexts `begin` to `end` of the text; `half` is what an earlier process had of them, by SAE, and no shard's."""

    number: int
    begin: int
    end: int
    half: list[Arrays]
    limits: list[Arrays]  # by SAE: what the whole would not keep is not brought

    @property
    def label(self) -> str:
        """How it is named on the screen."""
        return f"shard {self.number + 1}"


class ShardSums(NamedTuple):
    """What a shard holds."""

    states: list[Arrays]  # of each SAE of the reader
    counts: Counts
    ended: bool  # the text was at its end within it


class Parts(NamedTuple):
    """What the numbers rest on: every reader must have the very same."""

    version: str
    torch: str
    model: str
    dtype: str
    corpus: str
    saes: list[tuple[str, str]]

    @classmethod
    def of(cls, reading: Reading) -> Parts:
        """Of what was loaded."""
        model, saes = reading.model, [(sae.sha256, sae.settings) for sae in reading.saes]
        return cls(__version__, torch.__version__, model.fingerprint, model.dtype_name, reading.corpus.sha256, saes)

    def check(self, other: Parts) -> None:
        """Refuse a reader that has other parts.

        Raises:
            UserError: which.
        """
        for name, mine, theirs in zip(self._fields, self, other, strict=True):
            if mine != theirs:
                raise UserError(
                    f"an actor has another {name} than the process that asks it: expected {mine}; found {theirs}"
                )


class ShardReader:
    """Reads shards.

    Args:
        reading: what was loaded here.
        plans: one an SAE.
    """

    def __init__(self, reading: Reading, plans: list[Plan]) -> None:
        self.reading = reading
        device = reading.model.device
        self.plans = [moved(plan, device) for plan in plans]
        self._text: Iterator[Unmade] = iter(())
        self._at = -1  # contexts of `_text` that were passed

    @property
    def panels(self) -> list[Panel]:
        """Empty ones, with room for the sample of one shard."""
        settings, config = self.reading.settings, self.reading.config
        most = min(settings.class_tokens, config.shard_contexts * config.context)
        settings = settings._replace(class_tokens=most)
        return [Panel(sae, plan, settings) for sae, plan in zip(self.reading.saes, self.plans, strict=True)]

    @torch.no_grad()
    def __call__(self, piece: ShardPiece, progress: Progress) -> ShardSums:
        """One shard, or the rest of it."""
        panels, counts = self.panels, Counts()
        for panel, half in zip(panels, piece.half, strict=False):
            panel.load_state_dict(tensors(half))
        for panel, limits in zip(panels, piece.limits, strict=True):
            panel.limit(tensors(limits))
        for unmade in self._between(piece.begin, piece.end):
            batch = unmade.make()
            activations = self.reading.read(batch)
            update_all(panels, batch, activations)
            counts.update(batch)
            progress(int(batch.mask.sum()))
        return ShardSums([arrays(panel.state_dict()) for panel in panels], counts, self._at < piece.end)

    def _between(self, begin: int, end: int) -> Iterator[Unmade]:
        """The batches of contexts `begin` to `end`; the text is gone through once, where shards come in order."""
        if not 0 <= self._at <= begin:
            self._text, self._at = self.reading.stream().unmade(), 0
        while self._at < end and (unmade := next(self._text, None)) is not None:
            self._at = unmade.cursor
            if unmade.cursor > begin:
                yield unmade


def reader(config: AnalyzeConfig, parts: Parts, plans: list[Plan]) -> ShardReader:
    """In an actor: load what is needed and hold it against what the driver has.

    Raises:
        UserError: another model, corpus or SAE, or what `prepare` refuses.
    """
    reading = prepare(config)
    parts.check(Parts.of(reading))
    return ShardReader(reading, plans)


def config_of(reading: Reading, saes: list[int], gpu: bool) -> AnalyzeConfig:
    """What an actor is to load: some of the SAEs, wherever it runs."""
    config = reading.config
    sources = [everywhere(reading.saes[place].source) for place in saes]
    return replace(
        config,
        saes=sources,
        model=everywhere(config.model),
        corpus=everywhere(reading.corpus.source),  # of the hub: in the very state that was read here
        detail={},  # the plan has it
        dtype=reading.model.dtype_name,
        device="cuda" if gpu else "cpu",
    )


def moved(plan: Plan, device: torch.device) -> Plan:
    """The same plan on a device; copied, so that it lies in memory as one that was made there."""
    parts = {name: tensor.to(device, copy=True) for name, tensor in plan._asdict().items() if name != "pairs"}
    return Plan(**parts, pairs=PairPlan(*(tensor.to(device, copy=True) for tensor in plan.pairs)))


def arrays(state: State) -> Arrays:
    """For the way: Ray carries arrays without copying them."""
    return {name: tensor.cpu().numpy() for name, tensor in state.items()}


def tensors(found: Arrays) -> State:
    """Back again; copies, since what has travelled is read-only."""
    return {name: torch.from_numpy(array.copy()) for name, array in found.items()}
