"""One row per latent: scalars, why some are missing, and what a table shows of the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.run.rows.plain import Row, number, numbers
from analysis.statistics.histogram import QUANTILES, quantiles
from analysis.statistics.plan import Plan
from analysis.statistics.registry import STATISTICS
from analysis.statistics.top_tokens import TopTokensSummary
from store.vocabulary import DETAILS, Statement

SPARK_BARS = 24
_TABLE_TOKENS = 6

_MISSING: dict[str, Statement] = {each.name: {"code": each.missing} for each in STATISTICS if each.missing}
# columns that are a part of a statistic of another name
_MISSING |= dict.fromkeys(("density_low", "density_high"), _MISSING["density"])


def latent_rows(
    columns: dict[str, Tensor], histogram: tuple[Tensor, Tensor], tokens: TopTokensSummary, plan: Plan, words: list[str]
) -> list[Row]:
    """N rows, without `analysis_id`. A value that is not there becomes None, with its reason.

    Args:
        columns: what every accumulator and the weights say, [N] each.
        histogram: counts [N, bins], with a bin for every edge pair, and the edges.
        tokens: the few that a table shows.
        words: of the vocabulary.
    """
    values = {name: _plain(column) for name, column in columns.items()} | {
        "index": range(len(columns["density"])),
        "detail": _detail(plan, len(columns["density"])),
        "quantiles": _quantiles(*histogram, columns["max"]),
        "spark": sparks(histogram[0]),
        "top_tokens": _few_tokens(tokens, words),
    }
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    for row in rows:
        row["reasons"] = {name: why for name, why in _MISSING.items() if name in row and row[name] is None}
    return rows


def _plain(column: Tensor) -> list[Any]:
    """Floats rounded, None where not finite; indices, None where negative; booleans."""
    if column.is_floating_point():
        return numbers(column)
    return column.tolist() if column.dtype == torch.bool else [each if each >= 0 else None for each in column.tolist()]


def sparks(counts: Tensor) -> list[list[int]]:
    """Each latent's histogram as 24 heights from 0 (none) to 9, on a log scale of counts.

    All latents of an SAE share the axis, so that sparklines in a column can be compared.
    """
    used = torch.nonzero(counts.sum(0)).flatten()
    if not len(used):
        return [[0] * SPARK_BARS for _ in range(len(counts))]
    narrow = counts[:, int(used[0]) : int(used[-1]) + 1]
    place = torch.arange(narrow.shape[1], device=counts.device) * SPARK_BARS // narrow.shape[1]
    bars = torch.zeros(len(counts), SPARK_BARS, dtype=torch.float64, device=counts.device)
    bars.index_add_(1, place, narrow.double())
    tallest = bars.max(1, keepdim=True).values.clamp(min=1).log1p()
    heights = torch.where(bars > 0, 1 + (8 * bars.log1p() / tallest).round(), 0.0)
    return heights.long().tolist()


def _detail(plan: Plan, latents: int) -> list[str | None]:
    kinds: list[str | None] = [None] * latents
    for index, kind in zip(plan.latents.tolist(), plan.kind.tolist(), strict=True):
        kinds[index] = DETAILS[kind]
    return kinds


def _few_tokens(tokens: TopTokensSummary, words: list[str]) -> list[list[str]]:
    """The first by mean; by mass for a latent whose types all occur too rarely to have a mean."""
    ranked = zip(tokens.by_mean.token.tolist(), tokens.by_mass.token.tolist(), strict=True)
    chosen = (by_mean if by_mean[0] >= 0 else by_mass for by_mean, by_mass in ranked)
    return [[words[token] for token in row[:_TABLE_TOKENS] if token >= 0] for row in chosen]


def _quantiles(counts: Tensor, edges: Tensor, largest: Tensor) -> list[dict[str, float | None] | None]:
    names = [str(share) for share in QUANTILES]
    # interpolated in its bin, a quantile may come out beyond the largest activation: it cannot be
    rows = torch.minimum(quantiles(counts, edges), largest.abs()[:, None]).tolist()
    return [dict(zip(names, map(number, row), strict=True)) if row[0] == row[0] else None for row in rows]
