"""In the place of `analysis.field.command`: the smallest analysis of rows that tells the truth, into a real store.

A label is followed where the mean of a unit differs by more than half between its two values; intervals are ± 0.05.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from sqlalchemy.orm import Session

from analysis.field.config import FieldConfig
from analysis.hashing import hash_of, sha256_file
from migrations.runner import upgrade
from store.session import make_engine
from store.tables import Analysis, Association, Corpus, Label, Latent, Model, Run, Sae

CALLS: list[FieldConfig] = []


def analyze(config: FieldConfig, console: Console) -> int:
    """The run's id; a run of the same data is not made twice."""
    CALLS.append(config)
    upgrade(config.db)
    assert config.table is not None
    x = np.load(config.activations[0])
    table = list(csv.DictReader(Path(config.table).read_text().splitlines()))
    labels = [name for name in table[0] if name not in (config.group, config.order)]
    data = hash_of([sha256_file(Path(config.activations[0])), sha256_file(Path(config.table))])
    engine = make_engine(config.db)
    with Session(engine) as session, session.begin():
        known = session.query(Run).filter_by(key=data).first()
        if known is not None:
            return known.id
        run = _run(session, config, data, len(x))
        analysis = _analysis(session, config, run, x)
        for name in labels:
            label = Label(
                run_id=run, name=name, kind="category", of="row", measure="eta2", documents=len(x), groups=[],
                confounds=[],
            )  # fmt: skip
            session.add(label)
            session.flush()
            late = np.array([row[name] == "late" for row in table])
            for index in range(x.shape[1]):
                effect = abs(float((x[late, index] > 0).mean() - (x[~late, index] > 0).mean()))
                session.add(
                    Association(
                        analysis_id=analysis,
                        index=index,
                        label_id=label.id,
                        verdict="yes" if effect > 0.5 else "no",
                        effect=effect,
                        low=effect - 0.05,
                        high=effect + 0.05,
                        statement={"code": "yes"},
                        data={},
                    )
                )
    engine.dispose()
    return run


def _run(session: Session, config: FieldConfig, data: str, rows: int) -> int:
    identity = hash_of(config.name)
    model = session.query(Model).filter_by(fingerprint=identity).first() or Model(
        slug="line", name=config.name, fingerprint=identity, source="", family="activations", n_layers=1, d_model=3,
        vocab_size=0,
    )  # fmt: skip
    corpus = Corpus(name="rows", sha256=data, documents=8, characters=rows, report={}, label_columns=[])
    session.add_all([model, corpus])
    session.flush()
    run = Run(
        key=data, suite=data, status="complete", model_id=model.id, corpus_id=corpus.id, tokens=rows, masked_tokens=0,
        masks={}, documents=8, context=1, dense_threshold=config.dense_threshold, seed=0, settings={}, versions={},
        seconds=1.0, finished=datetime.now(UTC).replace(tzinfo=None),
    )  # fmt: skip
    session.add(run)
    session.flush()
    return run.id


def _analysis(session: Session, config: FieldConfig, run: int, x: np.ndarray) -> int:
    identity = hash_of([config.name, "units"])
    sae = session.query(Sae).filter_by(sha256=identity).first() or Sae(
        slug="line/hidden", sha256=identity, model_id=session.get_one(Run, run).model_id, hook_point="hidden", layer=0,
        architecture="units", d_in=3, n_latents=3, dtype="float32", source=config.activations[0], details={},
    )  # fmt: skip
    session.add(sae)
    session.flush()
    density = (x > 0).mean(0)
    row = Analysis(
        run_id=run, sae_id=sae.id, l0=float(density.sum()), n_dense=int((density > 0.1).sum()), n_borderline=0,
        n_dead=0, n_pairs=0, massive_share=0.0, median_norm=1.0, density_curve=[], summary={},
    )  # fmt: skip
    session.add(row)
    session.flush()
    for index, value in enumerate(density.tolist()):
        session.add(
            Latent(
                analysis_id=row.id,
                index=index,
                density=value,
                density_low=value - 0.05,
                density_high=value + 0.05,
                is_dense=value > 0.1,
                borderline=False,
                mutual=False,
                is_pair=False,
                spark=[],
                top_tokens=[],
                reasons={},
            )
        )
    session.flush()
    return row.id
