"""Classes: what each latent does, with the evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Result, RowMapping, Select, and_, bindparam, case, func, select, tuple_
from sqlalchemy.orm import Session

from app.classes.groups import SEVERAL, place_of
from app.classes.score import ScoreInfo
from app.classes.sentences import score_said
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.memory import remembered
from app.shared.record import Key
from app.vocabulary import ANY
from store.tables import DENSE, Analysis, Latent, Run, Score
from store.vocabulary import CONTROL, HOLDS, MIXTURE, NO_CLASS, REST, UNMEASURED

_BARE = select(Score.analysis_id, Score.index, Score.name, Score.label, Score.statement, Score.score)
_NUMBERS = _BARE.add_columns(Score.cut, Score.chance, Score.control, Score.p, Score.q).where(
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
    """The classes that many latents have, in one query; without evidence."""
    wanted = set(keys)
    statement = _BARE.where(tuple_(Score.analysis_id, Score.index).in_(wanted), Score.label.in_(HOLDS))
    found: dict[Key, list[ScoreInfo]] = {}
    for row in _placed(session.execute(statement)):
        found.setdefault((row["analysis_id"], row["index"]), []).append(_info(row))
    return {key: found[key] for key in wanted & set(found)}


def with_class(name: str, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that have the class; "any": one at all; "unmeasured": of those that are NOT it, which have
    a class or are what is left without one."""
    if name == UNMEASURED:
        return _with(Score.name != MIXTURE, analyses)
    return _with(Score.name.not_in(NO_CLASS) if name == ANY else Score.name == name, analyses)


def with_one(alone: bool, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that have exactly one class; or more than one."""
    # as a part of its own: else SQLite reads all scores, evidence and all, to have them grouped
    held = _with(Score.name.not_in(NO_CLASS), analyses).cte().prefix_with("MATERIALIZED")
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


@dataclass(frozen=True)
class Tally:
    """Latents of one SAE by the label one class gives them."""

    dense: dict[str, int]
    controls: dict[str, int]
    """The same of the sparse control sample: how often the class is found where few should have it."""

    @property
    def nowhere(self) -> bool:
        """Whether it was measured on none of them."""
        return not {*self.dense, *self.controls} - {UNMEASURED}

    @property
    def controls_total(self) -> int:
        """Sparse controls that the class could be measured on."""
        return sum(count for label, count in self.controls.items() if label != UNMEASURED)

    @property
    def controls_held(self) -> int:
        """Those that have it."""
        return sum(self.controls.get(label, 0) for label in HOLDS)


def tallies(session: Session, analysis_id: int) -> dict[str, Tally]:
    """By class; empty where the SAE was analysed without classes."""
    return remembered(session, ("tallies", analysis_id), lambda: _tallies(session, analysis_id))


def _tallies(session: Session, analysis_id: int) -> dict[str, Tally]:
    statement = (
        select(Score.name, Score.label, Latent.is_dense, Latent.detail, func.count())
        .join(Latent, and_(Latent.analysis_id == Score.analysis_id, Latent.index == Score.index))
        .where(Score.analysis_id == analysis_id)
        .group_by(Score.name, Score.label, Latent.is_dense, Latent.detail)
    )
    found: dict[str, Tally] = {}
    for name, label, is_dense, detail, count in session.execute(statement):
        tally = found.setdefault(name, Tally({}, {}))
        for counts, belongs in ((tally.dense, is_dense), (tally.controls, detail == CONTROL and not is_dense)):
            if belongs:
                counts[label] = counts.get(label, 0) + count
    return found


def unmeasured(session: Session, analysis_id: int) -> list[tuple[str, str]]:
    """Classes that could be measured on no latent of this SAE: name, and why."""
    found = tallies(session, analysis_id)
    names = [name for name in found if name not in NO_CLASS and found[name].nowhere]
    reasons = {
        name: session.scalar(
            select(Score.statement).where(Score.analysis_id == analysis_id, Score.name == name).limit(1)
        )
        for name in names
    }
    return [(name, score_said(name, reasons[name])) for name in sorted(names, key=place_of)]


def measured(session: Session, run: RunInfo) -> bool:
    """Whether the run measured classes: older ones, and those with --no-classes, did not."""
    statement = (
        select(Score.index).join(Analysis, Analysis.id == Score.analysis_id).where(Analysis.id.in_(run.analyses))
    )
    return session.execute(statement.limit(1)).first() is not None


def profile(session: Session, run: RunInfo) -> dict[int, dict[str, int]]:
    """By analysis: dense latents by group, each counted once (see app.classes.groups)."""
    return remembered(session, ("profile", run.analyses), lambda: _profile(session, run))


def _profile(session: Session, run: RunInfo) -> dict[int, dict[str, int]]:
    counted = Counter((key[0], group) for key, group in groups_of(session, run).items())
    found: dict[int, dict[str, int]] = {}
    for (analysis_id, group), number in sorted(counted.items()):
        found.setdefault(analysis_id, {})[group] = number
    return found


def groups_of(session: Session, run: RunInfo) -> dict[Key, str]:
    """The group of each dense latent; of an SAE the densest first."""
    return remembered(session, ("groups", run.analyses), lambda: _groups_of(session, run))


def _groups_of(session: Session, run: RunInfo) -> dict[Key, str]:
    held = held_of(run).subquery()
    statement = (
        select(Latent.analysis_id, Latent.index, group_of(held))
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .outerjoin(held, and_(held.c.analysis_id == Latent.analysis_id, held.c.index == Latent.index))
        .where(Analysis.id.in_(run.analyses), DENSE)
        .order_by(Latent.analysis_id, Latent.density.desc(), Latent.index)
    )
    return {(analysis_id, index): group for analysis_id, index, group in session.execute(statement)}


def class_counts(session: Session, run: RunInfo) -> dict[int, dict[str, int]]:
    """By analysis: dense latents that have each class. A latent with two is in both."""
    return remembered(session, ("class_counts", run.analyses), lambda: _class_counts(session, run))


def _class_counts(session: Session, run: RunInfo) -> dict[int, dict[str, int]]:
    statement = (
        select(Score.analysis_id, Score.name, func.count())
        .join(Latent, and_(Latent.analysis_id == Score.analysis_id, Latent.index == Score.index))
        .join(Analysis, Analysis.id == Score.analysis_id)
        .where(Analysis.id.in_(run.analyses), DENSE, Score.label.in_(HOLDS))
        .group_by(Score.analysis_id, Score.name)
    )
    found: dict[int, dict[str, int]] = {}
    for analysis_id, name, count in session.execute(statement):
        found.setdefault(analysis_id, {})[name] = count
    return found


def cuts_of(session: Session, run: RunInfo) -> dict[str, float]:
    """The run's cuts by name; empty where it has none."""
    settings = session.scalar(select(Run.settings).where(Run.id == run.id)) or {}
    cuts = settings.get("cuts")
    held = cuts if isinstance(cuts, dict) else {}
    return {str(name): value for name, value in held.items() if type(value) in {int, float}}


def explained(sae: SaeInfo, groups: dict[str, int]) -> float | None:
    """Share of an SAE's dense latents with at least one class; None where none was measured."""
    known = sae.n_dense - groups.get(UNMEASURED, 0)
    return None if known <= 0 else (known - sum(groups.get(name, 0) for name in REST)) / known


def held_of(run: RunInfo) -> Any:
    """A row a latent that has something: how many classes, the name of one, and what is said where there is none."""
    is_class = Score.name.not_in(NO_CLASS)
    return (
        select(
            Score.analysis_id,
            Score.index,
            func.sum(case((is_class, 1), else_=0)).label("classes"),
            func.max(case((is_class, Score.name))).label("one"),
            func.max(case((Score.name.in_(REST), Score.name))).label("rest"),
        )
        .join(Analysis, Analysis.id == Score.analysis_id)
        .where(Analysis.id.in_(run.analyses), Score.label.in_(HOLDS))
        .group_by(Score.analysis_id, Score.index)
    )


def group_of(held: Any) -> Any:
    """Where a latent is counted once, from its row of `held_of`, if it has one."""
    has, alone, rest = held.c.classes, held.c.one, held.c.rest
    return case((has > 1, SEVERAL), (has == 1, alone), (rest.is_not(None), rest), else_=UNMEASURED)
