"""An analysed SAE, opened again: its rows in the store, its weights, its model and its text, all checked by hash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.process.plain_errors import plain_words
from analysis.reading.chat import Chat
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus
from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from analysis.reading.sae import LoadedSae, load_sae
from migrations.runner import upgrade
from store.session import database_url, make_engine, session_factory, sqlite_path, without_password
from store.tables import Analysis, Latent, Pair, Run, Sae
from store.tables import Corpus as CorpusRow
from store.tables import Model as ModelRow
from store.vocabulary import CONTROL

RUN = "run"
"""In place of a dtype: the one that the model had in the run."""


@dataclass(frozen=True)
class Stored:
    """What the store says of one SAE in one run."""

    run_id: int
    analysis_id: int
    sae_id: int
    slug: str
    hook_point: str
    hook_out: str  # of a transcoder, where it writes
    source: str
    sha256: str
    model_source: str
    model_fingerprint: str
    corpus_sha256: str
    settings: dict[str, Any]  # of the run
    context: int
    seed: int
    dense_threshold: float
    dense: list[int]  # densest first
    controls: list[int]  # sparse latents with detail
    pairs: list[tuple[int, int]]  # antipodal, the positive (denser) latent first
    densities: dict[int, float]  # of the latents with detail
    median_norm: float  # of the residual stream at the hook point


@dataclass(frozen=True)
class Subject:
    """Everything an intervention needs, loaded and checked."""

    stored: Stored
    model: LanguageModel
    sae: LoadedSae
    corpus: Corpus

    def stream(self, tokens: int, batch: int, *, held_out: float = 0.0, only_held_out: bool = False) -> ContextStream:
        """The run's own sample of the text, as far as `tokens`."""
        return ContextStream(
            self.corpus,
            self.model.tokenizer,
            bos=self.model.bos_id,
            special=self.model.special_ids,
            context=self.stored.context,
            batch=batch,
            tokens=tokens,
            seed=self.stored.seed,
            held_out=held_out,
            only_held_out=only_held_out,
        )


def open_subject(
    db: str,
    sae: str,
    *,
    run: int | None = None,
    model: str | None = None,
    weights: str | None = None,
    corpus: str | None = None,
    dtype: str = RUN,
    device: str = "auto",
) -> Subject:
    """Look up an analysed SAE and load all that belongs to it.

    Args:
        db: the store.
        sae: its slug, or the number of its layer.
        run: id of the run; without it the newest analysis, first of the newest suite.
        model, weights, corpus: where they are now, should they have moved.
        dtype: of the model; `run` is that of the run.

    Raises:
        UserError: no such run or SAE, or what was found is not what was analysed.
    """
    path = sqlite_path(database_url(db))
    if path is None or path.exists():
        with plain_words(db, "repeat the command"):
            upgrade(db)  # what is found will be written beside it
    stored = look_up(db, sae, run)
    return load_subject(stored, model=model, weights=weights, corpus=corpus, dtype=dtype, device=device)


def load_subject(
    stored: Stored, *, model: str | None, weights: str | None, corpus: str | None, dtype: str, device: str
) -> Subject:
    """Load all that belongs to an analysed SAE; see `open_subject`.

    Raises:
        UserError: what was found is not what was analysed.
    """
    text = Corpus(
        corpus or stored.settings["corpus"],
        stored.settings.get("text_field", "text"),
        Chat(model or stored.model_source),
        stored.settings.get("encoding", ""),
    )
    _same(f"the corpus at {text.path}", stored.corpus_sha256, text.sha256, "--corpus")
    loaded = load_sae(weights or stored.source)
    same_sae(stored, loaded, "--weights")
    lm = load_model_of(stored, centred=loaded.centred, model=model, dtype=dtype, device=device)
    if lm.device.type != "cpu":
        loaded = load_sae(weights or stored.source, device=str(lm.device))
    return Subject(stored, lm, loaded, text)


def load_model_of(
    stored: Stored, *, centred: bool, model: str | None = None, dtype: str = RUN, device: str = "auto"
) -> LanguageModel:
    """The model that an SAE was analysed with; see `open_subject`.

    Raises:
        UserError: what was found is not what was analysed.
    """
    # a run that an older version stored does not say it
    dtype = stored.settings.get("model_dtype", "auto") if dtype == RUN else dtype
    # with BOS or without, as in the run: versions that stored nothing of it always had one
    bos = stored.settings.get("prepend_bos", True)
    lm = load_model(model or stored.model_source, dtype=dtype, device=device, centred=centred, prepend_bos=bos)
    if stored.model_fingerprint != lm.fingerprint and stored.model_fingerprint not in lm.former:
        _same(f"the model {lm.name}", stored.model_fingerprint, lm.fingerprint, "--model")
    return lm


def look_up(db: str, sae: str, run: int | None = None) -> Stored:
    """The rows of an analysed SAE.

    Raises:
        UserError: no store, no complete run, or no such SAE in it; what there is, is named.
    """
    path = sqlite_path(database_url(db))
    if path is not None and not path.exists():
        raise UserError(f"--db {without_password(db)}: expected a store that `analyze` or `demo` made; found no file")
    try:
        with session_factory(make_engine(db, read_only=True))() as session:
            return _stored(session, _row(session, db, sae, run))
    except SQLAlchemyError as error:
        found = getattr(error, "orig", error)
        raise UserError(f"--db {without_password(db)}: expected a store of this version; found {found}") from error


def _row(session: Session, db: str, sae: str, run: int | None) -> Any:
    wanted = select(Run).where(Run.status == "complete").order_by(Run.finished.desc(), Run.id.desc())
    found = session.scalar(wanted if run is None else wanted.where(Run.id == run))
    if found is None:
        which = "a complete run" if run is None else f"complete run {run}"
        raise UserError(f"--db {without_password(db)}: expected {which}; found none")
    own = Run.id == found.id if run is not None else and_(Run.suite == found.suite, Run.status == "complete")
    rows = _newest(session, own)
    fitting = [row for row in rows if sae in (row.Sae.slug, str(row.Sae.layer))]
    if not fitting and run is None:  # one of another suite, by its whole name
        fitting = _newest(session, and_(Sae.slug == sae, Run.status == "complete"))
    if len(fitting) != 1:
        there = ", ".join(row.Sae.slug for row in rows)
        what = "is no SAE" if not fitting else "are several SAEs"
        runs = sorted({row.Run.id for row in rows})
        which = f"run{'s' * (len(runs) > 1)} {', '.join(map(str, runs))}"
        raise UserError(f"--sae {sae}: {what} of {which}; choose one of {there}")
    return fitting[0]


def _newest(session: Session, where: ColumnElement[bool]) -> list[Any]:
    """The newest analysis of each SAE, by layer."""
    statement = select(Analysis, Sae, ModelRow, CorpusRow, Run).select_from(Analysis)
    statement = statement.join(Run, Run.id == Analysis.run_id).join(Sae, Sae.id == Analysis.sae_id)
    statement = statement.join(ModelRow, ModelRow.id == Run.model_id).join(CorpusRow, CorpusRow.id == Run.corpus_id)
    rows = session.execute(statement.where(where).order_by(Run.finished, Run.id)).all()
    newest = {row.Sae.id: row for row in rows}
    return sorted(newest.values(), key=lambda row: (row.Sae.layer, row.Sae.slug))


def _stored(session: Session, row: Any) -> Stored:
    latents = session.execute(
        select(Latent.index.label("latent"), Latent.density, Latent.is_dense, Latent.detail)
        .where(Latent.analysis_id == row.Analysis.id, Latent.is_dense | Latent.detail.is_not(None))
        .order_by(Latent.density.desc(), Latent.index)
    ).all()
    pairs = session.execute(
        select(Pair.positive, Pair.negative)
        .where(Pair.analysis_id == row.Analysis.id, Pair.is_pair)
        .order_by(Pair.positive)
    ).all()
    return Stored(
        run_id=row.Run.id,
        analysis_id=row.Analysis.id,
        sae_id=row.Sae.id,
        slug=row.Sae.slug,
        hook_point=row.Sae.hook_point,
        hook_out=row.Sae.details.get("hook_out", row.Sae.hook_point),
        source=row.Sae.source,
        sha256=row.Sae.sha256,
        model_source=row.Run.settings["model"],
        model_fingerprint=row.Model.fingerprint,
        corpus_sha256=row.Corpus.sha256,
        settings=row.Run.settings,
        context=row.Run.context,
        seed=row.Run.seed,
        dense_threshold=row.Run.dense_threshold,
        dense=[found.latent for found in latents if found.is_dense],
        controls=[found.latent for found in latents if found.detail == CONTROL],
        pairs=[(found.positive, found.negative) for found in pairs],
        densities={found.latent: found.density for found in latents},
        median_norm=row.Analysis.median_norm,
    )


def same_sae(stored: Stored, loaded: LoadedSae, option: str) -> None:
    """Refuse another SAE than the one that was analysed.

    Raises:
        UserError: both hashes.
    """
    if stored.sha256 not in loaded.former:
        _same(f"the SAE at {loaded.source}", stored.sha256, loaded.sha256, option)


def _same(what: str, expected: str, found: str, option: str) -> None:
    if expected != found:
        raise UserError(
            f"{what}: expected what the run was made with, SHA-256 {expected[:16]}...; found {found[:16]}...;"
            f" say where it is with {option}"
        )
