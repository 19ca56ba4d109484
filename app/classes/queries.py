"""Classes: what each latent does, with the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Result, RowMapping, Select, bindparam, func, select, tuple_
from sqlalchemy.orm import Session

from app.classes.groups import place_of
from app.classes.score import ScoreInfo
from app.classes.sentences import score_said
from app.shared.record import Key
from app.vocabulary import ANY
from store.tables import Score
from store.vocabulary import HOLDS, MIXTURE, NO_CLASS, UNMEASURED

_BARE = select(Score.analysis_id, Score.index, Score.name, Score.label, Score.statement)
_NUMBERS = _BARE.add_columns(Score.score, Score.cut, Score.chance, Score.control, Score.p, Score.q).where(
    Score.analysis_id == bindparam("analysis"), Score.index.in_(bindparam("indices", expanding=True))
)
_WHOLE = _NUMBERS.add_columns(Score.data)


def find_scores(
    session: Session, analysis_id: int, indices: Iterable[int], evidence: bool = True
) -> dict[int, dict[str, ScoreInfo]]:
    """Scores by latent and name, in the order of the classes; a latent without any is left out."""
    asked = {"analysis": analysis_id, "indices": list(indices)}
    found: dict[int, dict[str, ScoreInfo]] = {}
    for row in _placed(session.execute(_WHOLE if evidence else _NUMBERS, asked)):
        found.setdefault(row["index"], {})[row["name"]] = _info(row)
    return found


def classes_of(session: Session, keys: Iterable[Key]) -> dict[Key, list[ScoreInfo]]:
    """The classes that many latents have, in one query; without numbers and evidence."""
    wanted = set(keys)
    statement = _BARE.where(tuple_(Score.analysis_id, Score.index).in_(wanted), Score.label.in_(HOLDS))
    found: dict[Key, list[ScoreInfo]] = {}
    for row in _placed(session.execute(statement)):
        found.setdefault((row["analysis_id"], row["index"]), []).append(_info(row))
    return {key: found[key] for key in wanted & set(found)}


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


def _placed(found: Result[Any]) -> list[RowMapping]:
    return sorted(found.mappings(), key=lambda row: place_of(row["name"]))


def _info(row: RowMapping) -> ScoreInfo:
    return ScoreInfo(**row, words=score_said(row["name"], row["statement"]))
