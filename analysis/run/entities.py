"""Rows that runs share, found or made: model, corpus and SAE, each by its hash; and the row of the run itself."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.process.versions import versions
from analysis.reading.sae import LoadedSae, slug_part, slugify
from analysis.run.pipeline import Reading, Result
from analysis.run.rows.plain import Row, plain
from store.identity import adopt, find_model, find_sae, free_slug, rename_model
from store.suites import suite_key
from store.tables import Base, Corpus, Model, Run, Sae
from store.vocabulary import BOS, SPECIAL, TEMPLATE
from store.writing import WRITING

_Row = TypeVar("_Row", bound=Base)


def model_row(session: Session, reading: Reading) -> Model:
    """The model, by its identity; one that an older version stored gets it now."""
    model = reading.model
    known = session.scalar(select(Model).where(Model.fingerprint == model.fingerprint))
    if known is None and session.scalar(select(Model.id).limit(1)) is not None:  # what it was called costs a reading
        known = find_model(session, model.fingerprint, model.former)
    if known is not None:
        rename_model(session, known, model.fingerprint)
        return known
    row = Model(
        slug=free_slug(session, Model.slug, slugify(model.name), model.fingerprint),
        name=model.name,
        fingerprint=model.fingerprint,
        source=model.source,
        licence=model.licence,
        family=model.family,
        n_layers=model.n_layers,
        d_model=model.d_model,
        vocab_size=model.vocab_size,
    )
    return added(session, row)


def corpus_row(session: Session, reading: Reading) -> Corpus:
    """The corpus, by the hash of its records."""
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
    return added(session, row)


def sae_row(session: Session, model: Model, sae: LoadedSae, part: str = "") -> Sae:
    """The SAE, by its identity; one that an older version stored gets it now, and keeps its annotations.

    Args:
        part: of its slug, after the model's; made of its hook point without one.
    """
    adopt(session, sae.sha256, sae.former)
    known = find_sae(session, sae.sha256, sae.former)
    if known is not None:
        known.sha256 = sae.sha256
        return known
    row = Sae(
        slug=free_slug(session, Sae.slug, f"{model.slug}/{part or slug_part(sae)}", sae.sha256),
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
        details=plain(sae.details) | {"settings_sha256": sae.settings, "hook_out": sae.hook_out},
        training=plain(sae.training),
    )
    return added(session, row)


def run_row(session: Session, result: Result, model: Model, corpus: Corpus) -> Run:
    """A new run, not complete yet."""
    reading, counts = result.reading, result.counts
    config = reading.config
    of_the_model = {"model_dtype": reading.model.dtype_name, "prepend_bos": reading.model.prepend_bos}
    settings, made_by = _settings(reading) | of_the_model, versions()
    run = Run(
        key=reading.key,
        suite=suite_key(model.fingerprint, corpus.sha256, settings, made_by),
        status=WRITING,
        model_id=model.id,
        corpus_id=corpus.id,
        tokens=counts["tokens"],
        masked_tokens=counts[BOS] + counts[SPECIAL] + counts[TEMPLATE],
        masks={name: counts[name] for name in (BOS, SPECIAL, TEMPLATE)},
        documents=counts["documents"],
        context=config.context,
        dense_threshold=config.dense_threshold,
        seed=config.seed,
        settings=settings,
        versions=made_by,
        strip=plain(result.strip),
        seconds=result.seconds,
        finished=datetime.now(UTC).replace(tzinfo=None),
    )
    return added(session, run)


def added(session: Session, row: _Row) -> _Row:
    """The row with its id."""
    session.add(row)
    session.flush()
    return row


def _settings(reading: Reading) -> Row:
    """What the run was asked for; not where it was stored, since a database URL may hold a password."""
    found: Row = plain(asdict(reading.config)) | {"corpus": reading.corpus.source}
    del found["db"]
    return found
