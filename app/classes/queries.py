"""Classes: what each latent does, with the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.shared.record import cleaned, finite
from store.tables import Score
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


def find_scores(session: Session, analysis_id: int, indices: Iterable[int]) -> dict[int, dict[str, ScoreInfo]]:
    """Scores by latent and name, in the order of the classes; a latent without any is left out."""
    statement = select(Score).where(Score.analysis_id == analysis_id, Score.index.in_(list(indices)))
    found: dict[int, dict[str, ScoreInfo]] = {}
    for row in sorted(session.scalars(statement), key=_place):
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


def with_class(name: str, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that have the class; "any": one of the six; "unmeasured": of those that are NOT it, which
    have one of the six or are unexplained."""
    names = {"any": tuple(CLASSES), UNMEASURED: (*CLASSES, UNEXPLAINED)}.get(name, (name,))
    return _with(names, analyses)


def with_one(alone: bool, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that have exactly one of the six; or more than one."""
    number = func.count()
    found = _with(tuple(CLASSES), analyses).group_by(Score.analysis_id, Score.index)
    return found.having(number == 1 if alone else number > 1)


def _with(names: tuple[str, ...], analyses: Sequence[int]) -> Select[int, int]:
    found = select(Score.analysis_id, Score.index).where(Score.analysis_id.in_(analyses))
    # else SQLite reads all scores, evidence and all, to have them sorted
    found = found.with_hint(Score, "INDEXED BY ix_score_name", "sqlite")
    return found.where(Score.name.in_(names), Score.label.in_(HOLDS))


def _place(row: Any) -> int:
    order = (*CLASSES, UNEXPLAINED, MIXTURE)
    return order.index(row.name) if row.name in order else len(order)


def _info(row: Score) -> ScoreInfo:
    numbers = {name: finite(getattr(row, name)) for name in ("score", "cut", "chance", "control", "p", "q")}
    return ScoreInfo(row.name, row.label, words=row.words, data=cleaned(row.data or {}), **numbers)
