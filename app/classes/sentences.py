"""What a class says of a latent, in a sentence."""

from __future__ import annotations

from app.classes.groups import title_of, view_of
from app.shared.language import N_, _
from app.shared.statements import Sentence, filled, listed, said
from store.unmeasured import why_unmeasured
from store.vocabulary import AGGREGATE, MIXTURE, OWN_SIGNAL, PARTLY, SUM, UNEXPLAINED, Statement


def _unmeasured(sentence: str) -> Sentence:
    """With the classes that were not measured."""

    def made(held: Statement) -> str:
        names = [title_of(str(name)) for name in held.get("missing") or ()]
        text = filled(sentence, held)
        return text + " " + _("Not measured: %(classes)s.", classes=listed(names)) if names else text

    return made


OTHERS: dict[str, dict[str, Sentence]] = {
    UNEXPLAINED: {
        "some": N_("At least one class holds."),
        "few": _unmeasured(N_("Too few of the classes could be measured to say.")),
        "none": _unmeasured(N_("None of the {classes} classes holds.")),
        "little": _unmeasured(
            N_(
                "None of the {classes} classes holds, and all that was looked for predicts {share:.0%} of its variance,"
                " of random directions {random:.0%}."
            )
        ),
        "followed": N_("No class holds, but {share:.0%} of its variance is predicted."),
    },
    PARTLY: {
        "some": N_("At least one class holds."),
        "few": _unmeasured(N_("Too few of the classes could be measured to say.")),
        "little": N_("All that was looked for predicts {share:.0%} of its variance: less than a fifth."),
        "followed": _unmeasured(
            N_(
                "None of the {classes} classes holds, but all that was looked for predicts {share:.0%} of its variance,"
                " of random directions {random:.0%}."
            )
        ),
    },
    MIXTURE: {
        OWN_SIGNAL: lambda held: filled(
            "A signal of its own: sparse latents rebuild only {r2:.0%} of its variance.",
            {"r2": max(held.get("r2") or 0.0, 0.0)},
        ),
        SUM: N_("A readable sum: about {latents:.0f} sparse latents rebuild {r2:.0%} of its variance."),
        AGGREGATE: N_("A messy aggregate: {r2:.0%} of its variance is spread over about {latents:.0f} sparse latents."),
    },
}
"""Of scores that are no class."""


def score_said(name: str, statement: Statement | None) -> str:
    """What a class, or another score, says, in words."""
    why = None if statement is None else why_unmeasured(name, statement, said)
    if why is not None:
        return _("Not measured: %(why)s.", why=why)
    own = OTHERS[name] if name in OTHERS else view_of(name).sentences
    return said(statement, {"absent": N_("Not measured."), **own})


def rests_on_text(name: str) -> bool:
    """Whether more text may tell what little text does not; the other classes look at weights, or at all tokens."""
    return view_of(name).of_text
