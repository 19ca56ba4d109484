"""Norm: how much of the activation the length of the residual vector predicts beyond the word."""

from __future__ import annotations

from typing import ClassVar

from app.classes.score import Colour
from app.classes.shares import ShareView, apart
from app.shared.language import N_
from app.shared.statements import Sentences


class Norm(ShareView):
    """How it is shown."""

    name, title, letter, order = "norm", N_("norm"), "L", 90
    followed = N_("the length of the residual vector")
    colour = Colour("#e0463f", "#fb9582")
    sentences: ClassVar[Sentences] = {
        "common": N_(
            "The length of the residual vector predicts {share:.0%} of it beyond the word, but of random directions,"
            " too: up to {chance:.0%} here."
        ),
        "wide": N_(
            "The length of the residual vector predicts {share:.0%} of it beyond the word, but by few documents: the"
            " interval reaches down to what random directions have."
        ),
        "apart": apart(N_("The length of the residual vector predicts {much} of it beyond the word.")),
        "holds": N_(
            "The length of the residual vector predicts {share:.0%} of it beyond the word, and {over_norm:.0%} of it"
            " divided by that length; chance gives {chance:.0%}."
        ),
        "besides": N_(
            "The length of the residual vector predicts {share:.0%} of it beyond the word, but {over_norm:.0%} of it"
            " divided by that length: it grows as everything does."
        ),
    }


VIEW = Norm()
