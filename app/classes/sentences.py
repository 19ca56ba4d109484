"""What a class says of a latent, in a sentence."""

from __future__ import annotations

from app.classes.groups import view_of
from app.shared.statements import Sentence, said
from store.vocabulary import Statement

COMMON: dict[str, Sentence] = {"absent": "Not measured."}
"""What any class may say."""


def score_said(name: str, statement: Statement) -> str:
    """What a class, or another score, says, in words."""
    return said(statement, COMMON)


def rests_on_text(name: str) -> bool:
    """Whether more text may tell what little text does not; the other classes look at weights, or at all tokens."""
    return view_of(name).of_text
