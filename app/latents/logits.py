"""The logit weights of a latent as its page shows them: heights, ends, and a sentence beside chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.latents.profiles import LogitWeights
from app.shared.language import _
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
        what = _("It acts on a few tokens more than a random direction does")
    elif found.kurtosis < low:
        what = _("It acts on all tokens more evenly than a random direction does")
    else:
        what = _("It acts on the vocabulary as evenly as a random direction does")
    return _(
        "%(what)s: over %(tokens)s tokens kurtosis %(kurtosis)s (random %(high)s), skewness %(skewness)s"
        " (random %(skewness2)s).",
        what=what,
        tokens=count(found.tokens),
        kurtosis=fixed(found.kurtosis),
        high=_ends(low, high),
        skewness=signed(found.skewness),
        skewness2=_ends(*found.chance["skewness"]),
    )


def _ends(low: float, high: float) -> str:
    return f"{fixed(low)} to {fixed(high)}"
