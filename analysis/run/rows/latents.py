"""One row per latent: scalars, why some are missing, and what a table shows of the rest."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.run.pilot import Plan
from analysis.run.rows.plain import Row, number, numbers
from analysis.statistics.density import DensitySummary
from analysis.statistics.geometry import Partners
from analysis.statistics.histogram import QUANTILES, quantiles
from analysis.statistics.moments import MomentsSummary
from analysis.statistics.top_tokens import TopTokensSummary
from store.vocabulary import DETAILS

SPARK_BARS = 24
_TABLE_TOKENS = 6

_REASONS = {
    "density_low": "the text read lies in fewer than two of the 64 document groups, so no interval can be given",
    "mean": "never fired on an ordinary token of this text",
    "skewness": "fired too rarely, or always with the same activation",
    "max": "never fired on this text",
    "mass_share": "no latent of this SAE fired on this text",
    "antipodality": "needs an encoder and a decoder direction, and another latent",
    "cos_bias": "the SAE has no decoder bias, or it is zero",
    "quantiles": "never fired on this text",
}
_SAME = {"density_high": "density_low", "std": "mean", "cos_enc": "antipodality", "cos_dec": "antipodality",
         "partner": "antipodality"}  # fmt: skip


class Scalars(NamedTuple):
    """What the summaries of one SAE give for its N latents."""

    density: DensitySummary
    moments: MomentsSummary
    geometry: Partners
    cos_bias: Tensor
    decoder_norm: Tensor
    counts: Tensor  # [N, bins], with a bin for every edge pair
    edges: Tensor
    tokens: TopTokensSummary


def latent_rows(s: Scalars, plan: Plan, threshold: float, words: list[str]) -> list[Row]:
    """N rows, without `analysis_id`. A value that is not finite becomes None, with its reason."""
    total = s.moments.mass.sum()
    columns = {
        "density": numbers(s.density.density),
        "density_low": numbers(s.density.low),
        "density_high": numbers(s.density.high),
        "is_dense": (s.density.density > threshold).tolist(),
        "borderline": ((s.density.low < threshold) & (threshold < s.density.high)).tolist(),
        "detail": _detail(plan, len(s.density.density)),
        "mean": numbers(s.moments.mean),
        "std": numbers(s.moments.std),
        "skewness": numbers(s.moments.skewness),
        "max": numbers(s.moments.max),
        "mass_share": numbers(s.moments.mass / torch.where(total > 0, total, torch.nan)),
        "antipodality": numbers(s.geometry.score),
        "cos_enc": numbers(s.geometry.cos_enc),
        "cos_dec": numbers(s.geometry.cos_dec),
        "partner": _index(s.geometry.partner),
        "mutual": s.geometry.mutual.tolist(),
        "is_pair": s.geometry.is_pair.tolist(),
        "duplicate_of": _index(s.geometry.duplicate_of),
        "cos_bias": numbers(s.cos_bias),
        "decoder_norm": numbers(s.decoder_norm),
        "quantiles": _quantiles(s.counts, s.edges, s.moments.max),
        "spark": sparks(s.counts),
        "top_tokens": _few_tokens(s.tokens, words),
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for index, row in enumerate(rows):
        row["index"] = index
        row["reasons"] = {name: _REASONS[_SAME.get(name, name)] for name in (*_REASONS, *_SAME) if row[name] is None}
    return rows


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


def _index(values: Tensor) -> list[int | None]:
    return [value if value >= 0 else None for value in values.tolist()]


def _quantiles(counts: Tensor, edges: Tensor, largest: Tensor) -> list[dict[str, float | None] | None]:
    names = [str(share) for share in QUANTILES]
    # interpolated in its bin, a quantile may come out beyond the largest activation: it cannot be
    rows = torch.minimum(quantiles(counts, edges), largest.abs()[:, None]).tolist()
    return [dict(zip(names, map(number, row), strict=True)) if row[0] == row[0] else None for row in rows]
