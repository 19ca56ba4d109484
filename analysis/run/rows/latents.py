"""One row per latent: scalars, why some are missing, and what a table shows of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from analysis.decomposition import follow
from analysis.run.rows.plain import Row, blocks, number, numbers
from analysis.statistics.histogram import QUANTILES, quantiles
from analysis.statistics.plan import Plan
from analysis.statistics.registry import STATISTICS
from analysis.statistics.top_tokens import TopTokensSummary
from store.vocabulary import DETAILS, Statement

SPARK_BARS = 24
_TABLE_TOKENS = 6

_MISSING: dict[str, Statement] = {each.name: {"code": each.missing} for each in STATISTICS if each.missing}
# of these, latents without detail have none, and need no reason each
_DETAIL_MISSING: dict[str, Statement] = {each.name: {"code": each.missing} for each in follow.STATISTICS}
# columns that are a part of a statistic of another name
_MISSING |= dict.fromkeys(("density_low", "density_high"), _MISSING["density"])


def latent_rows(
    columns: dict[str, Tensor], histogram: tuple[Tensor, Tensor], tokens: TopTokensSummary, plan: Plan, words: list[str]
) -> Iterator[Row]:
    """N rows, without `analysis_id`, made some thousand at a time. A value that is not there becomes None, with its
    reason.

    Args:
        columns: what every accumulator and the weights say, [N] each.
        histogram: counts [N, bins], with a bin for every edge pair, and the edges.
        tokens: the few that a table shows.
        words: of the vocabulary.
    """
    counts, edges = histogram
    detail, used = _detail(plan, len(counts)), occupied(counts)
    for some in blocks(len(counts)):
        few = {name: column[some] for name, column in columns.items()}
        values = {name: _plain(column) for name, column in few.items()} | {
            "index": range(some.start, some.stop),
            "detail": detail[some],
            "quantiles": _quantiles(counts[some], edges, few["max"]),
            "spark": sparks(counts[some], used),
            "top_tokens": _few_tokens(tokens.by_mean.token[some], tokens.by_mass.token[some], words),
        }
        for row in zip(*values.values(), strict=True):
            made = dict(zip(values, row, strict=True))
            known = _MISSING if made["detail"] is None else _MISSING | _DETAIL_MISSING
            missing = {name: why for name, why in known.items() if name in made and made[name] is None}
            yield made | {"reasons": missing}


def _plain(column: Tensor) -> list[Any]:
    """Floats rounded, None where not finite; indices, None where negative; booleans."""
    if column.is_floating_point():
        return numbers(column)
    return column.tolist() if column.dtype == torch.bool else [each if each >= 0 else None for each in column.tolist()]


def occupied(counts: Tensor) -> slice:
    """The bins of all latents together, from the first that is not empty to the last."""
    used = torch.nonzero(counts.sum(0)).flatten()
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)


def sparks(counts: Tensor, used: slice) -> list[list[int]]:
    """Each latent's histogram as 24 heights from 0 (none) to 9, on a log scale of counts.

    All latents of an SAE share the axis, its bins in use, so that sparklines in a column can be compared.
    """
    narrow = counts[:, used]
    if not narrow.shape[1]:
        return [[0] * SPARK_BARS for _ in range(len(counts))]
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


def _few_tokens(by_mean: Tensor, by_mass: Tensor, words: list[str]) -> list[list[str]]:
    """The first by mean; by mass for a latent whose types all occur too rarely to have a mean."""
    ranked = zip(by_mean.tolist(), by_mass.tolist(), strict=True)
    chosen = (mean if mean[0] >= 0 else mass for mean, mass in ranked)
    return [[words[token] for token in row[:_TABLE_TOKENS] if token >= 0] for row in chosen]


def _quantiles(counts: Tensor, edges: Tensor, largest: Tensor) -> list[dict[str, float | None] | None]:
    names = [str(share) for share in QUANTILES]
    # interpolated in its bin, a quantile may come out beyond the largest activation: it cannot be
    rows = torch.minimum(quantiles(counts, edges), largest.abs()[:, None]).tolist()
    return [dict(zip(names, map(number, row), strict=True)) if row[0] == row[0] else None for row in rows]
