"""Slow state: how much of the activation its own values elsewhere in the text predict, and for how long."""

from __future__ import annotations

from typing import ClassVar

from app.classes.score import Colour
from app.classes.shares import ShareView, sentences_of
from app.shared.followed import LONGEST
from app.shared.statements import Sentences, filled
from app.shared.stored import one
from store.vocabulary import Statement


def _lasts(held: Statement) -> str:
    tokens = one(held, "half_life") or 0
    after = f"{LONGEST} tokens or more" if tokens >= LONGEST else "about {half_life:.0f} tokens"
    return filled(
        "Its own values elsewhere in the text predict {share:.0%} of it beyond the present word; half of the state is"
        f" left after {after}. Random directions reach {{chance:.0%}}.",
        held,
    )


class SlowState(ShareView):
    """How it is shown."""

    name, title, letter, order = "slow_state", "slow state", "S", 80
    followed = "a slow state of the text"
    colour = Colour("#5c1f12", "#8f7a47")
    sentences: ClassVar[Sentences] = {
        **sentences_of("Its own values elsewhere in the text", "predict", " beyond the present word"),
        "holds": _lasts,
    }


VIEW = SlowState()
