"""Preferences between two texts, and how often steering turns them round."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.interventions.steer.score import Texts
from analysis.statistics.intervals import bootstrap_weights, percentiles, wilson


class Rate(NamedTuple):
    """A share of pairs of texts and its 95 % interval over documents."""

    value: float
    low: float
    high: float


class Preferences(NamedTuple):
    """How much likelier the text of the positive side is, in nats per token; [n] float64 each."""

    plus: Tensor  # pushed toward the positive side
    minus: Tensor  # toward the negative one

    @property
    def flips(self) -> Tensor:
        """[n] bool: the preference goes with the push, both ways."""
        return (self.plus > 0) & (self.minus < 0)

    @property
    def moves(self) -> Tensor:
        """[n] bool: the push moves the preference the right way, far enough to turn it or not."""
        return self.plus > self.minus

    @property
    def reversed(self) -> Preferences:
        """Of the opposite direction, which is another direction of the same length."""
        return Preferences(self.minus, self.plus)


def preferences(texts: Texts, direction: Tensor, size: float) -> Preferences:
    """Push by +- `size` along the unit vector `direction` [D].

    Args:
        texts: those of the positive side, then, in the same order, those of the negative side.
    """
    push = direction * size
    return Preferences(*(preferred(row, texts.scored) for row in texts.pushed(torch.stack([push, -push]))))


def preferred(log_probability: Tensor, length: int) -> Tensor:
    """[2n], positive texts first -> [n] nats per token."""
    positive, negative = log_probability.chunk(2)
    return (positive - negative) / length


def mean(flags: Tensor) -> float:
    """Share that is true."""
    return float(flags.double().mean())


def either_way(found: Preferences) -> float:
    """The flip rate of a direction or of its opposite, whichever is larger: both are directions of that length."""
    return max(mean(found.flips), mean(found.reversed.flips))


def rate(flips: Tensor, document: Tensor, seed: int = 0) -> Rate:
    """Share of pairs that flip, with the wider of two 95 % intervals.

    One draws documents anew (percentile bootstrap); the other is Wilson's, for as many tries as there are documents,
    since few documents that all agree leave the bootstrap without any width.

    Args:
        flips: [n] bool. document: [n] int64, of each pair.
    """
    names, place = torch.unique(document, return_inverse=True)
    hits, pairs = torch.bincount(place, weights=flips.double()), torch.bincount(place).double()
    weights = bootstrap_weights(len(names), seed)
    low, high = percentiles((weights @ hits) / (weights @ pairs)).tolist()
    share = mean(flips)
    exact = wilson(round(share * len(names)), len(names))
    return Rate(share, min(low, exact[0]), max(high, exact[1]))
