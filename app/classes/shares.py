"""Classes that are a share of variance: how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from app.classes.score import ClassView, ScoreInfo
from app.shared.followed import SOURCES
from app.shared.numbers import percent, span
from app.shared.numbers import share as share_of_variance
from app.shared.statements import Sentences, filled
from app.shared.stored import items, one
from store.vocabulary import Statement

LEAST = 0.005
"""Share of variance, below which it is none."""


def sentences_of(what: str, verb: str, beyond: str = "") -> Sentences:
    """What is said where the class does not hold.

    Args:
        what: predicts the activation, at the beginning of a sentence. verb: predicts, or predict.
        beyond: which else it predicts more than, with a space before.
    """
    found = f"{what} {verb} {{share:.0%}} of it{beyond}"
    return {
        "common": f"{found}, but of random directions, too: up to {{chance:.0%}} here.",
        "wide": f"{found}, but by few documents: the interval reaches down to what random directions have.",
        "apart": lambda held: filled(f"{what} {verb} {{much}} of it{beyond}.", {**held, "much": _much(held)}),
    }


def _much(held: Statement) -> str:
    share = one(held, "share") or 0.0
    return share_of_variance(share) if share >= LEAST else "nothing"


class ShareView(ClassView):
    """A class whose score is what something predicts of the activation."""

    followed: ClassVar[str]
    """What a latent of this class follows."""
    of_text = True
    head: ClassVar[tuple[str, ...]] = ("source", "adds", "95 % interval")

    def phrase(self, score: ScoreInfo) -> str:
        """What it follows, and how much of it that is."""
        return f"follows {self.followed}, by {percent(score.score)} of its variance"

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """The share of variance, and that it is one."""
        return share_of_variance(score.score), "of the variance"

    def number(self, score: ScoreInfo, value: float) -> str:
        """A share."""
        return percent(value)

    def rows(self, score: ScoreInfo) -> Sequence[tuple[str, ...]]:
        """Each source with what it adds to those before it, over groups of documents."""
        rows = [_row(item.get("name"), item.get("share")) for item in items(score.data, "sources")]
        if len(rows) > 1:
            rows.append(
                ("together", percent(score.score), span(one(score.data, "low"), one(score.data, "high"), percent))
            )
        return rows


def _row(name: object, share: object) -> tuple[str, ...]:
    known = share if isinstance(share, list) and len(share) == 3 else [None] * 3
    return SOURCES.get(str(name), str(name)), percent(known[0]), span(known[1], known[2], percent)
