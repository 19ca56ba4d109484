"""One pass over a matrix: what every unit does, and a sample of rows that labels are held against.

Memory is that of the accumulators and the sample, whatever the number of rows; the digits do not depend on how the
matrix lies on disk.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from analysis.field import spread
from analysis.field.config import FieldConfig
from analysis.field.matrix import Matrix
from analysis.field.stream import BATCH, NEIGHBOURS, Places, batches, drawn
from analysis.field.units import Units, no_partners
from analysis.process.progress import Progress
from analysis.reading.sae import LoadedSae
from analysis.run.panel import Panel
from analysis.run.pilot import Draw, Pilot, make_plan
from analysis.run.totals import Totals
from analysis.run.weights import partners_of
from analysis.statistics.base import among
from analysis.statistics.base import dense as dense_columns
from analysis.statistics.geometry import Partners
from analysis.statistics.plan import Plan, Settings

PILOT = 8192
_BLOCK = 256  # rows of the pilot that stand together
_SHARD = 16 * BATCH
SAMPLE_BYTES = 1 << 28
"""Of the sample of a matrix' rows in memory."""


_ENCODED = 1 << 22  # entries at once: what is on of them takes 24 bytes each, and more while it is looked for


class Measured(NamedTuple):
    """What one matrix gave."""

    matrix: Matrix
    sae: LoadedSae
    panel: Panel
    geometry: Partners
    row: Tensor  # [n] int64, ascending: the rows of the sample
    x: Tensor  # [n, D] float32: the matrix there
    median_norm: float


def measure(
    matrix: Matrix, sae: LoadedSae, places: Places, config: FieldConfig, asked: Tensor, console: Console,
    progress: Progress,
) -> Measured:  # fmt: skip
    """Read all rows once.

    Args:
        asked: units that get detail whatever they do.
        progress: so many more rows are read.
    """
    geometry = no_partners(sae.n_latents) if isinstance(sae, Units) else partners_of(sae, console)
    plan, median = _plan(matrix, sae, geometry, config, asked)
    context = NEIGHBOURS if places.ordered else 1
    settings = Settings(context, BATCH, 0, config.seed, threshold=config.dense_threshold)
    panel = Panel(sae, plan, settings)
    if 1 < places.groups < places.rows and places.groups * len(plan.latents) <= spread.MOST:
        panel.own[spread.NAME] = counts = spread.GroupCounts(places.group, places.groups, plan.latents)
        panel.accumulators[spread.NAME] = counts
    totals = Totals([panel], _SHARD)
    most = max(BATCH, SAMPLE_BYTES // (4 * matrix.width))
    wanted = drawn(matrix.rows, min(config.sample, most), config.seed)
    sample = torch.empty(len(wanted), matrix.width)
    for first, after, batch in batches(places):
        x = torch.from_numpy(matrix.read(first, after))
        totals.update(batch, {sae.hook_point: x})
        begin, end = (int(place) for place in torch.searchsorted(wanted, torch.tensor([first, after])))
        sample[begin:end] = x[wanted[begin:end] - first]
        progress(after - first)
    totals.settle()
    return Measured(matrix, sae, panel, geometry, wanted, sample, median)


def _plan(matrix: Matrix, sae: LoadedSae, geometry: Partners, config: FieldConfig, asked: Tensor) -> tuple[Plan, float]:
    """From rows of the whole matrix: its beginning would be one machine, or one morning. The median norm beside it.

    No row is massive: in text a few tokens are, always the same ones; here what lies far out may be what is looked for.
    """
    x = torch.from_numpy(_spread(matrix))
    draw = Draw(config.controls, seed=config.seed)
    piece = max(64, (1 << 25) // sae.n_latents)
    plan = make_plan(sae, geometry, Pilot(x, sae.fire, piece), config.dense_threshold, asked, draw)
    return plan._replace(median_norm=torch.tensor(torch.inf)), float(plan.median_norm)


def _spread(matrix: Matrix) -> np.ndarray:
    if matrix.rows <= PILOT:
        return matrix.read(0, matrix.rows)
    starts = np.linspace(0, matrix.rows - _BLOCK, PILOT // _BLOCK).astype(int)
    return np.concatenate([matrix.read(start, start + _BLOCK) for start in starts.tolist()])


def activations(sae: LoadedSae, x: Tensor, latents: Tensor) -> Tensor:
    """[n, m] float32: what some latents, none twice, do on rows x [n, D]; encoded some thousand rows at a time."""
    found = torch.empty(len(x), len(latents))
    step = max(256, _ENCODED // max(sae.n_latents, 1))
    for start in range(0, len(x), step):
        piece = x[start : start + step]
        found[start : start + step] = dense_columns(among(sae.fire(piece), latents), len(piece), len(latents))
    return found


def unexplained(sae: LoadedSae, x: Tensor) -> float | None:
    """FVU on rows x [n, D]; None of a network's own units, which rebuild themselves."""
    if isinstance(sae, Units):
        return None
    error, total = 0.0, float((x.double() - x.double().mean(0)).square().sum())
    for piece in x.split(2048):  # type: ignore[no-untyped-call]
        error += float((piece - sae.decode(sae.encode(piece))).double().square().sum())
    return error / total if total > 0 else None
