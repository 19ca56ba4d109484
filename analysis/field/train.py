"""An SAE on a matrix of one's own, of a size that suits its rows; some groups are never trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from analysis.errors import UserError
from analysis.field.matrix import Matrix
from analysis.field.stream import BATCH, Places, drawn
from analysis.hashing import hash_of
from analysis.process.cache import cache_folder
from analysis.process.pool import trained as in_processes
from analysis.process.progress import Progress
from analysis.reading.sae import REPORT, LoadedSae, load_sae
from analysis.statistics.sampling import mix_bits
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.train import NORM_BATCHES, train

KINDS = ("batchtopk", "topk", "abstopk", "jumprelu")
HELD_OUT = 0.1
"""Share of the groups that are never trained on."""
FEWEST = 1_000
"""Rows, for an SAE to make sense of."""
MOST_ROWS = 400_000
"""Rows that are trained on: of more, so many at random."""
_TESTED = 20_000
_STEPS = 600_000  # row-steps, some ten seconds on an idle core for some hundred latents
_MOST = 4_096
_HELD = 91  # salt
_KEPT = "the same command trains it again"


def recipe(kind: str, rows: int, width: int, bottleneck: int = 0, seed: int = 0) -> Recipe:
    """Sizes that suit the data.

    Four latents a column, but no more than one for fifty rows, so that each has rows to be learned from; of these one
    in thirty is on, two at least: dense and sparse ones can both be told. [our own]

    Args:
        kind: batchtopk, topk, abstopk or jumprelu.
        rows, width: of the matrix.
    """
    latents = int(2 ** round(math.log2(max(16, min(4 * width, rows // 50, _MOST)))))
    batch = min(1024, max(64, rows // 20))
    steps = max(batch, min(_STEPS, 30 * rows))
    k = float(min(max(2, latents // 30), 64, latents - 1))
    return Recipe(
        architecture=kind, width=latents, k=k, batch=batch, train_tokens=steps, seed=seed, bottleneck=bottleneck
    )


def trained(
    matrices: Sequence[Matrix], places: Places, kind: str, console: Console, *, bottleneck: int = 0, seed: int = 0
) -> list[LoadedSae]:
    """An SAE for each matrix: from the cache, or trained now, one after the other.

    FVU on the groups that were kept out is in their reports.

    Raises:
        UserError: too few rows.
    """
    held = held_out(places)
    jobs = [_job(matrix, held, kind, bottleneck, seed) for matrix in matrices]
    for job in jobs:
        if not (job.folder / REPORT).exists():
            console.print(
                f"training {kind} on {len(job.read):,} rows of {job.matrix.name}: {job.recipe.width:,} latents,"
                f" {job.recipe.k:g} on; {int(held.sum()):,} rows of other groups are kept out"
            )
            _fill(job)
    todo = [job.work for job in jobs if not (job.folder / REPORT).exists()]
    for work, told in in_processes(_train, todo, 1, console, _KEPT) if todo else ():
        job = next(job for job in jobs if job.folder == work.folder)
        told["fvu_held_out"] = _unexplained(load_sae(str(job.folder), place=job.matrix.name), job.matrix, held)
        (job.folder / REPORT).write_text(json.dumps(told, indent=1))
        for path in job.folder.glob(f"{job.matrix.name}.*"):
            path.unlink()
    return [replace(load_sae(str(job.folder), place=job.matrix.name), layer=job.matrix.layer) for job in jobs]


class _Work(NamedTuple):
    """What is sent to the process that trains."""

    recipe: Recipe
    folder: Path
    hook: str
    rows: int
    width: int

    @property
    def label(self) -> str:
        """The matrix."""
        return self.hook

    def left(self) -> int:
        """Of a training that was stopped, all: it is begun anew."""
        return self.recipe.train_tokens + NORM_BATCHES * self.recipe.batch

    @property
    def cache(self) -> ActivationCache:
        """Rows of the matrix, shuffled while they are read."""
        return ActivationCache(self.folder, [self.hook], self.rows, self.width, "float32")


class _Job(NamedTuple):
    """One SAE to be trained."""

    matrix: Matrix
    read: Tensor
    """[n] int64: rows that it is trained on."""
    recipe: Recipe
    folder: Path

    @property
    def work(self) -> _Work:
        """For another process."""
        return _Work(self.recipe, self.folder, self.matrix.name, len(self.read), self.matrix.width)


def _job(matrix: Matrix, held: Tensor, kind: str, bottleneck: int, seed: int) -> _Job:
    read = torch.nonzero(~held).flatten()
    read = read[drawn(len(read), MOST_ROWS, seed)]
    if len(read) < FEWEST:
        raise UserError(f"--train: expected at least {FEWEST:,} rows to train on; found {len(read):,} in {matrix.path}")
    wanted = recipe(kind, len(read), matrix.width, bottleneck, seed)
    key = hash_of(["field", matrix.sha256, hash_of(held.int().tolist()), wanted.stated()], sort_keys=True)
    return _Job(matrix, read, wanted, cache_folder() / "field" / key[:32])


def _fill(job: _Job) -> None:
    """The rows, in float32, as the trainer reads them."""
    job.folder.mkdir(parents=True, exist_ok=True)
    rows, at = job.work.cache.rows(job.matrix.name, "w+"), 0
    for some in rows_of(job.matrix, job.read):
        rows[at : at + len(some)] = some
        at += len(some)
    rows.flush()


def _train(work: _Work, progress: Progress) -> dict[str, Any]:
    def counted(batch: Tensor) -> Tensor:
        progress(len(batch))
        return batch

    metadata: dict[str, Any] = {"hook_name": work.hook, "training_architecture": work.recipe.architecture}
    return train(work.recipe, work.cache, work.hook, work.folder, metadata, change=counted)


def held_out(places: Places) -> Tensor:
    """[R] bool: rows of the groups that are never trained on, drawn by hash; at least one of several groups."""
    code = torch.arange(places.groups)
    key = mix_bits(code, _HELD)
    few = max(1, round(HELD_OUT * places.groups)) if places.groups > 1 else 0
    kept = torch.zeros(places.groups, dtype=torch.bool)
    kept[key.argsort()[:few]] = True
    return kept[places.group]


def _unexplained(sae: LoadedSae, matrix: Matrix, held: Tensor) -> float | None:
    """FVU on rows that were kept out, of many of them on some."""
    rows = torch.nonzero(held).flatten()
    if not len(rows):
        return None
    x = torch.from_numpy(np.concatenate(list(rows_of(matrix, rows[drawn(len(rows), _TESTED, 0)]))))
    error = (x - sae.decode(sae.encode(x))).double().square().sum()
    return float(error / (x.double() - x.double().mean(0)).square().sum().clamp(min=1e-300))


def rows_of(matrix: Matrix, wanted: Tensor) -> Iterator[np.ndarray]:
    """Some rows, ascending, piece by piece, read once from the beginning to the end."""
    for first in range(0, matrix.rows, BATCH):
        after = min(first + BATCH, matrix.rows)
        begin, end = (int(place) for place in torch.searchsorted(wanted, torch.tensor([first, after])))
        if end > begin:
            yield matrix.read(first, after)[(wanted[begin:end] - first).numpy()]
