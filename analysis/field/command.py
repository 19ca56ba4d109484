"""`analyze --activations` from end to end."""

from __future__ import annotations

import time

import torch
from rich.console import Console
from sqlalchemy import Engine, select

from analysis.field.config import FieldConfig
from analysis.field.follow import follow
from analysis.field.measure import measure
from analysis.field.reading import Field, load
from analysis.field.write import Opened
from analysis.process.plain_errors import plain_words
from analysis.process.progress import progress_bar
from analysis.run.pipeline import check_place
from migrations.runner import upgrade
from store.session import make_engine, session_factory, without_password
from store.tables import Run
from store.writing import COMPLETE

_PATIENCE_MS = 120_000


def analyze(config: FieldConfig, console: Console) -> int:
    """Measure every unit of every matrix, hold the table's columns against them, and store it; the run's id.

    Raises:
        UserError: bad input, or a database that cannot be used.
    """
    with plain_words(config.db, "repeat the command"):
        check_place(config.db)
        field = load(config, console)
        upgrade(config.db)
        engine = make_engine(config.db, wait_ms=_PATIENCE_MS)
        with session_factory(make_engine(config.db, read_only=True))() as session:
            known = session.scalar(select(Run).where(Run.key == field.key, Run.status == COMPLETE))
        if known is not None:
            console.print(f"run {known.id} in {without_password(config.db)} is this very run")
            return known.id
        return _run(field, engine, console)


def _run(field: Field, engine: Engine, console: Console) -> int:
    started = time.monotonic()
    measured = []
    for matrix, sae in zip(field.matrices, field.saes, strict=True):
        with progress_bar(console, f"reading {matrix.name}", matrix.rows, "rows") as progress:
            one = measure(matrix, sae, field.places, field.config, torch.empty(0, dtype=torch.int64), console, progress)
        console.print(f"holding {len(field.labels)} labels against {matrix.name}")
        measured.append((one, follow(field, one)))
    seconds = time.monotonic() - started
    run = Opened(engine, field, seconds).write(measured)
    dense = sum(int((one.panel.columns()["is_dense"]).sum()) for one, _found in measured)
    console.print(
        f"run {run}: {field.rows:,} rows in {field.places.groups:,} groups, {len(measured)}"
        f" matri{'ces' if len(measured) > 1 else 'x'}, {dense:,} dense units, {seconds:,.0f} s; stored in"
        f" {without_password(field.config.db)}"
    )
    return run
