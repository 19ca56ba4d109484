"""Few columns that each signal has for itself, fitted by least squares, one column more each time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from analysis.decomposition.folds import sums

_LEAST = 1e-6  # of the columns' mean square: a column of zeros gets the weight 0


def nested(columns: list[Tensor], signals: Tensor, sizes: list[int]) -> list[Tensor]:
    """What the first column, the first two, ... say of the signals, each fold fitted on the others.

    Args:
        columns: k of [n, q]. signals: [n, q], tokens fold by fold.
        sizes: tokens of each fold.

    Returns:
        k of [n, q].
    """
    k = len(columns)
    inner = torch.stack([torch.stack([sums(one * other, sizes) for other in columns], -1) for one in columns], -1)
    outer = torch.stack([sums(one * signals, sizes) for one in columns], -1)
    inner, outer = inner.double().sum(0) - inner, outer.double().sum(0) - outer  # [f, q, k, k], [f, q, k]
    floor = _LEAST * inner.diagonal(dim1=-2, dim2=-1).mean(-1).clamp(min=1e-9)
    inner = inner + floor[..., None, None] * torch.eye(k, dtype=torch.float64)
    found = []
    for used in range(1, k + 1):
        weight = torch.linalg.solve(inner[..., :used, :used], outer[..., :used, None])[..., 0].float()
        found.append(torch.cat(list(_applied(columns[:used], weight, sizes))))
    return found


def _applied(columns: list[Tensor], weight: Tensor, sizes: list[int]) -> Iterator[Tensor]:
    parts = zip(*(torch.split(column, sizes) for column in columns), strict=True)
    for some, one in zip(parts, weight, strict=True):
        yield torch.stack([part * one[:, place] for place, part in enumerate(some)]).sum(0)
