"""How many latents have each class: by layer, among sparse controls, each once or in all its classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from app.classes.groups import SEVERAL
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.memory import remembered
from app.shared.record import Key
from store.tables import DENSE, Analysis, Latent, Run, Score
from store.vocabulary import CONTROL, HOLDS, NO_CLASS, UNEXPLAINED, UNMEASURED


@dataclass(frozen=True)
class Tally:
    """Latents of one SAE by the label one class gives them."""

    dense: dict[str, int]
    controls: dict[str, int]
    """The same of the sparse control sample: how often the class is found where few should have it."""

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


def measured(session: Session, run: RunInfo) -> bool:
    """Whether the run measured classes: older ones, and those with --no-classes, did not."""
    statement = select(Score.index).join(Analysis, Analysis.id == Score.analysis_id).where(Analysis.run_id == run.id)
    return session.execute(statement.limit(1)).first() is not None


def profile(session: Session, run: RunInfo) -> dict[int, dict[str, int]]:
    """By analysis: dense latents by group, each counted once (see app.classes.groups)."""
    return remembered(session, ("profile", run.id), lambda: _profile(session, run))


def _profile(session: Session, run: RunInfo) -> dict[int, dict[str, int]]:
    counted = Counter((key[0], group) for key, group in groups_of(session, run).items())
    found: dict[int, dict[str, int]] = {}
    for (analysis_id, group), number in sorted(counted.items()):
        found.setdefault(analysis_id, {})[group] = number
    return found


def groups_of(session: Session, run: RunInfo) -> dict[Key, str]:
    """The group of each dense latent; of an SAE the densest first."""
    return remembered(session, ("groups", run.id), lambda: _groups_of(session, run))


def _groups_of(session: Session, run: RunInfo) -> dict[Key, str]:
    held = held_of(run).subquery()
    statement = (
        select(Latent.analysis_id, Latent.index, group_of(held))
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .outerjoin(held, and_(held.c.analysis_id == Latent.analysis_id, held.c.index == Latent.index))
        .where(Analysis.run_id == run.id, DENSE)
        .order_by(Latent.analysis_id, Latent.density.desc(), Latent.index)
    )
    return {(analysis_id, index): group for analysis_id, index, group in session.execute(statement)}


def class_counts(session: Session, run: RunInfo) -> dict[int, dict[str, int]]:
    """By analysis: dense latents that have each class. A latent with two is in both."""
    return remembered(session, ("class_counts", run.id), lambda: _class_counts(session, run))


def _class_counts(session: Session, run: RunInfo) -> dict[int, dict[str, int]]:
    statement = (
        select(Score.analysis_id, Score.name, func.count())
        .join(Latent, and_(Latent.analysis_id == Score.analysis_id, Latent.index == Score.index))
        .join(Analysis, Analysis.id == Score.analysis_id)
        .where(Analysis.run_id == run.id, DENSE, Score.label.in_(HOLDS))
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
    return None if known <= 0 else (known - groups.get(UNEXPLAINED, 0)) / known


def held_of(run: RunInfo) -> Any:
    """A row a latent that has something: how many classes, the name of one, and whether it is unexplained."""
    is_class = Score.name.not_in(NO_CLASS)
    return (
        select(
            Score.analysis_id,
            Score.index,
            func.sum(case((is_class, 1), else_=0)).label("classes"),
            func.max(case((is_class, Score.name))).label("one"),
            func.max(case((Score.name == UNEXPLAINED, 1), else_=0)).label("unexplained"),
        )
        .join(Analysis, Analysis.id == Score.analysis_id)
        .where(Analysis.run_id == run.id, Score.label.in_(HOLDS))
        .group_by(Score.analysis_id, Score.index)
    )


def group_of(held: Any) -> Any:
    """Where a latent is counted once, from its row of `held_of`, if it has one."""
    has, alone, unexplained = held.c.classes, held.c.one, held.c.unexplained
    return case((has > 1, SEVERAL), (has == 1, alone), (unexplained == 1, UNEXPLAINED), else_=UNMEASURED)
