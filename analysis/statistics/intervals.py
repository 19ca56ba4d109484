"""95 % intervals: Student's t, Wilson's, and the jackknife and the bootstrap over groups of documents."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

RESAMPLES = 2000


@cache
def t95(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t."""
    from scipy import special  # all of scipy.stats takes a second to load

    return float(special.stdtrit(freedom, 0.975))


def wilson(hits: int, tries: int) -> tuple[float, float]:
    """Interval of a share; all there is where nothing was tried."""
    if not tries:
        return 0.0, 1.0
    from scipy import stats

    found = stats.binomtest(hits, tries).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def bootstrap_weights(groups: int, seed: int) -> Tensor:
    """[2000, groups] float64: how often each group is in a sample of as many, drawn anew with replacement."""
    drawn = torch.randint(groups, (RESAMPLES, groups), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.one_hot(drawn, groups).sum(1).double()


def percentiles(resampled: Tensor) -> Tensor:
    """[2, ...]: the 2.5 and 97.5 % quantiles over the first dimension, float64."""
    edges = torch.tensor([0.025, 0.975], dtype=torch.float64, device=resampled.device)
    return torch.quantile(resampled, edges, dim=0)


def jackknife_ratio(above: Tensor, below: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ratio of sums over groups with a 95 % interval from leaving out each group once.

    Args:
        above, below: [groups, ...] float64; groups with `below` = 0 are left out.

    Returns:
        ratio, low, high, each [...]; NaN where the denominator is 0, bounds NaN below two groups.
    """
    total_above, total_below = above.sum(0), below.sum(0)
    ratio = total_above / total_below
    used = below > 0
    groups = used.sum(0)
    left_out = (total_above - above) / (total_below - below)
    spread = torch.where(used, left_out - ratio, torch.zeros_like(left_out)).square().sum(0)
    count = groups.double()
    error = ((count - 1) / count * spread).sqrt()
    quantile = torch.tensor([math.nan, math.nan] + [t95(n - 1) for n in range(2, len(above) + 1)], device=above.device)
    half = quantile.double()[groups] * error
    return ratio, ratio - half, ratio + half
