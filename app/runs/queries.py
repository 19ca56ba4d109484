"""Runs: one reading of a corpus through a model and its SAEs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.http.errors import NotFound
from app.shared.memory import remembered
from app.shared.numbers import count
from app.shared.record import Hidden, Moment, Record, columns, read
from app.shared.statements import listed
from store.tables import Analysis, Corpus, Model, Run, Sae
from store.vocabulary import BOS, SPECIAL, TEMPLATE

_MASKS = {BOS: "BOS", SPECIAL: "special", TEMPLATE: "template"}


class RunInfo(Record):
    """One reading of a corpus through a model and its SAEs."""

    id: int
    """Pins the run: ?run="""
    key: str
    """Hash of all that fixes the run's numbers"""
    model: str
    model_name: str = Hidden
    model_layers: int = Hidden
    corpus: str
    corpus_sha256: str
    tokens: int
    """Counted tokens: the denominator of every density"""
    masked_tokens: int
    """Tokens that are no text: in no numerator and no denominator"""
    masks: dict[str, int] | None
    """The same by name, bos, special and template; null where an older worker counted padding among them"""
    tokens_asked: int | None
    """Tokens that were to be read: more than `tokens` where the text ended early; null where nobody knows"""
    documents: int
    """Of which at least one token was counted"""
    corpus_documents: int
    """Of the whole corpus"""
    context: int
    """Tokens per context, BOS included"""
    dense_threshold: float
    """A latent is dense above this density"""
    seed: int
    versions: dict[str, Any]
    seconds: float
    finished: Moment
    n_saes: int
    n_dense: int
    n_latents: int

    @property
    def asked(self) -> str:
        """How many tokens were to be read, where the text ended before; as it follows their number."""
        short = self.tokens_asked is not None and self.tokens < self.tokens_asked
        return f" (the text ended; {count(self.tokens_asked)} were asked for)" if short else ""

    @property
    def left_out(self) -> str:
        """What was read and not counted, by its name where that is known."""
        if self.masks is None:
            return f"{count(self.masked_tokens)} special and padding tokens"
        named = [f"{count(number)} {_MASKS.get(name, name)}" for name, number in self.masks.items() if number]
        return f"{listed(named) or 'no'} tokens"


def list_runs(session: Session) -> list[RunInfo]:
    """All complete runs, newest first."""
    return read(session, RunInfo, _complete().order_by(Run.id.desc()))


def find_run(session: Session, run: int | None) -> RunInfo | None:
    """The run asked for, or the newest complete one; None in an empty store.

    Raises:
        NotFound: `run` names no complete run.
    """
    statement = _complete() if run is None else _complete().where(Run.id == run)
    newest = statement.order_by(Run.id.desc()).limit(1)
    found = remembered(session, ("newest", run), lambda: read(session, RunInfo, newest))
    if not found and run is not None:
        known = ", ".join(str(item.id) for item in list_runs(session)[:10]) or "none yet"
        raise NotFound(f"There is no complete run {run}. Runs: {known}.")
    return found[0] if found else None


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
    found = read(session, RunInfo, statement.order_by(Run.id.desc()).limit(1))
    if not found:
        raise NotFound(_missing(session, slug, run))
    return found[0]


def _missing(session: Session, slug: str, run: int | None) -> str:
    known = list(session.scalars(select(Sae.slug).order_by(Sae.layer).limit(20)))
    if slug not in known and session.scalar(select(Sae.id).where(Sae.slug == slug)) is None:
        return f"There is no SAE '{slug}'. This store has: {', '.join(known) or 'none yet'}."
    return f"SAE '{slug}' is in no complete run." if run is None else f"SAE '{slug}' is not in run {run}."


def _complete() -> Select[Any]:
    counts = (
        select(
            Analysis.run_id,
            func.count().label("n_saes"),
            func.sum(Analysis.n_dense).label("n_dense"),
            func.sum(Sae.n_latents).label("n_latents"),
        )
        .join(Sae, Sae.id == Analysis.sae_id)
        .group_by(Analysis.run_id)
        .subquery()
    )
    named = {
        "model": Model.slug,
        "model_name": Model.name,
        "model_layers": Model.n_layers,
        "corpus": Corpus.name,
        "corpus_sha256": Corpus.sha256,
        "corpus_documents": Corpus.documents,
        "tokens_asked": Run.settings["tokens"].as_integer(),
    }
    counted = {name: counts.c[name] for name in ("n_saes", "n_dense", "n_latents")}
    return (
        select(*columns(RunInfo, Run, **named, **counted))
        .join(Model, Model.id == Run.model_id)
        .join(Corpus, Corpus.id == Run.corpus_id)
        .join(counts, counts.c.run_id == Run.id)
        .where(Run.status == "complete")
    )


def strip_of(session: Session, run: RunInfo) -> tuple[str, list[str]]:
    """The run's one whole document: name and tokens; empty where none was kept."""
    strip = remembered(session, ("strip", run.id), lambda: session.scalar(select(Run.strip).where(Run.id == run.id)))
    return (strip or {}).get("document", ""), (strip or {}).get("tokens", [])
