"""An SAE on a matrix of one's own, of a size that suits its rows; some groups are never trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from analysis.errors import UserError
from analysis.field.matrix import Matrix
from analysis.field.stream import BATCH, Places, drawn
from analysis.hashing import hash_of
from analysis.process.cache import cache_folder
from analysis.reading.sae import REPORT, LoadedSae, load_sae
from analysis.statistics.sampling import mix_bits
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.train import train

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
    matrix: Matrix, places: Places, kind: str, console: Console, *, bottleneck: int = 0, seed: int = 0
) -> LoadedSae:
    """The SAE of this matrix and recipe: from the cache, or trained now. FVU on the groups kept out is in its report.

    Raises:
        UserError: too few rows, or groups.
    """
    held = held_out(places)
    read = torch.nonzero(~held).flatten()
    read = read[drawn(len(read), MOST_ROWS, seed)]
    rows = len(read)
    if rows < FEWEST:
        raise UserError(f"--train: expected at least {FEWEST:,} rows to train on; found {rows:,} in {matrix.path}")
    wanted = recipe(kind, rows, matrix.width, bottleneck, seed)
    key = hash_of(["field", matrix.sha256, hash_of(held.int().tolist()), wanted.stated()], sort_keys=True)
    out = cache_folder() / "field" / key[:32]
    if not (out / REPORT).exists():
        console.print(
            f"training {kind} on {rows:,} rows of {matrix.name}: {wanted.width:,} latents, {wanted.k:g} on;"
            f" {int(held.sum()):,} rows of other groups are kept out"
        )
        _train(matrix, read, held, wanted, out)
    return load_sae(str(out), place=matrix.name)


def held_out(places: Places) -> Tensor:
    """[R] bool: rows of the groups that are never trained on, drawn by hash; at least one of several groups."""
    code = torch.arange(places.groups)
    key = mix_bits(code, _HELD)
    few = max(1, round(HELD_OUT * places.groups)) if places.groups > 1 else 0
    kept = torch.zeros(places.groups, dtype=torch.bool)
    kept[key.argsort()[:few]] = True
    return kept[places.group]


def _train(matrix: Matrix, read: Tensor, held: Tensor, wanted: Recipe, out: Path) -> None:
    """Train on the rows `read`, ascending."""
    out.mkdir(parents=True, exist_ok=True)
    cache = ActivationCache(out, [matrix.name], len(read), matrix.width, "float32")
    rows, at = cache.rows(matrix.name, "w+"), 0
    for some in rows_of(matrix, read):
        rows[at : at + len(some)] = some
        at += len(some)
    rows.flush()
    metadata: dict[str, Any] = {"hook_name": matrix.name, "training_architecture": wanted.architecture}
    told = train(wanted, cache, matrix.name, out, metadata)
    told["fvu_held_out"] = _unexplained(load_sae(str(out), place=matrix.name), matrix, held)
    (out / REPORT).write_text(json.dumps(told, indent=1))
    for path in out.glob(f"{matrix.name}.*"):
        path.unlink()


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
