"""Slow state: how much of the activation its own values elsewhere in the text predict, and for how long."""

from __future__ import annotations

from typing import ClassVar

from app.classes.score import Colour
from app.classes.shares import ShareView, apart
from app.shared.followed import LONGEST
from app.shared.language import N_
from app.shared.statements import Sentences, filled
from app.shared.stored import one
from store.vocabulary import Statement


def _lasts(held: Statement) -> str:
    tokens = one(held, "half_life") or 0
    if tokens >= LONGEST:
        sentence = N_(
            "Its own values elsewhere in the text predict {share:.0%} of it beyond the present word; half of the state"
            " is left after {longest} tokens or more. Random directions reach {chance:.0%}."
        )
    else:
        sentence = N_(
            "Its own values elsewhere in the text predict {share:.0%} of it beyond the present word; half of the state"
            " is left after about {half_life:.0f} tokens. Random directions reach {chance:.0%}."
        )
    return filled(sentence, {**held, "longest": LONGEST})


class SlowState(ShareView):
    """How it is shown."""

    name, title, letter, order = "slow_state", N_("slow state"), "S", 80
    followed = N_("a slow state of the text")
    colour = Colour("#5c1f12", "#8f7a47")
    sentences: ClassVar[Sentences] = {
        "common": N_(
            "Its own values elsewhere in the text predict {share:.0%} of it beyond the present word, but of random"
            " directions, too: up to {chance:.0%} here."
        ),
        "wide": N_(
            "Its own values elsewhere in the text predict {share:.0%} of it beyond the present word, but by few"
            " documents: the interval reaches down to what random directions have."
        ),
        "apart": apart(N_("Its own values elsewhere in the text predict {much} of it beyond the present word.")),
        "holds": _lasts,
    }


VIEW = SlowState()
