"""Verdicts by rule: keep, investigate or prune, with what they rest on. A person's own is never in here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field, computed_field
from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.orm import Session

from app.shared.commands import Place
from app.shared.record import Evidence, Hidden, Key, Record, Text
from app.verdicts.sentences import gap_said, ground_said
from app.vocabulary import NONE, RULE_VERDICTS
from store.tables import DENSE, Analysis, Latent, Sae, Verdict
from store.vocabulary import RULE, Statement


class Ground(Record):
    """A measurement that a verdict rests on."""

    of: Text = ""
    """rule: the rule's own sentence; else what was measured"""
    speaks: Text = ""
    """keep, prune or neither"""
    statement: Evidence = Field(default_factory=dict)
    """Its code, and the numbers of `words`"""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def words(self) -> str:
        """In a sentence."""
        return ground_said(self.of, self.statement)


class Missing(Record):
    """A measurement that a verdict lacks."""

    of: Text = ""
    statement: Evidence = Field(default_factory=dict)
    """Its code, and the numbers of `words`"""
    place: Annotated[Place, Hidden]

    @computed_field(description="With the command that would make it")  # type: ignore[prop-decorator]
    @property
    def words(self) -> str:
        """In a sentence."""
        return gap_said(self.of, self.statement, self.place)


class VerdictInfo(Record):
    """What the rule says of one latent."""

    verdict: str
    grounds: list[Ground]
    missing: list[Missing]

    @property
    def title(self) -> str:
        """As people read it."""
        return str(RULE_VERDICTS.get(self.verdict, self.verdict))

    @property
    def why(self) -> str:
        """The rule's own sentence; empty where it left none."""
        return next((ground.words for ground in self.grounds if ground.of == RULE), "")


def verdicts_of(session: Session, keys: Iterable[Key]) -> dict[Key, VerdictInfo]:
    """Of many latents, in one query."""
    wanted = set(keys)
    statement = (
        select(Verdict, Sae.slug, Sae.layer, Analysis.run_id)
        .join(Analysis, Analysis.id == Verdict.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .where(tuple_(Verdict.analysis_id, Verdict.index).in_(wanted))
    )
    found = {}
    for row, slug, layer, run in session.execute(statement):
        place = Place(slug, layer, run, row.index)
        found[row.analysis_id, row.index] = verdict_info(row.verdict, row.grounds, row.missing, place)
    return {key: found[key] for key in wanted & set(found)}


def verdict_info(verdict: str, grounds: Any, missing: Any, place: Place) -> VerdictInfo:
    """From what the store holds."""
    return VerdictInfo(
        verdict=verdict,
        grounds=[
            Ground(of=one.get("of") or "", speaks=one.get("speaks") or "", statement=_own(one))
            for one in _items(grounds)
        ],
        missing=[Missing(of=one.get("of") or "", statement=_own(one), place=place) for one in _items(missing)],
    )


def _items(held: Any) -> list[Statement]:
    return [one for one in held or [] if isinstance(one, dict)]


def _own(held: Statement) -> Statement:
    return {name: value for name, value in held.items() if name not in {"of", "speaks"}}


def verdict_counts(session: Session, analysis_id: int) -> dict[str, int]:
    """Dense latents of one SAE by verdict, in the order of RULE_VERDICTS; empty where the rule was not applied.

    Partners and sparse controls are judged, too; but where latents are counted, dense ones are.
    """
    statement = select(Verdict.verdict, func.count()).where(Verdict.analysis_id == analysis_id, DENSE)
    statement = statement.join(Latent, and_(Latent.analysis_id == Verdict.analysis_id, Latent.index == Verdict.index))
    found = {row[0]: row[1] for row in session.execute(statement.group_by(Verdict.verdict))}
    return {name: found.get(name, 0) for name in RULE_VERDICTS} if found else {}


def with_verdict(name: str, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents of which the rule says this; "none": of those that are NOT it, of which it says anything."""
    found = select(Verdict.analysis_id, Verdict.index).where(Verdict.analysis_id.in_(analyses))
    return found if name == NONE else found.where(Verdict.verdict == name)
