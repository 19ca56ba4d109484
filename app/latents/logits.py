"""The logit weights of a latent as its page shows them: heights, ends, and a sentence beside chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.latents.profiles import LogitWeights
from app.shared.numbers import count, fixed, signed

TOP = 40
"""Height of the tallest bar."""


@dataclass(frozen=True)
class LogitCard:
    """A histogram with its words."""

    heights: list[int]
    """0 to `TOP`, by the logarithm of the counts."""
    top: int
    low: str
    high: str
    zero: float
    """Where 0 lies between the two, in per cent."""
    words: str


def logit_card(found: LogitWeights) -> LogitCard:
    """Of a latent with detail."""
    most = math.log1p(max(found.counts))
    heights = [math.ceil(TOP * math.log1p(each) / most) for each in found.counts]
    zero = 100 * max(0.0, min(1.0, -found.low / ((found.high - found.low) or 1.0)))
    return LogitCard(heights, TOP, signed(found.low), signed(found.high), round(zero, 1), _words(found))


def _words(found: LogitWeights) -> str:
    low, high = found.chance["kurtosis"]
    if found.kurtosis > high:
        what = "It acts on a few tokens more than a random direction does"
    elif found.kurtosis < low:
        what = "It acts on all tokens more evenly than a random direction does"
    else:
        what = "It acts on the vocabulary as evenly as a random direction does"
    return (
        f"{what}: over {count(found.tokens)} tokens kurtosis {fixed(found.kurtosis)} (random {_ends(low, high)}),"
        f" skewness {signed(found.skewness)} (random {_ends(*found.chance['skewness'])})."
    )


def _ends(low: float, high: float) -> str:
    return f"{fixed(low)} to {fixed(high)}"
