"""Classes: what each latent does, with the evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, func, select
from sqlalchemy.orm import Session, aliased

from app.shared.record import finite
from store.tables import Latent, Score
from store.vocabulary import HOLDS, MIXTURE, UNEXPLAINED, UNMEASURED

CLASSES = {
    "position": "position",
    "context_binding": "context binding",
    "null_space": "null space",
    "alphabet": "alphabet",
    "content_word": "content word",
    "principal_component": "principal component",
}
"""The six that explain something: name in the store -> as people read it."""
TITLES = {**CLASSES, UNEXPLAINED: "unexplained", MIXTURE: "mixture"}
SEVERAL = "several"
GROUPS = (*CLASSES, SEVERAL, UNEXPLAINED, UNMEASURED)
"""Where each latent is counted once: its only class, or several, or none."""


@dataclass(frozen=True)
class ScoreInfo:
    """What one class says of one latent."""

    name: str
    label: str
    score: float | None
    cut: float | None
    chance: float | None
    """What the largest of the random directions reaches on the same text."""
    control: float | None
    p: float | None
    q: float | None
    words: str
    data: dict[str, Any]

    @property
    def holds(self) -> bool:
        """The latent has this class."""
        return self.label in HOLDS

    @property
    def title(self) -> str:
        """The class as people read it."""
        return TITLES.get(self.name, self.name.replace("_", " "))


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
    statement = select(Score.analysis_id, Score.index, Score.name, Score.label, Score.words).where(
        Score.analysis_id.in_({key[0] for key in wanted}),
        Score.index.in_({key[1] for key in wanted}),
        Score.label.in_(HOLDS),
    )
    found: dict[Key, list[ScoreInfo]] = {}
    for analysis_id, index, name, label, words in session.execute(statement):
        bare = ScoreInfo(name, label, None, None, None, None, None, None, words, {})
        found.setdefault((analysis_id, index), []).append(bare)
    return {key: sorted(found[key], key=_place) for key in wanted & set(found)}


def has_class(name: str) -> ColumnElement[bool]:
    """A condition on `Latent`: it has the class; "any": one of the six; "unmeasured": neither these nor unexplained."""
    if name == UNMEASURED:
        return ~_has((*CLASSES, UNEXPLAINED))
    return _has(tuple(CLASSES) if name == "any" else (name,))


def has_one(alone: bool) -> ColumnElement[bool]:
    """A condition on `Latent`: it has exactly one of the six; or more than one."""
    score = aliased(Score)
    number = (
        select(func.count())
        .where(score.analysis_id == Latent.analysis_id, score.index == Latent.index)
        .where(score.name.in_(CLASSES), score.label.in_(HOLDS))
        .scalar_subquery()
    )
    return number == 1 if alone else number > 1


def _has(names: tuple[str, ...]) -> ColumnElement[bool]:
    score = aliased(Score)
    return exists().where(
        score.analysis_id == Latent.analysis_id,
        score.index == Latent.index,
        score.name.in_(names),
        score.label.in_(HOLDS),
    )


def _place(row: Any) -> int:
    order = (*CLASSES, UNEXPLAINED, MIXTURE)
    return order.index(row.name) if row.name in order else len(order)


def _info(row: Score) -> ScoreInfo:
    numbers = {name: finite(getattr(row, name)) for name in ("score", "cut", "chance", "control", "p", "q")}
    return ScoreInfo(row.name, row.label, words=row.words, data=row.data or {}, **numbers)
