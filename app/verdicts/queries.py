"""Verdicts by rule: keep, investigate or prune, with what they rest on. A person's own is never in here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session, aliased

from app.classes.queries import Key
from app.vocabulary import NONE, RULE_VERDICTS
from store.tables import Latent, Verdict

RULE = "rule"
"""The ground that is the rule's own sentence."""


@dataclass(frozen=True)
class Ground:
    """One measurement, and what it speaks for."""

    of: str
    speaks: str
    """keep, prune or neither."""
    words: str


@dataclass(frozen=True)
class Missing:
    """A measurement that is not there, and what would make it."""

    of: str
    words: str


@dataclass(frozen=True)
class VerdictInfo:
    """What the rule says of one latent."""

    verdict: str
    grounds: list[Ground]
    missing: list[Missing]

    @property
    def title(self) -> str:
        """As people read it."""
        return RULE_VERDICTS.get(self.verdict, self.verdict)

    @property
    def why(self) -> str:
        """The rule's own sentence; empty where it left none."""
        return next((ground.words for ground in self.grounds if ground.of == RULE), "")


def find_verdict(session: Session, analysis_id: int, index: int) -> VerdictInfo | None:
    """None where the rule was not applied."""
    row = session.get(Verdict, (analysis_id, index))
    return None if row is None else _info(row)


def verdicts_of(session: Session, keys: Iterable[Key]) -> dict[Key, VerdictInfo]:
    """Of many latents, in one query."""
    wanted = set(keys)
    statement = select(Verdict).where(
        Verdict.analysis_id.in_({key[0] for key in wanted}), Verdict.index.in_({key[1] for key in wanted})
    )
    found = {(row.analysis_id, row.index): _info(row) for row in session.scalars(statement)}
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


def _info(row: Verdict) -> VerdictInfo:
    grounds = [Ground(_text(one, "of"), _text(one, "speaks"), _text(one, "words")) for one in _items(row.grounds)]
    missing = [Missing(_text(one, "of"), _text(one, "words")) for one in _items(row.missing)]
    return VerdictInfo(row.verdict, grounds, missing)


def _items(held: Any) -> list[dict[str, Any]]:
    return [one for one in held or [] if isinstance(one, dict)]


def _text(held: dict[str, Any], name: str) -> str:
    return str(held.get(name) or "")
