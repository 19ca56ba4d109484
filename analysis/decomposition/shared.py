"""What sources say together: averages over the orders in which they are added, and sources that cannot be told apart.

Both are made of the sources' own predictions, each out of fold: of some of them, as much as a weighted sum of
theirs predicts.
"""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement
from math import factorial
from typing import NamedTuple

import torch
from torch import Tensor

GROUPS = ((0,), (1,), (2, 3), (4,), (5, 6, 7))
"""Places of the sources that are added as one: word, previous, position and shape, norm, the signal's own values."""
LARGE = 0.05  # share of variance of a source alone, from which on it can be one of two that cannot be told apart
NOTHING = 0.2  # of the smaller one's share: so little do both say more than either
_FLOOR = 1e-6


class Together(NamedTuple):
    """Of q signals, s sources, g groups."""

    average: Tensor  # [g, q] float64: of what a group adds, over all orders of the groups (Shapley)
    alike: Tensor  # [s, s, q] bool: both say much, and either nothing beyond the other


def together(signals: Tensor, predictions: list[Tensor]) -> Together:
    """Of what each of s sources says of the signals [n, q]."""
    products = _products([*predictions, signals])
    value = {some: _explained(products, some) for some in _subsets(len(GROUPS))}
    return Together(_average(value), _alike(products, len(predictions)))


def _products(columns: list[Tensor]) -> Tensor:
    """[q, s + 1, s + 1] float64: inner products, of the signal with itself last; 1 for that of a signal."""
    count = len(columns)
    found = torch.empty(columns[0].shape[1], count, count, dtype=torch.float64)
    for one, other in combinations_with_replacement(range(count), 2):
        found[:, one, other] = found[:, other, one] = (columns[one] * columns[other]).sum(0).double()
    return found / found[:, -1:, -1:].clamp(min=1e-30)


def _subsets(count: int) -> list[tuple[int, ...]]:
    return [some for size in range(count + 1) for some in combinations(range(count), size)]


def _explained(products: Tensor, groups: tuple[int, ...]) -> Tensor:
    """[q]: share of the variance that a weighted sum of the predictions of some groups says."""
    return _of_sources(products, tuple(place for group in groups for place in GROUPS[group]))


def _of_sources(products: Tensor, places: tuple[int, ...]) -> Tensor:
    if not places:
        return torch.zeros(len(products), dtype=torch.float64)
    some = torch.tensor(places)
    inner = products[:, some][:, :, some] + _FLOOR * torch.eye(len(some), dtype=torch.float64)
    outer = products[:, some, -1]
    explained: Tensor = (outer * torch.linalg.solve(inner, outer[..., None])[..., 0]).sum(1)
    return explained


def _average(value: dict[tuple[int, ...], Tensor]) -> Tensor:
    count = len(GROUPS)
    found = []
    for group in range(count):
        gain = torch.zeros_like(value[()])
        for some in value:
            if group not in some:
                share = factorial(len(some)) * factorial(count - len(some) - 1) / factorial(count)
                gain += share * (value[tuple(sorted((*some, group)))] - value[some])
        found.append(gain)
    return torch.stack(found)


def _alike(products: Tensor, count: int) -> Tensor:
    single = torch.stack([_of_sources(products, (place,)) for place in range(count)])
    found = torch.zeros(count, count, len(products), dtype=torch.bool)
    for one, other in combinations(range(count), 2):
        least = torch.minimum(single[one], single[other])  # beyond which the other must add nothing, too
        more = _of_sources(products, (one, other)) - least
        found[one, other] = found[other, one] = (least >= LARGE) & (more <= NOTHING * least)
    return found
