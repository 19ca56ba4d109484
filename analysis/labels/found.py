"""What one column says of all signals, before the correction for their number."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from store.vocabulary import Statement

MOST_MEANS = 12  # groups of a category whose means are kept
CONSTANT: Statement = {"code": "constant"}


class Found(NamedTuple):
    """[m] float64 each, of m signals; NaN where there is none."""

    effect: Tensor
    low: Tensor
    high: Tensor
    conditional: Tensor
    conditional_low: Tensor
    conditional_high: Tensor
    held_out: Tensor
    p: Tensor
    chance: float
    means: list[list[dict[str, Any]]]  # of each signal, the groups of the label
    adjusted: list[dict[str, Any]] | None  # of each signal; None where no label goes with this one
    reason: Statement = CONSTANT  # why a p is NaN


def unmeasured(signals: int, reason: Statement) -> Found:
    """Nothing, of so many signals, and why."""
    nan = torch.full((signals,), torch.nan, dtype=torch.float64)
    return Found(nan, nan, nan, nan, nan, nan, nan, nan, torch.nan, [[]] * signals, None, reason)


def mean_rows(
    names: list[str], sizes: list[int], mean: list[float], low: list[float], high: list[float]
) -> list[dict[str, Any]]:
    """The groups of a label for a plot, as `Association.data` has them; the first 12."""
    rows = list(zip(names, mean, low, high, sizes, strict=True))[:MOST_MEANS]
    return [
        {"value": value, "mean": round(middle, 4), "low": round(start, 4), "high": round(end, 4), "documents": size}
        for value, middle, start, end, size in rows
    ]
