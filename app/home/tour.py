"""Five steps for a first visit: each a question, an answer in a sentence, and the page that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.home.featured import MIRRORS, NEEDED, PAST, WORD, Featured
from app.runs.queries import RunInfo
from app.shared.language import _, translated
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
            _("What is dense?"),
            _(
                "A latent that is on for far more tokens than a sparse code should need; here %(n)s are.",
                n=count(run.n_dense),
            ),
            "/latents",
            _("see them all"),
        ),
        Step(
            _("What is a mirror pair?"),
            _("Two latents that point opposite ways: together one signed signal."),
            pair.href if pair else "/latents?sort=antipodality",
            pair.name if pair else _("the nearest to one"),
        ),
        Step(
            _("What does it follow?"),
            _("The word, its place, a slow state of the text: how much of it each predicts, beside random directions."),
            f"{follows.href}#follows" if follows else "/layers",
            follows.name if follows else _("layer by layer"),
        ),
        Step(
            _("Is it needed?"),
            _("Take it out, and see what the model loses; then take out as much in another direction."),
            f"{needed.href}#effects" if needed else "/experiments",
            _("without %(latent)s", latent=needed.name) if needed else _("what was tried"),
        ),
        Step(
            _("What do we do?"),
            _("Keep, investigate or prune: the rule says one, you may say another, and the page keeps both."),
            "/report",
            _("the report on one page"),
        ),
    ]


def _first(featured: Sequence[Featured], *kinds: str) -> Featured | None:
    return next((one for one in featured if one.kind in map(translated, kinds)), None)
