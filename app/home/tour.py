"""Five steps for a first visit: each a question, an answer in a sentence, and the page that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.home.featured import MIRRORS, NEEDED, PAST, WORD, Featured
from app.runs.queries import RunInfo
from app.shared.numbers import count


class Step(NamedTuple):
    """One question."""

    title: str
    words: str
    href: str
    link: str


def tour(run: RunInfo, featured: Sequence[Featured]) -> list[Step]:
    """The steps; a kind of latent that this run has not leads to the list instead."""
    pair, follows, needed = (_first(featured, *kinds) for kinds in ((MIRRORS,), (WORD, PAST), (NEEDED,)))
    return [
        Step(
            "What is dense?",
            f"A latent that is on for far more tokens than a sparse code should need; here {count(run.n_dense)} are.",
            "/latents",
            "see them all",
        ),
        Step(
            "What is a mirror pair?",
            "Two latents that point opposite ways: together one signed signal.",
            pair.href if pair else "/latents?sort=antipodality",
            pair.name if pair else "the nearest to one",
        ),
        Step(
            "What does it follow?",
            "The word, its place, a slow state of the text: how much of it each predicts, beside random directions.",
            f"{follows.href}#follows" if follows else "/layers",
            follows.name if follows else "layer by layer",
        ),
        Step(
            "Is it needed?",
            "Take it out, and see what the model loses; then take out as much in another direction.",
            f"{needed.href}#effects" if needed else "/experiments",
            f"without {needed.name}" if needed else "what was tried",
        ),
        Step(
            "What do we do?",
            "Keep, investigate or prune: the rule says one, you may say another, and the page keeps both.",
            "/report",
            "the report on one page",
        ),
    ]


def _first(featured: Sequence[Featured], *kinds: str) -> Featured | None:
    return next((one for one in featured if one.kind in kinds), None)
