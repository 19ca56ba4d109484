"""A worker writes while people save: nobody waits long, nothing is seen before it is whole, nothing is left behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from app.main import create_app
from app.settings import Settings
from migrations.runner import upgrade
from store.session import make_engine, session_factory
from store.tables import Analysis, Annotation, Latent, LatentToken, Run, SearchText, Traces
from tests.analysis.conftest import Parts
from tests.analysis.run.jobs import Worker
from tests.analysis.tiny_models import D_MODEL
from tests.planted import sae_folder

FEW = ("--tokens", "1500")
LONGEST_WAIT = 2.0
"""Seconds that a save may take while a worker writes."""


def wide(folder: Path, latents: int) -> Path:
    """An SAE of random directions."""
    generator = torch.Generator().manual_seed(latents)
    rows = torch.nn.functional.normalize(torch.randn(latents, D_MODEL, generator=generator), dim=1)
    return sae_folder(
        folder, rows, rows, torch.zeros(latents), kind="TopK", k=32, hook="blocks.1.hook_resid_post"
    )  # fmt: skip


def saves_while(worker: Worker, db: str) -> tuple[float, int]:
    """Save a note again and again until the worker ends: the longest that took, and how many came in while it wrote."""
    engine, longest, beside, number = make_engine(db), 0.0, 0, 0
    while worker.process.is_alive():
        number += 1
        begun = time.monotonic()
        with session_factory(engine)() as session:
            save(session, Subject("9" * 64, number), Draft(None, None, "seen"), 0, "Ada")
        longest = max(longest, time.monotonic() - begun)
        with Session(engine) as session:
            beside += session.scalar(select(func.count(Run.id)).where(Run.status == "writing")) or 0
        time.sleep(0.02)
    with Session(engine) as session:
        assert session.scalar(select(func.count(Annotation.id))) == number
    engine.dispose()
    return longest, beside


@pytest.mark.long  # `tests/store/test_writing.py` is the same without a model
@pytest.mark.parametrize("latents", [8_192, 65_536])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nobody_waits_long_while_a_wide_sae_is_written(
    parts: Parts, tmp_path: Path, kind: str, latents: int, request: pytest.FixtureRequest
) -> None:
    db = str(tmp_path / "run.db") if kind == "sqlite" else request.getfixturevalue("postgres_db")
    upgrade(db)
    alone = replace(parts, saes=[wide(tmp_path / "wide", latents)])
    worker = Worker(tmp_path / "cache", alone.arguments(Path("x"), "--tokens", "2000", "--db", db))
    longest, beside = saves_while(worker, db)
    status, said = worker.ends()
    assert status == 0, said
    assert beside >= 3
    assert longest < LONGEST_WAIT, f"{longest:.2f} s, of {beside} saves while it wrote"


@contextmanager
def killed_while_writing(parts: Parts, tmp_path: Path, db: Path) -> Iterator[Worker]:
    """A worker that was killed between two of its transactions; its arguments resume it."""
    worker = Worker(tmp_path / "cache", parts.arguments(db, *FEW))
    engine = make_engine(db)
    while worker.process.is_alive():
        try:
            with engine.connect() as connection:
                written = connection.execute(text("SELECT count(*) FROM latent")).scalar()
        except Exception:
            written = 0
        if written:
            worker.process.kill()
            break
        time.sleep(0.005)
    assert worker.ends()[0] == -signal.SIGKILL
    engine.dispose()
    yield worker


@pytest.mark.parametrize("next_one", ["resumed", "another"])
def test_what_a_killed_writer_left_is_never_shown_and_goes_with_the_next_write(
    parts: Parts, tmp_path: Path, next_one: str
) -> None:
    db = tmp_path / "run.db"
    with killed_while_writing(parts, tmp_path, db):
        engine = make_engine(db, read_only=True)
        with Session(engine) as session:
            assert session.scalars(select(Run.status)).all() == ["writing"]
            assert session.scalar(select(func.count()).select_from(Latent))
        client = TestClient(create_app(Settings(db=str(db))), base_url="http://127.0.0.1")
        assert "Nothing" in client.get("/").text
        for address in ("/api/v1/runs", "/api/v1/suites", "/api/v1/saes", "/api/v1/labels"):
            assert client.get(address).json() == []
        assert client.get("/?run=1").status_code == 404
        more = ("--resume",) if next_one == "resumed" else ("--seed", "1")
        status, said = Worker(tmp_path / "cache", parts.arguments(db, *FEW, *more)).ends()
        assert status == 0, said
        with Session(engine) as session:
            (run,) = session.scalars(select(Run)).all()
            assert (run.status, run.writer) == ("complete", None)
            held = set(session.scalars(select(Analysis.id).where(Analysis.run_id == run.id)))
            for table in (Analysis.id, Latent.analysis_id, SearchText.analysis_id, LatentToken.analysis_id):
                assert set(session.scalars(select(table))) == held
            assert set(session.scalars(select(Traces.analysis_id))) == held
        engine.dispose()
