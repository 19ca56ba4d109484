"""Classes that are a share of variance: how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from app.classes.score import ClassView, ScoreInfo
from app.shared.followed import SOURCES
from app.shared.language import N_, _, translated
from app.shared.numbers import percent, span
from app.shared.numbers import share as share_of_variance
from app.shared.statements import Sentence, filled
from app.shared.stored import items, one
from store.vocabulary import Statement

LEAST = 0.005
"""Share of variance, below which it is none."""


def apart(sentence: str) -> Sentence:
    """What is said where hardly anything of the activation is predicted: how much stands at `{much}`."""
    return lambda held: filled(sentence, {**held, "much": _much(held)})


def _much(held: Statement) -> str:
    share = one(held, "share") or 0.0
    return share_of_variance(share) if share >= LEAST else _("nothing")


class ShareView(ClassView):
    """A class whose score is what something predicts of the activation."""

    followed: ClassVar[str]
    """What a latent of this class follows."""
    of_text = True
    head: ClassVar[tuple[str, ...]] = (N_("source"), N_("adds"), N_("95 % interval"))

    def phrase(self, score: ScoreInfo) -> str:
        """What it follows, and how much of it that is."""
        what = translated(self.followed)
        return _("follows %(what)s, by %(share)s of its variance", what=what, share=percent(score.score))

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """The share of variance, and that it is one."""
        return share_of_variance(score.score), _("of the variance")

    def number(self, score: ScoreInfo, value: float) -> str:
        """A share."""
        return percent(value)

    def rows(self, score: ScoreInfo) -> Sequence[tuple[str, ...]]:
        """Each source with what it adds to those before it, over groups of documents."""
        rows = [_row(item.get("name"), item.get("share")) for item in items(score.data, "sources")]
        if len(rows) > 1:
            rows.append(
                (_("together"), percent(score.score), span(one(score.data, "low"), one(score.data, "high"), percent))
            )
        return rows


def _row(name: object, share: object) -> tuple[str, ...]:
    known = share if isinstance(share, list) and len(share) == 3 else [None] * 3
    return SOURCES.get(str(name), str(name)), percent(known[0]), span(known[1], known[2], percent)
