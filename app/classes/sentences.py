"""What a class says of a latent, in a sentence."""

from __future__ import annotations

from app.classes.groups import title_of, view_of
from app.shared.statements import Sentence, filled, listed, said
from store.vocabulary import AGGREGATE, MIXTURE, OWN_SIGNAL, SUM, UNEXPLAINED, Statement

COMMON: dict[str, Sentence] = {
    "absent": "Not measured.",
    "no_tokens": "Not measured: no ordinary token is in the sample.",
    "few_documents": (
        "Not measured: {found} documents were read and {needed} are needed, since in few of them slow noise looks like"
        " an effect."
    ),
    "constant": "Not measured: the signal does not vary.",
}
"""What any class may say."""


def _unmeasured(sentence: str) -> Sentence:
    """With the classes that were not measured."""

    def made(held: Statement) -> str:
        names = [title_of(str(name)) for name in held.get("missing") or ()]
        return filled(sentence, held) + (f" Not measured: {listed(names)}." if names else "")

    return made


OTHERS: dict[str, dict[str, Sentence]] = {
    UNEXPLAINED: {
        "some": "At least one class holds.",
        "few": _unmeasured("Too few of the classes could be measured to say."),
        "none": _unmeasured("None of the {classes} classes holds."),
    },
    MIXTURE: {
        "alone": "Not measured: no sparse latent fires together with a dense one.",
        "few_tokens": "Not measured: {tokens:,} tokens in a half of the documents are too few for {latents} latents.",
        OWN_SIGNAL: lambda held: filled(
            "A signal of its own: sparse latents rebuild only {r2:.0%} of its variance.",
            {"r2": max(held.get("r2") or 0.0, 0.0)},
        ),
        SUM: "A readable sum: about {latents:.0f} sparse latents rebuild {r2:.0%} of its variance.",
        AGGREGATE: "A messy aggregate: {r2:.0%} of its variance is spread over about {latents:.0f} sparse latents.",
    },
}
"""Of scores that are no class."""


def score_said(name: str, statement: Statement | None) -> str:
    """What a class, or another score, says, in words."""
    own = OTHERS[name] if name in OTHERS else view_of(name).sentences
    return said(statement, {**COMMON, **own})


def rests_on_text(name: str) -> bool:
    """Whether more text may tell what little text does not; the other classes look at weights, or at all tokens."""
    return view_of(name).of_text
