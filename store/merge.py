"""What workers wrote in another store, taken into this one: runs with all that belongs to them, interventions,
experiments, comparisons of designs. What is known by its identity is found again, so the same store twice is once.

Each run is written as a worker writes one (`store.writing`): nobody sees it before it is whole. A merge that was
interrupted has left whole runs, or none; the same merge again goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Engine, Table, select
from sqlalchemy.orm import Session

from store.errors import StoreError
from store.identity import adopt, current, find_model, find_sae, free_slug, rename_model
from store.search import write_index
from store.suites import suite_key
from store.tables import (
    Analysis,
    Arm,
    Association,
    Base,
    Chain,
    Corpus,
    Design,
    DesignComparison,
    Effect,
    Example,
    Experiment,
    FormerIdentity,
    Intervention,
    Label,
    Latent,
    Model,
    Pair,
    Profile,
    Run,
    Sae,
    Score,
    Stability,
    Statistic,
    Steering,
    Traces,
    Verdict,
)
from store.writing import COMPLETE, WRITING, Row, Writer

_OF_ANALYSIS = (Latent, Profile, Example, Pair, Score, Traces, Verdict)
"""Tables whose rows belong to an analysis and to nothing else, in the order in which they lean on each other."""
Complete = Callable[[Writer, Engine, str, int], None]
"""Completes a run of a suite, with its chains to the others'."""


@dataclass
class Merged:
    """What was new, and what was known already."""

    runs: list[int] = field(default_factory=list)
    known: int = 0
    unfinished: int = 0
    """Runs of the other store that are not complete: they stay there."""
    saes: int = 0
    interventions: int = 0
    experiments: int = 0
    comparisons: int = 0
    touched: set[int] = field(default_factory=set)
    """Analyses of which something was measured that the rule has not judged with."""


@dataclass
class _Places:
    """Where rows of the other store are in this one: its id -> ours."""

    models: dict[int, int] = field(default_factory=dict)
    saes: dict[int, int] = field(default_factory=dict)
    corpora: dict[int, int] = field(default_factory=dict)
    analyses: dict[int, int] = field(default_factory=dict)


class Merge:
    """Taking one store into another.

    Args:
        other: a session that reads the other store, of this very schema.
        writer: of this one.
        readers: of this one.
        complete: chains a run to its suite, and completes it.
    """

    def __init__(self, other: Session, writer: Writer, readers: Engine, complete: Complete) -> None:
        self.other, self.writer, self.readers, self.complete = other, writer, readers, complete
        self.places, self.merged = _Places(), Merged()
        self._fresh: set[int] = set()  # analyses that came with this merge, and with verdicts of their own

    def run(self) -> Merged:
        """All of it.

        Raises:
            StoreError: an SAE that the two know with different configurations; nothing was written.
        """
        self.writer.transaction(self._identities)
        for run in self.other.scalars(select(Run).order_by(Run.finished, Run.id)).all():
            if run.status != COMPLETE:
                self.merged.unfinished += 1
            else:
                self._run(run)
        for intervention in self.other.scalars(select(Intervention).order_by(Intervention.id)).all():
            self._intervention(intervention)
        for experiment in self.other.scalars(select(Experiment).order_by(Experiment.id)).all():
            self._experiment(experiment)
        for comparison in self.other.scalars(select(DesignComparison).order_by(DesignComparison.id)).all():
            self._comparison(comparison)
        return self.merged

    def _identities(self, session: Session) -> None:
        """What runs share, found or made."""
        former = _former(self.other)
        self.places, self.merged.saes = _Places(), 0
        known = set(session.scalars(select(Statistic.name)))
        session.add_all([_copy(one) for one in self.other.scalars(select(Statistic)) if one.name not in known])
        for model in self.other.scalars(select(Model)):
            self.places.models[model.id] = _model(session, model, former).id
        for corpus in self.other.scalars(select(Corpus)):
            here = session.scalar(select(Corpus.id).where(Corpus.sha256 == corpus.sha256))
            self.places.corpora[corpus.id] = here or _added(session, _copy(corpus))
        for sae in self.other.scalars(select(Sae).order_by(Sae.id)):
            here = _sae(session, sae, former)
            if here is None:
                self.merged.saes += 1
                slug = free_slug(session, Sae.slug, sae.slug, sae.sha256)
                here = _added(session, _copy(sae, slug=slug, model_id=self.places.models[sae.model_id]))
            self.places.saes[sae.id] = here

    def _run(self, run: Run) -> None:
        analyses = self.other.scalars(select(Analysis).where(Analysis.run_id == run.id).order_by(Analysis.id)).all()
        with_same_key = select(Run.id).where(Run.key == run.key, Run.status == COMPLETE).order_by(Run.id)
        if (known := self.writer.transaction(lambda session: session.scalar(with_same_key.limit(1)))) is not None:
            self.merged.known += 1
            held = self.writer.transaction(lambda session: _analyses(session, known))
            self.places.analyses |= {one.id: held[self.places.saes[one.sae_id]] for one in analyses}
            return
        number, suite, labels = self.writer.transaction(lambda session: self._begin(session, run))
        self.writer.run = number
        for one in analyses:
            own = _copy(one, run_id=number, sae_id=self.places.saes[one.sae_id])
            self.places.analyses[one.id] = self.writer.transaction(lambda session, own=own: _added(session, own))  # type: ignore[misc]
        for one in analyses:
            self._rows(one.id, labels)
        self._chains(run.id)
        self.writer.run = None
        self.complete(self.writer, self.readers, suite, number)
        self.merged.runs.append(number)
        self._fresh.update(self.places.analyses[one.id] for one in analyses)
        self.merged.touched.update(self.writer.transaction(lambda session: self._judged_anew(session, analyses)))

    def _judged_anew(self, session: Session, analyses: Sequence[Analysis]) -> list[int]:
        """Those of an SAE that this store knows an experiment of which the other does not."""
        theirs = list(self.other.scalars(select(Experiment.key)))
        own = set(session.scalars(select(Experiment.sae_id).where(Experiment.key.not_in(theirs))))
        return [self.places.analyses[one.id] for one in analyses if self.places.saes[one.sae_id] in own]

    def _begin(self, session: Session, run: Run) -> tuple[int, str, dict[int, int]]:
        """The run's row and its labels: number, suite, and where each label is."""
        model = session.get_one(Model, self.places.models[run.model_id])
        corpus = session.get_one(Corpus, self.places.corpora[run.corpus_id])
        suite = suite_key(model.fingerprint, corpus.sha256, run.settings, run.versions)
        writer = self.writer.process.stamp()
        own = _copy(run, model_id=model.id, corpus_id=corpus.id, suite=suite, status=WRITING, writer=writer)
        number, labels = _added(session, own), {}
        for label in self.other.scalars(select(Label).where(Label.run_id == run.id).order_by(Label.id)):
            labels[label.id] = _added(session, _copy(label, run_id=number))
        return number, suite, labels

    def _rows(self, analysis_id: int, labels: dict[int, int]) -> None:
        """All that belongs to one analysis, and what of it can be searched."""
        here = self.places.analyses[analysis_id]
        for table in (*_OF_ANALYSIS, Association):
            own = (dict(row) | {"analysis_id": here} for row in _rows_of(self.other, table, analysis_id))
            if table is Association:
                own = (row | {"label_id": labels[row["label_id"]]} for row in own)
            self.writer.insert(table, own)
        write_index(self.writer, self.readers, here)

    def _chains(self, run_id: int) -> None:
        """Those within the run: all there are in an older store, which has nothing to make others of."""
        places = self.places.analyses
        own = [number for (number,) in self.other.execute(select(Analysis.id).where(Analysis.run_id == run_id))]
        wanted = select(Chain.__table__).where(Chain.analysis_id.in_(own), Chain.other_analysis_id.in_(own))
        rows = (dict(row) for row in self.other.execute(wanted).mappings())
        ids = ("analysis_id", "other_analysis_id")
        self.writer.insert(Chain, (row | {name: places[row[name]] for name in ids} for row in rows))

    def _intervention(self, found: Intervention) -> None:
        """Of two of a kind on one analysis the newer stays: a new one takes the old one's place."""
        here = self.places.analyses.get(found.analysis_id)
        if here is None:
            return
        parts = {table: _parts(self.other, table, table.intervention_id, found.id) for table in (Effect, Steering)}
        if self.writer.transaction(lambda session: _put_intervention(session, found, here, parts)):
            self.merged.interventions += 1
            self.merged.touched.update({here} - self._fresh)

    def _experiment(self, found: Experiment) -> None:
        parts = {table: _parts(self.other, table, table.experiment_id, found.id) for table in (Arm, Stability)}
        sae, analysis = self.places.saes[found.sae_id], self.places.analyses.get(found.analysis_id or 0)

        def put(session: Session) -> list[int] | None:
            if session.scalar(select(Experiment.id).where(Experiment.key == found.key)) is not None:
                return None
            number = _added(session, _copy(found, sae_id=sae, analysis_id=analysis))
            _insert(session, parts, {"experiment_id": number})
            return list(session.scalars(select(Analysis.id).where(Analysis.sae_id == sae)))

        touched = self.writer.transaction(put)
        if touched is not None:
            self.merged.experiments += 1
            self.merged.touched.update(set(touched) - self._fresh)

    def _comparison(self, found: DesignComparison) -> None:
        parts = {Design: _parts(self.other, Design, Design.comparison_id, found.id)}

        def put(session: Session) -> bool:
            if session.scalar(select(DesignComparison.id).where(DesignComparison.key == found.key)) is not None:
                return False
            number = _added(session, _copy(found, sae_id=self.places.saes[found.sae_id]))
            _insert(session, parts, {"comparison_id": number})
            return True

        self.merged.comparisons += self.writer.transaction(put)


def _former(other: Session) -> dict[str, list[str]]:
    """Identity -> what the other store knows that it was called before."""
    found: dict[str, list[str]] = {}
    for one in other.scalars(select(FormerIdentity)):
        found.setdefault(one.now, []).append(one.old)
    return found


def _model(session: Session, model: Model, former: dict[str, list[str]]) -> Model:
    identity = current(session, model.fingerprint)
    known = find_model(session, identity, former.get(identity, []))
    if known is None:
        slug = free_slug(session, Model.slug, model.slug, identity)
        return session.get_one(Model, _added(session, _copy(model, slug=slug, fingerprint=identity)))
    rename_model(session, known, identity)
    return known


def _sae(session: Session, sae: Sae, former: dict[str, list[str]]) -> int | None:
    """Where this store has it.

    Raises:
        StoreError: with another configuration: one page cannot stand for both.
    """
    identity = current(session, sae.sha256)
    adopt(session, identity, former.get(identity, []))
    known = find_sae(session, identity, former.get(identity, []))
    if known is None:
        return None
    ours, theirs = (one.details.get("settings_sha256") for one in (known, sae))
    if ours != theirs and ours is not None and theirs is not None:
        raise StoreError(
            f"SAE {sae.slug}: expected the configuration with which this store has these weights, as {known.slug};"
            " found another one. Nothing was merged"
        )
    known.sha256 = identity
    return known.id


def _copy(row: Base, **changed: Any) -> Any:
    """A new row with the same values, but for its id and what is `changed`."""
    table = cast(Table, row.__table__)
    numbered = len(table.primary_key) == 1 and "id" in table.primary_key
    values = {column.name: getattr(row, column.name) for column in table.c if not (numbered and column.name == "id")}
    return type(row)(**values | changed)


def _added(session: Session, row: Any) -> int:
    session.add(row)
    session.flush()
    return int(row.id)


def _analyses(session: Session, run: int) -> dict[int, int]:
    """By SAE."""
    rows = session.execute(select(Analysis.sae_id, Analysis.id).where(Analysis.run_id == run)).all()
    return dict(rows)


def _rows_of(session: Session, table: Any, analysis_id: int) -> Iterator[Row]:
    whole = cast(Table, table.__table__)
    wanted = select(whole).where(whole.c.analysis_id == analysis_id).order_by(*whole.primary_key)
    yield from session.execute(wanted.execution_options(yield_per=1_000)).mappings()  # type: ignore[misc]


def _parts(session: Session, table: Any, column: Any, number: int) -> list[Row]:
    return [dict(row) for row in session.execute(select(table.__table__).where(column == number)).mappings()]


def _insert(session: Session, parts: dict[Any, list[Row]], ids: Row) -> None:
    for table, rows in parts.items():
        if rows:
            session.execute(cast(Table, table.__table__).insert(), [row | ids for row in rows])


def _put_intervention(session: Session, found: Intervention, here: int, parts: dict[Any, list[Row]]) -> bool:
    same = select(Intervention).where(Intervention.analysis_id == here, Intervention.kind == found.kind)
    known = session.scalar(same)
    if known is not None:
        if known.key == found.key or known.finished >= found.finished:
            return False
        session.delete(known)
        session.flush()
    _insert(session, parts, {"intervention_id": _added(session, _copy(found, analysis_id=here))})
    return True
