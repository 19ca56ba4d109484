"""What the classes word, slow state and norm have in common: a share of the variance that something predicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from analysis.classes.base import Evidence, Finding, beats, rounded, unmeasured
from analysis.decomposition.decompose import OWN, SOURCES, Decomposition, Shares
from analysis.decomposition.follow import FIRING, Followed
from store.vocabulary import NO, YES

HOLDS, BESIDES, WIDE, COMMON, APART = "holds", "besides", "wide", "common", "apart"
"""What is found of a latent: the class; the share suffices, and what else is asked does not hold; its interval over
documents reaches down to the median of random directions; random directions reach as much; the share is small."""
More = Callable[[Followed, int], dict[str, float | str]]
"""Further numbers of a latent, by its place, for the sentence; with a `code` in place of `holds`."""


def share_of(found: Decomposition, sources: Sequence[str]) -> Shares:
    """[q] float64: what one source, or the signal's own values (`OWN`), add to those before them."""
    if tuple(sources) == OWN:
        return found.own
    (name,) = sources
    return Shares(*(part[SOURCES.index(name)] for part in found.added))


def judged(
    evidence: Evidence,
    sources: Sequence[str],
    cut: float,
    more: More,
    besides: Callable[[Followed, int], bool] = lambda _followed, _place: True,
) -> list[Finding]:
    """One finding for each latent: the share reaches the cut and exceeds what random directions reach, and its interval
    over documents lies above their median.

    Args:
        sources: one, or `OWN`.
        besides: what else must be true, of a latent by its place.
    """
    few, followed = evidence.too_few_documents(), evidence.followed
    if few is not None or followed is None:
        return unmeasured(few or {"code": "not_divided"}, evidence.count)
    shares, random = share_of(followed.latents, sources), share_of(followed.random, sources).share
    chance, typical = evidence.level(random.clamp(min=0)), float(random.nanmedian())
    found = []
    for place, (share, low, high) in enumerate(zip(*(part.tolist() for part in shares), strict=True)):
        if math.isnan(share):
            found += unmeasured({"code": "seldom", "needed": FIRING}, 1)
            continue
        code = _code(share, low, cut, chance, typical)
        if code == HOLDS and not besides(followed, place):
            code = BESIDES
        told = {"share": share, "chance": chance, **more(followed, place)}
        statement = {"code": code, **{name: rounded(value) for name, value in told.items() if name != "code"}}
        if code == HOLDS and "code" in told:
            statement["code"] = told["code"]
        data = {
            "sources": [{"name": name, "share": _interval(followed.latents, name, place)} for name in sources],
            "low": rounded(low),
            "high": rounded(high),
            "random": rounded(typical),
        }
        label = YES if code == HOLDS else NO
        found.append(Finding(label, statement, score=share, cut=cut, chance=chance, data=data))
    return found


def _code(share: float, low: float, cut: float, chance: float, typical: float) -> str:
    if share < cut:
        return APART
    if not beats(share, cut, chance):
        return COMMON
    return HOLDS if low > max(0.0, typical) else WIDE


def _interval(found: Decomposition, source: str, place: int) -> list[float | None]:
    return [rounded(float(part[SOURCES.index(source), place])) for part in found.added]
