"""Word: how much of the activation the present word predicts."""

from __future__ import annotations

from typing import ClassVar

from app.classes.score import Colour
from app.classes.shares import ShareView, apart
from app.shared.language import N_
from app.shared.statements import Sentences


class Word(ShareView):
    """How it is shown."""

    name, title, letter, order = "word", N_("word"), "W", 70
    followed = N_("the present word")
    colour = Colour("#2b45d8", "#4077c1")
    sentences: ClassVar[Sentences] = {
        "common": N_("The word predicts {share:.0%} of it, but of random directions, too: up to {chance:.0%} here."),
        "wide": N_(
            "The word predicts {share:.0%} of it, but by few documents: the interval reaches down to what random"
            " directions have."
        ),
        "apart": apart(N_("The word predicts {much} of it.")),
        "vocabulary": N_(
            "The word predicts {share:.0%} of it, as a direction of the vocabulary ({embedding:.0%} by the embedding);"
            " random directions reach {chance:.0%}."
        ),
        "list": N_(
            "The word predicts {share:.0%} of it, as a list of words ({embedding:.0%} by the embedding); random"
            " directions reach {chance:.0%}."
        ),
    }


VIEW = Word()
