"""How far two raters agree: the share with its interval, and what is left of it once chance is taken out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.shared.numbers import NONE, count, fixed, interval, percent

Z = 1.959964
"""Of the normal distribution, for 95 %."""


@dataclass(frozen=True)
class Agreement:
    """Agreement as shown."""

    share: str
    span: str
    """Wilson's 95 % interval; empty where there is no share."""
    of: str
    """Numerator and denominator in words; or why there is no share."""
    kappa: str
    kappa_of: str
    """Its denominator in words; or why there is none."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share of `total`, which is above 0 (Wilson, 1927)."""
    share, square = hits / total, Z * Z / total
    middle = (share + square / 2) / (1 + square)
    half = Z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def kappa(pairs: Mapping[tuple[str, str], int]) -> float | None:
    """Cohen's kappa (1960) of counts by (first rater's word, second's); None unless both use two words or more.

    With one word on a side all agreement is chance's, and the measure is 0 or undefined whatever the truth.
    """
    total = sum(pairs.values())
    first, second = _margin(pairs, 0), _margin(pairs, 1)
    if len(first) < 2 or len(second) < 2:
        return None
    seen = sum(number for (one, other), number in pairs.items() if one == other) / total
    chance = sum(first[word] * second.get(word, 0) for word in first) / total**2
    return (seen - chance) / (1 - chance)


def _margin(pairs: Mapping[tuple[str, str], int], side: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for words, number in pairs.items():
        if number:
            found[words[side]] = found.get(words[side], 0) + number
    return found


def agreement(hits: int, total: int, pairs: Mapping[tuple[str, str], int], what: str, none: str) -> Agreement:
    """As shown.

    Args:
        hits: latents of which both say the same, of `total`.
        pairs: counts by (the machine's word, people's), for kappa.
        what: what the denominator counts, e.g. "latents with a verdict of both".
        none: why there is nothing to compare, where `total` is 0.
    """
    if not total:
        return Agreement(NONE, "", none, NONE, none)
    found, known = kappa(pairs), sum(pairs.values())
    least = "fewer than two different words from the machine or from people: chance cannot be told apart"
    return Agreement(
        share=percent(hits / total),
        span=interval(*wilson(hits, total)),
        of=f"{count(hits)} of {count(total)} {what}",
        kappa=fixed(found),
        kappa_of=least if found is None else f"over {count(known)} of them",
    )
