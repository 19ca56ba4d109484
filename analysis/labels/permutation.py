"""p-values by permutation: the labels of documents dealt out anew, or spans of tokens moved round in their documents.

Whole documents change places, never tokens: tokens of one document are anything but independent. Where a second
label is held fixed, documents change places only with those that have the same value of it.

Two stages: 999 draws for every signal; who is then above 0.03 stops, the rest go on to all draws. Being among the
few costs nothing: p <= a below 0.03 is then a subset of the same event with all draws, above of that with 999.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.statistics.ranks import midranks

FIRST, LEAST, MOST = 999, 9_999, 99_999
ENOUGH = 0.03
_BLOCK = 1_000  # draws held at once
_ROUNDING = 1e-5  # float32 sums of the same numbers in another order are ties

Null = Callable[[np.random.Generator, int, Tensor], Tensor]  # generator, draws, which signals -> [draws, signals]


def draws_for(tests: int) -> int:
    """How many: a lone smallest p, (1 + 0) / (1 + draws), must still pass Benjamini-Hochberg at 5 % over all tests."""
    return min(max(LEAST, 40 * tests - 1), MOST)


def permutation_p(observed: Tensor, null: Null, random: np.random.Generator, draws: int) -> Tensor:
    """(1 + draws at least as far from chance) / (1 + draws) [m].

    Args:
        observed: [m], how far from chance, as `null` measures it.
        null: draws of the same without any association.
        random: where they come from.
        draws: how many in the second stage; the first has 999.
    """
    every = torch.arange(len(observed))
    first = min(FIRST, draws)
    counts = _exceed(observed, null, random, first, every)
    p = (1.0 + counts) / (1.0 + first)
    small = every[p <= ENOUGH]
    if len(small) and draws > first:
        counts[small] += _exceed(observed[small], null, random, draws - first, small)
        p[small] = (1.0 + counts[small]) / (1.0 + draws)
    return p


def _exceed(observed: Tensor, null: Null, random: np.random.Generator, draws: int, which: Tensor) -> Tensor:
    counts = torch.zeros(len(which), dtype=torch.float64)
    least = observed - _ROUNDING * observed.abs() - 1e-12
    for start in range(0, draws, _BLOCK):
        counts += (null(random, min(_BLOCK, draws - start), which) >= least).sum(0)
    return counts


def rank_null(x: Tensor, y: Tensor, strata: Tensor) -> tuple[Tensor, Null]:
    """Numbers and true/false: |sum of rank of signal x label|, the label less its mean within the stratum.

    Over all documents as one stratum this orders draws as |Spearman| and |AUC - 0.5| do.

    Args:
        x: [m, D] means. y: [D], ranks of a number or 0 and 1. strata: [D] int64.

    Returns:
        Observed [m], and its null.
    """
    order = strata.argsort(stable=True)
    sizes = torch.bincount(strata).tolist()
    ranks = centred_within(midranks(x).double(), strata)[:, order]
    scale = ranks.square().sum(1, keepdim=True).sqrt().clamp(min=1e-12)
    z = (ranks / scale).float()
    label = centred_within(y.double()[None], strata)[0, order].float()

    def null(random: np.random.Generator, draws: int, which: Tensor) -> Tensor:
        return (torch.from_numpy(_dealt(random, label.numpy(), sizes, draws)) @ z[which].T).abs()

    return (z @ label).abs(), null


def group_null(x: Tensor, y: Tensor, strata: Tensor) -> tuple[Tensor, Null]:
    """Categories: the variance between groups, as eta² has it.

    Args:
        x: [m, D] means. y: [D] groups. strata: [D] int64.

    Returns:
        Observed [m], and its null.
    """
    order = strata.argsort(stable=True)
    sizes = torch.bincount(strata).tolist()
    x = centred_within(x.double(), strata)[:, order]
    z = (x / x.square().sum(1, keepdim=True).sqrt().clamp(min=1e-30)).float()
    group = torch.unique(y[order], return_inverse=True)[1]
    by_group = group.argsort(stable=True)
    counts = torch.bincount(group)
    starts = counts.cumsum(0) - counts
    places = np.arange(len(y))

    def between(of: Tensor, documents: Tensor) -> Tensor:
        """[draws, signals]; `documents` [draws, D] are those in the places of the groups, one after the other."""
        draws = len(documents)
        offsets = (torch.arange(draws)[:, None] * len(y) + starts).flatten()
        sums = torch.nn.functional.embedding_bag(documents.flatten(), of, offsets, mode="sum")
        return sums.view(draws, len(counts), -1).square_().div_(counts[:, None]).sum(1)

    def null(random: np.random.Generator, draws: int, which: Tensor) -> Tensor:
        dealt = torch.from_numpy(_dealt(random, places, sizes, draws))
        return between(z[which].T.contiguous(), dealt[:, by_group])

    return between(z.T.contiguous(), by_group[None])[0], null


def centred_within(x: Tensor, strata: Tensor) -> Tensor:
    """x [m, D] less its mean within each stratum [D]."""
    counts = torch.bincount(strata).clamp(min=1)
    sums = torch.zeros(len(x), len(counts), dtype=x.dtype).index_add_(1, strata, x)
    return x - (sums / counts)[:, strata]


def _dealt(random: np.random.Generator, values: NDArray[Any], sizes: list[int], draws: int) -> NDArray[Any]:
    """[draws, D]: the values in a new order, each within its stratum; strata stand one after the other."""
    dealt = np.tile(values, (draws, 1))
    start = 0
    for size in sizes:
        if size > 1:
            part = dealt[:, start : start + size]
            random.permuted(part, axis=1, out=part)
        start += size
    return dealt
