"""Constant: whether the latent is on everywhere and hardly varies."""

from __future__ import annotations

from typing import ClassVar

from app.classes.score import ClassView, Colour, ScoreInfo
from app.shared.language import N_, _
from app.shared.numbers import percent
from app.shared.statements import Sentences


class Constant(ClassView):
    """How it is shown."""

    name, title, letter, order = "constant", N_("constant"), "K", 100
    colour = Colour("#d04fe0", "#d8acf4")
    sentences: ClassVar[Sentences] = {
        "always": N_(
            "On on {density:.1%} of the tokens and hardly varies: {share:.0%} of its mean square is in its mean."
        ),
        "varies": N_(
            "On on {density:.1%} of the tokens, but it varies: {share:.0%} of its mean square is in its mean."
        ),
        "off": N_("Off on a part of the text: it fires on {density:.1%} of the tokens of the sample."),
    }

    def phrase(self, score: ScoreInfo) -> str:
        """The same of every such latent."""
        return _("is on everywhere and hardly varies, as a bias is")

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """Share of the mean square that is in the mean."""
        return percent(score.score), _("of the mean square in the mean")

    def number(self, score: ScoreInfo, value: float) -> str:
        """A share."""
        return percent(value)


VIEW = Constant()
