"""Word: how much of the activation the present word predicts."""

from __future__ import annotations

from typing import ClassVar

from app.classes.score import Colour
from app.classes.shares import ShareView, sentences_of
from app.shared.statements import Sentences

CHANCE = "random directions reach {chance:.0%}"


class Word(ShareView):
    """How it is shown."""

    name, title, letter, order = "word", "word", "W", 70
    followed = "the present word"
    colour = Colour("#2b45d8", "#4077c1")
    sentences: ClassVar[Sentences] = {
        **sentences_of("The word", "predicts"),
        "vocabulary": (
            "The word predicts {share:.0%} of it, as a direction of the vocabulary ({embedding:.0%} by the embedding);"
            f" {CHANCE}."
        ),
        "list": (
            f"The word predicts {{share:.0%}} of it, as a list of words ({{embedding:.0%}} by the embedding); {CHANCE}."
        ),
    }


VIEW = Word()
