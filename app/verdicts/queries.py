"""Verdicts by rule: keep, investigate or prune, with what they rest on. A person's own is never in here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from app.classes.queries import Key
from app.shared.record import Items, Record, Text
from app.vocabulary import NONE, RULE_VERDICTS
from store.tables import Latent, Verdict

RULE = "rule"
"""The ground that is the rule's own sentence."""


class Ground(Record):
    """A measurement that a verdict rests on."""

    of: Text = ""
    """rule: the rule's own sentence; else what was measured"""
    speaks: Text = ""
    """keep, prune or neither"""
    words: Text = ""


class Missing(Record):
    """A measurement that a verdict lacks."""

    of: Text = ""
    words: Text = ""
    """With the command that would make it"""


class VerdictInfo(Record):
    """What the rule says of one latent."""

    verdict: str
    grounds: Annotated[list[Ground], Items]
    missing: Annotated[list[Missing], Items]

    @property
    def title(self) -> str:
        """As people read it."""
        return RULE_VERDICTS.get(self.verdict, self.verdict)

    @property
    def why(self) -> str:
        """The rule's own sentence; empty where it left none."""
        return next((ground.words for ground in self.grounds if ground.of == RULE), "")


def verdicts_of(session: Session, keys: Iterable[Key]) -> dict[Key, VerdictInfo]:
    """Of many latents, in one query."""
    wanted = set(keys)
    statement = select(Verdict).where(
        Verdict.analysis_id.in_({key[0] for key in wanted}), Verdict.index.in_({key[1] for key in wanted})
    )
    found = {(row.analysis_id, row.index): VerdictInfo.model_validate(row) for row in session.scalars(statement)}
    return {key: found[key] for key in wanted & set(found)}


def verdict_counts(session: Session, analysis_id: int) -> dict[str, int]:
    """Latents of one SAE by verdict, in the order of RULE_VERDICTS; empty where the rule was not applied."""
    statement = select(Verdict.verdict, func.count()).where(Verdict.analysis_id == analysis_id)
    found = {row[0]: row[1] for row in session.execute(statement.group_by(Verdict.verdict))}
    return {name: found.get(name, 0) for name in RULE_VERDICTS} if found else {}


def has_verdict(name: str) -> ColumnElement[bool]:
    """A condition on `Latent`: the rule says this of it; "none": it says nothing."""
    verdict = aliased(Verdict)
    here = exists().where(verdict.analysis_id == Latent.analysis_id, verdict.index == Latent.index)
    return ~here if name == NONE else here.where(verdict.verdict == name)
