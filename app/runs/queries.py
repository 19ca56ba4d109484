"""Runs, each a reading of a corpus through a model and its SAEs; and suites: runs that stand side by side as one."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.http.errors import NotFound
from app.runs.info import COUNTED, Held, RunInfo, counted, suite_of
from app.runs.suites import SuiteInfo, suites_of
from app.shared.language import _
from app.shared.links import UNPINNED, Pin
from app.shared.memory import remembered
from app.shared.record import columns
from store.tables import Analysis, Corpus, Model, Run, Sae

__all__ = [
    "RunInfo",
    "SuiteInfo",
    "counted",
    "find_run",
    "find_suite",
    "list_runs",
    "list_suites",
    "run_of_sae",
    "run_to_browse",
    "strip_of",
]
SHORTEST = 6
"""Letters of a hash that may stand for it."""


def list_runs(session: Session) -> list[RunInfo]:
    """All complete runs, newest first. Which is newer, their clocks say: a merged store has them in another order."""
    return remembered(session, ("runs",), lambda: _list_runs(session))


def _list_runs(session: Session) -> list[RunInfo]:
    held = _held(session)
    found = session.execute(_complete().order_by(Run.finished.desc(), Run.id.desc())).mappings()
    return [RunInfo(**row, **counted(held.get(row["id"], ()))) for row in found]


def _held(session: Session) -> dict[int, list[Held]]:
    """By run: its analyses by layer."""
    statement = (
        select(Analysis.id, Analysis.run_id, Sae.slug, Sae.layer, Analysis.n_dense, Sae.n_latents)
        .join(Sae, Sae.id == Analysis.sae_id)
        .order_by(Analysis.run_id, Sae.layer, Sae.slug)
    )
    rows = [Held(*row) for row in session.execute(statement)]
    return {run: list(own) for run, own in groupby(rows, attrgetter("run"))}


def find_run(session: Session, pin: Pin = UNPINNED) -> RunInfo | None:
    """The run or the suite asked for, or the suite of the newest complete run; None in an empty store.

    Raises:
        NotFound: there is no such complete run, or no such suite.
    """
    return remembered(session, ("shown", pin), lambda: _find_run(session, pin))


def _find_run(session: Session, pin: Pin) -> RunInfo | None:
    found = list_runs(session)
    if pin.run is not None:
        known = next((one for one in found if one.id == pin.run), None)
        if known is None:
            listed = ", ".join(str(one.id) for one in found[:10]) or _("none yet")
            raise NotFound(_("There is no complete run %(run)s. Runs: %(value)s.", run=pin.run, value=listed))
        return known
    if pin.suite is not None:
        return find_suite(session, pin.suite).shown
    return suite_of([one for one in found if one.suite == found[0].suite]) if found else None


def list_suites(session: Session) -> list[SuiteInfo]:
    """All suites, the one with the newest run first."""
    return remembered(session, ("suites",), lambda: suites_of(list_runs(session)))


def find_suite(session: Session, name: str) -> SuiteInfo:
    """By its name, or by the beginning of its hash.

    Raises:
        NotFound: there is none of this name.
    """
    known = list_suites(session)
    found = next((one for one in known if one.name == name), None)
    found = found or next((one for one in known if len(name) >= SHORTEST and one.key.startswith(name)), None)
    if found is None:
        listed = ", ".join(one.name for one in known[:10]) or _("none yet")
        raise NotFound(_("There is no suite '%(name)s'. Suites: %(value)s.", name=name, value=listed))
    return found


def run_to_browse(session: Session, slug: str | None, pin: Pin) -> RunInfo | None:
    """What is asked for; else the newest that holds this SAE, where one is named; else the newest.

    Raises:
        NotFound: there is no such complete run, or no such suite.
    """
    if pin == UNPINNED and slug:
        try:
            return run_of_sae(session, slug, pin)
        except NotFound:
            return find_run(session, pin)
    return find_run(session, pin)


def run_of_sae(session: Session, slug: str, pin: Pin = UNPINNED) -> RunInfo:
    """The run or suite asked for, or the suite of the newest complete run that holds this SAE.

    Raises:
        NotFound: no such SAE, or it is not in such a run.
    """
    return remembered(session, ("run", slug, pin), lambda: _run_of_sae(session, slug, pin))


def _run_of_sae(session: Session, slug: str, pin: Pin) -> RunInfo:
    if pin != UNPINNED:
        shown = _find_run(session, pin) if pin.suite or _known(session, pin.run) else None
    else:
        runs = list_runs(session)
        newest = next((one for one in runs if _holds(one, slug)), None)
        shown = newest and suite_of([one for one in runs if one.suite == newest.suite])
    if shown is None or not _holds(shown, slug):
        raise NotFound(_missing(session, slug, pin))
    return shown


def _holds(run: RunInfo, slug: str) -> bool:
    return any(one.slug == slug for one in run.held)


def _known(session: Session, number: int | None) -> bool:
    return any(one.id == number for one in list_runs(session))


def _missing(session: Session, slug: str, pin: Pin) -> str:
    known = list(session.scalars(select(Sae.slug).order_by(Sae.layer).limit(20)))
    if slug not in known and session.scalar(select(Sae.id).where(Sae.slug == slug)) is None:
        return _("There is no SAE '%(slug)s'. This store has: %(yet)s.", slug=slug, yet=", ".join(known) or "none yet")
    if pin == UNPINNED:
        return _("SAE '%(slug)s' is in no complete run.", slug=slug)
    return _(
        "SAE '%(slug)s' is not in %(suite)s.",
        slug=slug,
        suite=_("run %(id)s", id=pin.run) if pin.run is not None else _("suite %(name)s", name=pin.suite),
    )


def _complete() -> Select[Any]:
    named = {
        "model": Model.slug,
        "model_name": Model.name,
        "model_layers": Model.n_layers,
        "family": Model.family,
        "corpus": Corpus.name,
        "corpus_sha256": Corpus.sha256,
        "corpus_documents": Corpus.documents,
        "tokens_asked": Run.settings["tokens"].as_integer(),
        "dtype": Run.settings["model_dtype"].as_string(),
        "classes": Run.settings["classes"].as_boolean(),
    }
    return (
        select(*columns(RunInfo, Run, without=COUNTED, **named))
        .join(Model, Model.id == Run.model_id)
        .join(Corpus, Corpus.id == Run.corpus_id)
        .where(Run.status == "complete")
    )


def strip_of(session: Session, run: RunInfo) -> tuple[str, list[str]]:
    """The run's one whole document: name and tokens; empty where none was kept."""
    strip = remembered(session, ("strip", run.id), lambda: session.scalar(select(Run.strip).where(Run.id == run.id)))
    return (strip or {}).get("document", ""), (strip or {}).get("tokens", [])
