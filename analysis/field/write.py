"""What was measured of all matrices -> the store, in the worker's short transactions. The last one shows the run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from analysis.field.follow import Found
from analysis.field.measure import Measured
from analysis.field.reading import Field
from analysis.field.rows import MatrixRows
from analysis.field.units import Units
from analysis.process.versions import versions
from analysis.reading.sae import LoadedSae, slugify
from analysis.run.declare import declare
from analysis.run.entities import added, sae_row
from analysis.run.rows.plain import Row, number, plain
from store.alive import Process, this_process
from store.identity import free_slug
from store.leftovers import remove_leftovers
from store.search import write_index
from store.session import reading_engine
from store.suites import suite_key
from store.tables import Analysis, Association, Corpus, Example, Label, Latent, Model, Pair, Profile, Run
from store.vocabulary import FIELD
from store.writing import COMPLETE, WRITING, Writer


class Opened:
    """A run that is there, and that nobody sees yet."""

    def __init__(self, engine: Engine, field: Field, seconds: float) -> None:
        self.engine, self.field, self.seconds = engine, field, seconds

    def write(self, measured: list[tuple[Measured, Found]]) -> int:
        """Store all, and show it; the run's id."""
        with reading_engine(self.engine) as readers, this_process() as process:
            writer = Writer(self.engine, process)
            remove_leftovers(writer)
            run, labels = writer.transaction(lambda session: self._begin(session, measured[0][1], process))
            writer.run = run
            for one, found in measured:
                rows = MatrixRows(self.field, one, found)
                analysis = writer.transaction(lambda session, rows=rows: self._analysis(session, run, rows))  # type: ignore[misc]
                for table, made in (
                    (Latent, rows.latents),
                    (Profile, rows.profiles),
                    (Profile, found.profiles),
                    (Example, rows.examples),
                    (Pair, rows.pairs),
                    (Association, found.rows(labels)),
                ):
                    writer.insert(table, ({**row, "analysis_id": analysis} for row in made))
                write_index(writer, readers, analysis)
            writer.run = None
            writer.transaction(lambda session: _complete(session, run))
        return run

    def _begin(self, session: Session, found: Found, process: Process) -> tuple[int, list[int]]:
        declare(session)
        field = self.field
        model = _model(session, field)
        corpus = _corpus(session, field)
        settings: Row = plain(field.config.settings()) | {
            "activations": [str(matrix.path) for matrix in field.matrices],
            "table": field.config.table,
            "tokens": field.rows,
            "classes": False,
            "checks": field.found,
            "tag": field.config.tag,
        }
        made_by = versions()
        run = Run(
            key=field.key,
            suite=suite_key(model.fingerprint, corpus.sha256, settings, made_by),
            status=WRITING,
            model_id=model.id,
            corpus_id=corpus.id,
            tokens=field.rows,
            masked_tokens=0,
            masks={},
            documents=field.places.groups,
            context=1,
            dense_threshold=field.config.dense_threshold,
            seed=field.config.seed,
            settings=settings,
            versions=made_by,
            strip=None,
            seconds=self.seconds,
            finished=datetime.now(UTC).replace(tzinfo=None),
            writer=process.stamp(),
        )
        added(session, run)
        labels = [added(session, Label(run_id=run.id, **row)).id for row in found.labels]
        return run.id, labels

    def _analysis(self, session: Session, run: int, rows: MatrixRows) -> int:
        model = session.get_one(Model, session.get_one(Run, run).model_id)
        sae = sae_row(session, model, rows.measured.sae, _place(rows.measured.sae)).id
        return added(session, Analysis(run_id=run, sae_id=sae, **rows.facts())).id


def _complete(session: Session, run: int) -> None:
    session.execute(update(Run).where(Run.id == run).values(status=COMPLETE, writer=None))


def _model(session: Session, field: Field) -> Model:
    """The network, by its name and its layers: another day's rows are of the same one."""
    known = session.scalar(select(Model).where(Model.fingerprint == field.fingerprint))
    return known or added(
        session,
        Model(
            slug=free_slug(session, Model.slug, slugify(field.name), field.fingerprint),
            name=field.name,
            fingerprint=field.fingerprint,
            source=str(field.matrices[0].path),
            licence=None,
            family=FIELD,
            n_layers=len(field.matrices),
            d_model=max(matrix.width for matrix in field.matrices),
            vocab_size=0,
        ),
    )


def _corpus(session: Session, field: Field) -> Corpus:
    """The rows: matrices and table by the hash of their files."""
    known = session.scalar(select(Corpus).where(Corpus.sha256 == field.data_sha256))
    name = field.config.table or str(field.matrices[0].path)
    report: dict[str, Any] = {"rows": field.rows, "checks": plain(field.found), "columns": _spreads(field)}
    columns = [] if field.table is None else [{"name": c.name, "kind": c.kind} for c in field.labels]
    return known or added(
        session,
        Corpus(
            name=name.rsplit("/", 1)[-1], sha256=field.data_sha256, documents=field.places.groups,
            characters=field.rows, licence=None, report=report, label_columns=columns,
        ),
    )  # fmt: skip


def _spreads(field: Field) -> list[Row]:
    """Mean and standard deviation of each column of numbers."""
    columns = field.table.columns if field.table is not None else ()
    numbers = [column for column in columns if column.kind == "number" and column.role in ("label", "x", "y")]
    known = [(column.name, np.asarray(column.values)[~column.missing]) for column in numbers]
    return [
        {"name": name, "mean": number(float(values.mean())), "sd": number(float(values.std()))}
        for name, values in known
        if len(values)
    ]


def _place(sae: LoadedSae) -> str:
    """The matrix' name; of an SAE on it, with its kind."""
    kind = sae.details.get("metadata", {}).get("training_architecture") or sae.architecture
    return slugify(sae.hook_point) + ("" if isinstance(sae, Units) else f"-{kind}")
