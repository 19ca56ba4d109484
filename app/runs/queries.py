"""Runs: one reading of a corpus through a model and its SAEs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, defer

from app.http.errors import NotFound
from app.shared.memory import remembered
from store.tables import Analysis, Corpus, Model, Run, Sae


@dataclass(frozen=True)
class RunInfo:
    """A complete run with its model and corpus."""

    id: int
    key: str
    model: str
    model_name: str
    model_layers: int
    corpus: str
    corpus_sha256: str
    tokens: int
    masked_tokens: int
    documents: int
    context: int
    dense_threshold: float
    seed: int
    versions: dict[str, Any]
    seconds: float
    finished: datetime
    n_saes: int
    n_dense: int
    n_latents: int


def list_runs(session: Session) -> list[RunInfo]:
    """All complete runs, newest first."""
    return [_info(*row) for row in session.execute(_complete().order_by(Run.id.desc()))]


def find_run(session: Session, run: int | None) -> RunInfo | None:
    """The run asked for, or the newest complete one; None in an empty store.

    Raises:
        NotFound: `run` names no complete run.
    """
    statement = _complete() if run is None else _complete().where(Run.id == run)
    row = session.execute(statement.order_by(Run.id.desc()).limit(1)).first()
    if row is None and run is not None:
        known = ", ".join(str(item.id) for item in list_runs(session)[:10]) or "none yet"
        raise NotFound(f"There is no complete run {run}. Runs: {known}.")
    return _info(*row) if row else None


def run_to_browse(session: Session, slug: str | None, run: int | None) -> RunInfo | None:
    """The run asked for; else the newest one that holds this SAE, where one is named; else the newest.

    Raises:
        NotFound: `run` names no complete run.
    """
    if run is None and slug:
        try:
            return run_of_sae(session, slug, None)
        except NotFound:
            return find_run(session, None)
    return find_run(session, run)


def run_of_sae(session: Session, slug: str, run: int | None) -> RunInfo:
    """The run asked for, or the newest complete one that holds this SAE.

    Raises:
        NotFound: no such SAE, or it is not in such a run.
    """
    return remembered(session, ("run", slug, run), lambda: _run_of_sae(session, slug, run))


def _run_of_sae(session: Session, slug: str, run: int | None) -> RunInfo:
    holds = select(Analysis.run_id).join(Sae).where(Sae.slug == slug)
    statement = _complete().where(Run.id.in_(holds))
    if run is not None:
        statement = statement.where(Run.id == run)
    row = session.execute(statement.order_by(Run.id.desc()).limit(1)).first()
    if row is None:
        raise NotFound(_missing(session, slug, run))
    return _info(*row)


def _missing(session: Session, slug: str, run: int | None) -> str:
    known = list(session.scalars(select(Sae.slug).order_by(Sae.layer).limit(20)))
    if slug not in known and session.scalar(select(Sae.id).where(Sae.slug == slug)) is None:
        return f"There is no SAE '{slug}'. This store has: {', '.join(known) or 'none yet'}."
    return f"SAE '{slug}' is in no complete run." if run is None else f"SAE '{slug}' is not in run {run}."


def _complete() -> Select[Any]:
    counts = (
        select(
            Analysis.run_id,
            func.count().label("saes"),
            func.sum(Analysis.n_dense).label("dense"),
            func.sum(Sae.n_latents).label("latents"),
        )
        .join(Sae, Sae.id == Analysis.sae_id)
        .group_by(Analysis.run_id)
        .subquery()
    )
    return (
        select(Run, Model, Corpus, counts.c.saes, counts.c.dense, counts.c.latents)
        .join(Model, Model.id == Run.model_id)
        .join(Corpus, Corpus.id == Run.corpus_id)
        .join(counts, counts.c.run_id == Run.id)
        .where(Run.status == "complete")
        .options(defer(Run.strip), defer(Run.settings), defer(Corpus.report))
    )


def _info(run: Run, model: Model, corpus: Corpus, saes: int, dense: int, latents: int) -> RunInfo:
    return RunInfo(
        id=run.id,
        key=run.key,
        model=model.slug,
        model_name=model.name,
        model_layers=model.n_layers,
        corpus=corpus.name,
        corpus_sha256=corpus.sha256,
        tokens=run.tokens,
        masked_tokens=run.masked_tokens,
        documents=run.documents,
        context=run.context,
        dense_threshold=run.dense_threshold,
        seed=run.seed,
        versions=run.versions,
        seconds=run.seconds,
        finished=run.finished.replace(tzinfo=UTC),  # SQLite keeps no zone; the worker writes UTC
        n_saes=saes,
        n_dense=int(dense),
        n_latents=int(latents),
    )


def strip_of(session: Session, run: RunInfo) -> tuple[str, list[str]]:
    """The run's one whole document: name and tokens; empty where none was kept."""
    strip = remembered(session, ("strip", run.id), lambda: session.scalar(select(Run.strip).where(Run.id == run.id)))
    return (strip or {}).get("document", ""), (strip or {}).get("tokens", [])
