"""A row of a list at a glance: what the latent does in one line, and its activations as a small signed histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.classes import page as classes
from app.classes.score import ScoreInfo
from app.labels.queries import MEASURES, Followed
from app.latents.columns import Shown
from app.shared.numbers import THIN, fixed
from app.shared.stored import one
from store.vocabulary import PARTLY, REST, UNEXPLAINED

STEP, BAR, TALLEST = 2, 1.6, 9
"""Of a bar of the small histogram: how far the next is, its width, and the tallest one's height."""
BARS = 24
MIDDLE = STEP * BARS + 1
"""Where zero is, between the two ends of an axis."""
BOTH_SIGNS = {"units", "abstopk"}
"""Kinds of SAE whose activations may be negative: their axis is one already."""


@dataclass(frozen=True)
class Histogram:
    """Paths of bars, log counts on the SAE's own axis."""

    right: str
    """Of the positive end, or of what has no other end."""
    left: str
    """Of the negative end; empty without one."""
    own: str
    """Which of them is the latent's own: p, n, or z where it is one end of nothing."""


def histogram(shown: Shown, kind: str) -> Histogram | None:
    """A latent's, with its mirror image's to the other side; None where it is never on.

    Args:
        kind: of its SAE.
    """
    spark, other = shown.latent.spark, shown.mirror
    if not any(spark):
        return None
    if other is None:
        return Histogram(_bars(spark, 2 * STEP if kind in BOTH_SIGNS else STEP, kind in BOTH_SIGNS), "", "z")
    positive = (shown.latent.density, other.index) > (other.density, shown.latent.index)
    right, left = (spark, other.spark) if positive else (other.spark, spark)
    return Histogram(_bars(right, STEP), _bars(left, -STEP), "p" if positive else "n")


def _bars(heights: Sequence[int], step: int, whole: bool = False) -> str:
    """From zero to the right, to the left where the step is negative, or over the whole width."""
    wide = BAR * abs(step) / STEP
    first = 0.0 if whole else MIDDLE + 1 if step > 0 else MIDDLE - 1 - BAR
    places = enumerate(heights[:BARS])
    return "".join(f"M{first + step * at:g} {TALLEST}v-{height}h{wide:g}v{height}z" for at, height in places if height)


def does(held: Sequence[ScoreInfo]) -> str:
    """What a latent of text does, by its first class; else how much of it anything predicts. Empty where nothing was
    looked for."""
    named = {score.name: score for score in held}
    first = next((score for score in held if score.name not in REST), None)
    if first is not None:
        return classes.short_phrase(first)
    rest = named.get(PARTLY) or named.get(UNEXPLAINED)
    if rest is None:
        return ""
    share, random = one(rest.statement, "share"), one(rest.statement, "random")
    if share is None or random is None:
        return "Nothing that was looked for explains it."
    return f"No class; {_whole(share)} of its variance is predicted (of random directions {_whole(random)})."


def _whole(share: float) -> str:
    return f"{100 * max(0.0, share):.0f}{THIN}%"


def goes_with(followed: Followed) -> str:
    """A label's measure and effect: "AUC 0.93"."""
    if followed.effect is None:
        return ""
    plus = "+" if followed.measure == "spearman" and followed.effect > 0 else ""
    return f"{MEASURES.get(followed.measure, followed.measure)} {plus}{fixed(followed.effect)}"
