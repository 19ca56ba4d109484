"""Norm: how much of the activation the length of the residual vector predicts beyond the word."""

from __future__ import annotations

from typing import ClassVar

from app.classes.score import Colour
from app.classes.shares import ShareView, sentences_of
from app.shared.statements import Sentences

FOUND = "The length of the residual vector predicts {share:.0%} of it beyond the word"


class Norm(ShareView):
    """How it is shown."""

    name, title, letter, order = "norm", "norm", "L", 90
    followed = "the length of the residual vector"
    colour = Colour("#e0463f", "#fb9582")
    sentences: ClassVar[Sentences] = {
        **sentences_of("The length of the residual vector", "predicts", " beyond the word"),
        "holds": f"{FOUND}, and {{over_norm:.0%}} of it divided by that length; chance gives {{chance:.0%}}.",
        "besides": f"{FOUND}, but {{over_norm:.0%}} of it divided by that length: it grows as everything does.",
    }


VIEW = Norm()
