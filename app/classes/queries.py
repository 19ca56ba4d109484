"""Classes: what each latent does, with the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, tuple_
from sqlalchemy.orm import Session

from app.classes.groups import place_of
from app.classes.score import ScoreInfo
from app.shared.record import cleaned, finite
from app.vocabulary import ANY
from store.tables import Score
from store.vocabulary import HOLDS, MIXTURE, NO_CLASS, UNMEASURED

Key = tuple[int, int]
"""A latent: (analysis, index)."""


_SCORES = select(Score).where(
    Score.analysis_id == bindparam("analysis"), Score.index.in_(bindparam("indices", expanding=True))
)


def find_scores(session: Session, analysis_id: int, indices: Iterable[int]) -> dict[int, dict[str, ScoreInfo]]:
    """Scores by latent and name, in the order of the classes; a latent without any is left out."""
    rows = session.scalars(_SCORES, {"analysis": analysis_id, "indices": list(indices)})
    found: dict[int, dict[str, ScoreInfo]] = {}
    for row in sorted(rows, key=_place):
        found.setdefault(row.index, {})[row.name] = _info(row)
    return found


def classes_of(session: Session, keys: Iterable[Key]) -> dict[Key, list[ScoreInfo]]:
    """The classes that many latents have, in one query; without evidence."""
    wanted = set(keys)
    statement = select(Score.analysis_id, Score.index, Score.name, Score.label, Score.statement).where(
        tuple_(Score.analysis_id, Score.index).in_(wanted), Score.label.in_(HOLDS)
    )
    found: dict[Key, list[ScoreInfo]] = {}
    for analysis_id, index, name, label, statement_of in session.execute(statement):
        bare = ScoreInfo(name, label, None, None, None, None, None, None, statement_of or {}, {})
        found.setdefault((analysis_id, index), []).append(bare)
    return {key: sorted(found[key], key=_place) for key in wanted & set(found)}


def with_class(name: str, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that have the class; "any": one at all; "unmeasured": of those that are NOT it, which have
    a class or are unexplained."""
    if name == UNMEASURED:
        return _with(Score.name != MIXTURE, analyses)
    return _with(Score.name.not_in(NO_CLASS) if name == ANY else Score.name == name, analyses)


def with_one(alone: bool, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that have exactly one class; or more than one."""
    # as a part of its own: else SQLite reads all scores, evidence and all, to have them grouped
    held = _with(Score.name.not_in(NO_CLASS), analyses).cte("held").prefix_with("MATERIALIZED")
    number = func.count()
    found = select(held.c.analysis_id, held.c.index).group_by(held.c.analysis_id, held.c.index)
    return found.having(number == 1 if alone else number > 1)


def _with(named: ColumnElement[bool], analyses: Sequence[int]) -> Select[int, int]:
    found = select(Score.analysis_id, Score.index).where(Score.analysis_id.in_(analyses))
    return found.where(named, Score.label.in_(HOLDS))


def _place(row: Any) -> tuple[int, str]:
    return place_of(row.name)


def _info(row: Score) -> ScoreInfo:
    numbers = {name: finite(getattr(row, name)) for name in ("score", "cut", "chance", "control", "p", "q")}
    return ScoreInfo(
        row.name, row.label, statement=cleaned(row.statement or {}), data=cleaned(row.data or {}), **numbers
    )
