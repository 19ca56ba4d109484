"""How far a score goes by chance: an upper quantile beyond the largest of the values that were tried.

The largest of r random directions lets one in r + 1 further ones pass, and a run tries hundreds of latents. So the tail
is fitted: a generalised Pareto distribution over the highest eighth, by probability-weighted moments (Hosking and
Wallis 1987), never heavier than exponential, since the scores are bounded.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FAMILY = 0.05  # chance that any of the latents of an SAE exceeds the level, if all were random directions
_LEAST = 40  # values, below which the largest of them is all that can be said
_SHARE = 8


def chance_level(values: Tensor, tests: int) -> float:
    """What |value| no more than 5 % of `tests` random directions together exceed; NaN where there is no number.

    Args:
        values: [r], of random directions.
        tests: latents that are compared with the level.
    """
    return upper_end(values, FAMILY / max(1, tests))


def upper_end(values: Tensor, beyond: float) -> float:
    """The larger of the largest |value| and the one that a share `beyond` exceeds, by the fitted tail."""
    known = values[~values.isnan()].double().abs().sort().values
    if not len(known):
        return math.nan
    most = float(known[-1])
    if len(known) < _LEAST:
        return most
    top = max(_LEAST // 4, len(known) // _SHARE)
    start, over = float(known[-top - 1]), known[-top:] - known[-top - 1]
    share = beyond * len(known) / top
    mean = float(over.mean())
    if share >= 1 or mean <= 0:
        return most
    rank = torch.arange(1, top + 1, dtype=torch.float64)
    weighted = float((over * (1 - (rank - 0.35) / top)).mean())
    shape = 2 - mean / (mean - 2 * weighted) if mean > 2 * weighted else 0.0
    shape = min(0.0, max(-1.0, shape))
    scale = mean * (1 - shape)
    reach = -scale * math.log(share) if shape > -1e-6 else scale / shape * (share**-shape - 1)
    return max(most, start + reach)
