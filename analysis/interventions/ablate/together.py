"""The two passes by the actors of a cluster: the same sums as one process has, shard by shard in the text's order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from torch import Tensor

from analysis.cluster.crew import Crew
from analysis.cluster.progress import crew_progress
from analysis.cluster.session import cluster, everywhere
from analysis.cluster.spread import in_order
from analysis.interventions.ablate.config import SHARD, AblateConfig
from analysis.interventions.ablate.measure import Ablated, Ablation, CleanSums
from analysis.interventions.ablate.state import State
from analysis.interventions.ablate.sums import EffectSums
from analysis.interventions.ablate.variants import Totals, Variant
from analysis.interventions.subject import Stored, load_subject
from analysis.process.checkpoint import Checkpoints
from analysis.process.progress import Progress
from analysis.reading.batches import TokenBatch


class Second(NamedTuple):
    """What the second pass needs, and what an earlier process had of the shard."""

    made: list[Variant]
    mean: Tensor
    half: dict[str, Tensor]


class Batches(NamedTuple):
    """Batches `begin` to `end`, in the first pass or the second."""

    begin: int
    end: int
    second: Second | None

    @property
    def label(self) -> str:
        """How it is named on the screen."""
        return f"batches {self.begin + 1} to {self.end}"


class Reader:
    """What an actor has: the subject, and the clean runs it made."""

    def __init__(self, ablation: Ablation) -> None:
        self.ablation = ablation

    @torch.no_grad()
    def __call__(self, piece: Batches, progress: Progress) -> list[CleanSums] | dict[str, Tensor]:
        """Of the first pass the sums of each batch, of the second those of all changes."""
        if piece.second is None:
            return [self.ablation.clean_sums(number, batch, progress) for number, batch in self._between(piece)]
        made, mean, half = piece.second
        sums = EffectSums(len(made), self.ablation.subject.sae.d_out)
        if half:
            sums.tensors = {name: tensor.clone() for name, tensor in half.items()}
        for number, batch in self._between(piece):
            self.ablation.add(number, batch, made, mean, sums)
            progress(int(batch.mask.sum()))
        return sums.tensors

    def _between(self, piece: Batches) -> Iterator[tuple[int, TokenBatch]]:
        for number, unmade in enumerate(self.ablation.stream().unmade()):
            if number >= piece.end:
                return
            if number >= piece.begin:
                yield number, unmade.make()


def reader(config: AblateConfig, stored: Stored, folder: str) -> Reader:
    """In an actor.

    Raises:
        UserError: what is found there is not what was analysed.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    parts = {name: getattr(config, name) for name in ("model", "weights", "corpus", "dtype", "device")}
    # a folder of its own in that one: what two actors make of a batch is the same, but not at the same time
    return Reader(Ablation(load_subject(stored, **parts), config, Path(tempfile.mkdtemp(dir=folder))))


def measure_together(ablation: Ablation, checkpoints: Checkpoints, console: Console) -> Ablated:
    """Both passes.

    Raises:
        UserError: no cluster, parts that differ from machine to machine, batches at which actors end.
        KeyboardInterrupt: Ctrl-C came; the same command goes on.
    """
    config, subject = ablation.config, ablation.subject
    count = sum(1 for _ in ablation.stream().unmade())
    with cluster(config.ray, config.actors, torch.get_num_threads(), console) as found:
        there = replace(
            config,
            model=everywhere(config.model or subject.stored.model_source),
            weights=everywhere(config.weights or subject.stored.source),
            corpus=everywhere(config.corpus or subject.stored.settings["corpus"]),
            dtype=subject.model.dtype_name,
            device="cuda" if found.gpus else "cpu",
        )
        checkpoints.folder.mkdir(parents=True, exist_ok=True)
        arguments = [(there, subject.stored, str(checkpoints.folder))] * found.actors
        crew: Crew[Batches] = Crew(reader, arguments, found, console)
        crew.begin()
        with crew_progress(console, "the model as it is", config.tokens, "tokens", crew.members) as progress:
            sums = in_order(crew, _pieces(0, count), progress)
            totals = ablation.totals(each for _piece, parts in sums for each in parts)
        state = ablation.begun(totals, checkpoints)
        with crew_progress(console, "ablating", config.tokens, "tokens", crew.members) as progress:
            for piece, tensors in in_order(crew, _pieces(state.batches, count, _second(state, totals)), progress):
                state.half.tensors = {name: tensor.clone() for name, tensor in tensors.items()}
                state.read(piece.end)
                state.save(config.checkpoint_seconds)
    return ablation.ablated(state)


def _second(state: State, totals: Totals) -> Second:
    return Second(state.made, totals.mean, state.half.tensors)


def _pieces(begin: int, count: int, second: Second | None = None) -> Iterator[Batches]:
    """Shards from the batch `begin`, the first perhaps a half."""
    while begin < count:
        end = min(count, (begin // SHARD + 1) * SHARD)
        yield Batches(begin, end, second if second is None or begin % SHARD else second._replace(half={}))
        begin = end
