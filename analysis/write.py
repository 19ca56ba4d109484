"""Result -> rows: everything of a run in one transaction, `run.status` last."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar, cast

import torch
from sqlalchemy import Engine, Table, delete, insert, select, update
from sqlalchemy.orm import Session
from torch import Tensor

from analysis import __version__
from analysis.accumulators import STATISTICS
from analysis.accumulators.positions import KINDS as POSITION_KINDS
from analysis.config import AnalyzeConfig
from analysis.documents import Document
from analysis.errors import UserError
from analysis.geometry import STATISTICS as GEOMETRY
from analysis.geometry import Promoted, bias_cosine, promoted_tokens
from analysis.panel import Panel
from analysis.pipeline import Reading, Result
from analysis.rows.examples import documents_of, example_rows
from analysis.rows.latents import Scalars, latent_rows
from analysis.rows.pairs import pair_rows
from analysis.rows.plain import Row, number, plain
from analysis.rows.profiles import (
    DETAIL_ITEMS,
    histogram_rows,
    position_rows,
    promoted_rows,
    strip_rows,
    token_rows,
    with_gap,
)
from analysis.sae import LoadedSae, slug_part, slugify
from store.session import session_factory
from store.tables import Analysis, Base, Corpus, Example, Latent, Model, Pair, Profile, Run, Sae, Statistic

_CHUNK = 2000  # rows per statement
_Row = TypeVar("_Row", bound=Base)


def find_complete(engine: Engine, key: str) -> Run | None:
    """The newest complete run of this key, if the store has one."""
    with session_factory(engine)() as session:
        return session.scalar(select(Run).where(Run.key == key, Run.status == "complete").order_by(Run.id.desc()))


def check_known(engine: Engine, saes: list[LoadedSae], fingerprint: str) -> None:
    """Refuse weights that the store knows with another configuration or model: one page cannot stand for both.

    Args:
        fingerprint: of the model.

    Raises:
        UserError: the SAE, and what the store has.
    """
    with session_factory(engine)() as session:
        for sae in saes:
            known = session.scalar(select(Sae).where(Sae.sha256 == sae.sha256))
            if known is None:
                continue
            model = session.get_one(Model, known.model_id)
            same = known.details.get("settings_sha256") == sae.settings
            if not same or model.fingerprint != fingerprint:
                raise UserError(
                    f"--sae {sae.source}: the store has these weights as {known.slug}, reading {known.hook_point} of"
                    f" {model.name}, with another {'model' if same else 'cfg.json'}; use another --db"
                )


def write(engine: Engine, result: Result) -> int:
    """Store a run.

    Returns:
        the run's id.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be written; nothing of the run is stored.
    """
    reading = result.reading
    words = reading.model.words()
    # what takes longest is made before the transaction, which holds the only writer's lock
    lens = reading.model.unembedding(), _sayable(reading, words)
    promoted = [promoted_tokens(panel.sae.decoder, *lens, DETAIL_ITEMS) for panel in result.panels]
    documents = documents_of(reading.corpus, [panel.examples.summarise() for panel in result.panels])
    with session_factory(engine)() as session, session.begin():
        _declare_statistics(session)
        model = _model(session, reading)
        run = _run(session, result, model.id, _corpus(session, reading).id)
        for place, panel in enumerate(result.panels):
            # made one SAE at a time: the rows of all of them might not fit in memory
            rows = _SaeRows(result, place, words, documents, promoted[place])
            rows.insert(session, run.id, _sae(session, model, panel.sae).id)
        session.execute(update(Run).where(Run.id == run.id).values(status="complete"))
        return run.id


class _SaeRows:
    """All rows of one SAE."""

    def __init__(
        self, result: Result, place: int, words: list[str], documents: dict[int, Document], promoted: Promoted
    ) -> None:
        reading, self.panel = result.reading, result.panels[place]
        panel, geometry = self.panel, result.geometry[place]
        sae, plan = panel.sae, panel.plan
        detail = set(plan.latents.tolist())
        histogram, tokens = panel.histogram.summarise(), panel.tokens.summarise()
        counts, edges = with_gap(histogram.counts, histogram.edges, sae.signed)
        scalars = Scalars(
            panel.density.summarise(), panel.moments.summarise(), geometry, bias_cosine(sae.decoder, sae.bias),
            sae.decoder.norm(dim=1).double(), counts, edges, tokens,
        )  # fmt: skip
        self.latents = latent_rows(scalars, plan, reading.config.dense_threshold, words)
        self.profiles = [
            *histogram_rows(counts, edges),
            *token_rows(tokens, detail, words),
            *promoted_rows(promoted, detail, words),
        ]
        for kind in POSITION_KINDS:
            self.profiles += position_rows(kind, plan.latents, panel.positions[kind].summarise(), sae.signed)
        if result.strip is not None:
            self.profiles += strip_rows(plan.latents, result.strip_acts[place])
        special = reading.model.special_ids
        self.examples = list(example_rows(panel.examples.summarise(), plan, documents, words, special))
        joint = panel.joint.summarise()
        self.pairs = list(pair_rows(plan.pairs.first, plan.pairs.second, joint, geometry))

    def insert(self, session: Session, run_id: int, sae_id: int) -> None:
        """Insert all, foreign keys filled in."""
        analysis = Analysis(run_id=run_id, sae_id=sae_id, **_layer_facts(self.panel, self.latents))
        session.add(analysis)
        session.flush()
        for table, rows in (
            (Latent, self.latents),
            (Profile, self.profiles),
            (Example, self.examples),
            (Pair, self.pairs),
        ):
            _insert(session, table, ({**row, "analysis_id": analysis.id} for row in rows))


def _insert(session: Session, table: type[Base], rows: Iterable[Row]) -> None:
    statement = cast(Table, table.__table__).insert()  # the ORM's own insert costs twice as much a row
    for chunk in _chunks(rows):
        session.execute(statement, chunk)


def _sayable(reading: Reading, words: list[str]) -> Tensor:
    """[vocab] bool: neither special nor empty."""
    allowed = torch.tensor([bool(word) for word in words])
    allowed[[token for token in reading.model.special_ids if token < len(words)]] = False
    return allowed


def _layer_facts(panel: Panel, latents: list[Row]) -> Row:
    whole = panel.reconstruction.summarise()
    densities = sorted((row["density"] for row in latents), reverse=True)
    dense = [row for row in latents if row["is_dense"]]
    shares = [row["mass_share"] for row in dense if row["mass_share"] is not None]
    return {
        "l0": whole.l0,
        "fvu": number(whole.fvu),
        "n_dense": len(dense),
        "n_borderline": sum(row["borderline"] for row in latents),
        "n_dead": sum(row["density"] == 0 for row in latents),
        "n_pairs": sum(row["is_pair"] for row in latents) // 2,
        "dense_mass_share": sum(shares) if whole.l0 > 0 else None,
        "massive_share": 1 - whole.ordinary / max(whole.tokens, 1),
        "median_norm": float(panel.plan.median_norm),
        "density_curve": densities,
        "summary": {
            "n_detail": len(panel.plan.latents),
            "dense_in_pairs": sum(row["is_pair"] for row in dense),
        },
    }


def _declare_statistics(session: Session) -> None:
    session.execute(delete(Statistic))
    rows = [asdict(statistic) | {"position": place} for place, statistic in enumerate((*STATISTICS, *GEOMETRY))]
    session.execute(insert(Statistic), rows)


def _model(session: Session, reading: Reading) -> Model:
    model = reading.model
    known = session.scalar(select(Model).where(Model.fingerprint == model.fingerprint))
    if known is not None:
        return known
    row = Model(
        slug=_free(session, Model.slug, slugify(model.name), model.fingerprint),
        name=model.name,
        fingerprint=model.fingerprint,
        source=model.source,
        licence=model.licence,
        family=model.family,
        n_layers=model.n_layers,
        d_model=model.d_model,
        vocab_size=model.vocab_size,
    )
    return _added(session, row)


def _corpus(session: Session, reading: Reading) -> Corpus:
    corpus = reading.corpus
    known = session.scalar(select(Corpus).where(Corpus.sha256 == corpus.sha256))
    if known is not None:
        return known
    row = Corpus(
        name=corpus.name,
        sha256=corpus.sha256,
        documents=corpus.report.documents,
        characters=corpus.report.characters,
        licence=None,
        report=plain(corpus.report.as_dict()),
        label_columns=sorted(corpus.report.label_columns),
    )
    return _added(session, row)


def _sae(session: Session, model: Model, sae: LoadedSae) -> Sae:
    known = session.scalar(select(Sae).where(Sae.sha256 == sae.sha256))
    if known is not None:
        return known
    row = Sae(
        slug=_free(session, Sae.slug, f"{model.slug}/{slug_part(sae)}", sae.sha256),
        sha256=sae.sha256,
        model_id=model.id,
        hook_point=sae.hook_point,
        layer=sae.layer,
        # sae-lens saves BatchTopK as JumpReLU: what it was trained as is what people call it
        architecture=sae.details.get("metadata", {}).get("training_architecture") or sae.architecture,
        d_in=sae.d_in,
        n_latents=sae.n_latents,
        dtype=sae.dtype,
        source=sae.source,
        neuronpedia_id=sae.neuronpedia_id,
        details=plain(sae.details) | {"settings_sha256": sae.settings},
        training=plain(sae.training),
    )
    return _added(session, row)


def _run(session: Session, result: Result, model_id: int, corpus_id: int) -> Run:
    reading, counts = result.reading, result.counts
    config = reading.config
    run = Run(
        key=reading.key,
        status="writing",
        model_id=model_id,
        corpus_id=corpus_id,
        tokens=counts["tokens"],
        masked_tokens=counts["masked"],
        documents=counts["documents"],
        context=config.context,
        dense_threshold=config.dense_threshold,
        seed=config.seed,
        settings=_settings(config) | {"model_dtype": reading.model.dtype_name},
        versions=_versions(),
        strip=plain(result.strip),
        seconds=result.seconds,
        finished=datetime.now(UTC).replace(tzinfo=None),
    )
    return _added(session, run)


def _added(session: Session, row: _Row) -> _Row:
    session.add(row)
    session.flush()
    return row


def _free(session: Session, column: Any, wanted: str, fingerprint: str) -> str:
    """`wanted`, or with a piece of the fingerprint where another row has that slug."""
    taken = session.scalar(select(column).where(column == wanted))
    return wanted if taken is None else f"{wanted}-{fingerprint[:8]}"


def _settings(config: AnalyzeConfig) -> Row:
    """What the run was asked for; not where it was stored, since a database URL may hold a password."""
    found: Row = plain(asdict(config))
    del found["db"]
    return found


def _versions() -> dict[str, str]:
    found = {"dense-latents": __version__, "python": platform.python_version()}
    for package in ("torch", "transformers", "sae-lens"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
