"""The worker as a process: killed, interrupted, started twice, out of disk."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from store.digest import digest
from store.session import make_engine
from store.tables import Run
from tests.analysis.conftest import Parts
from tests.analysis.run.jobs import Worker

EVERY_BATCH = ("--checkpoint-seconds", "0", "--tokens", "6000")
FEW_BATCHES = 800  # tokens: a batch has 376


@pytest.fixture(scope="module")
def whole(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    status, said = Worker(folder / "cache", parts.arguments(folder / "run.db", *EVERY_BATCH)).ends()
    assert status == 0, said
    return only_digest(folder / "run.db")


def only_digest(db: Path) -> str:
    """Of the one run in a store, which is sound and complete."""
    engine = make_engine(db, read_only=True)
    with Session(engine) as session:
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
        run = session.query(Run).one()
        assert run.status == "complete"
        found = digest(engine, run.id)
    engine.dispose()
    return found


def kill_and_resume(parts: Parts, folder: Path, kills: int, seed: int) -> tuple[str, int]:
    """Kill a run so often, each time a little further on, at a random moment; then let it end.

    The place is drawn in tokens, not in seconds: a fast machine would else be through before the first kill.
    """
    draw = random.Random(seed)
    db, done, killed = folder / "run.db", 0, 0
    while True:
        worker = Worker(folder / "cache", parts.arguments(db, *EVERY_BATCH, "--resume"))
        if killed < kills and worker.wait_beyond(done + draw.randrange(FEW_BATCHES)):
            time.sleep(draw.uniform(0, 0.02))
            worker.process.kill()
            killed += worker.ends()[0] == -signal.SIGKILL
            done = worker.tokens()
            continue
        status, said = worker.ends()
        assert status == 0, said
        return only_digest(db), killed


def test_a_killed_run_resumes_to_the_same_rows(parts: Parts, whole: str, tmp_path: Path) -> None:
    found, killed = kill_and_resume(parts, tmp_path, 3, seed=0)
    assert killed >= 2
    assert found == whole
    assert not list((tmp_path / "cache" / "checkpoints").glob("*/now"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_kills_change_nothing(parts: Parts, whole: str, tmp_path: Path, seed: int) -> None:
    assert kill_and_resume(parts, tmp_path, 10, seed)[0] == whole


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_ctrl_c_ends_with_130_and_can_be_resumed(
    parts: Parts, whole: str, tmp_path: Path, number: signal.Signals
) -> None:
    db = tmp_path / "run.db"
    worker = Worker(tmp_path / "cache", parts.arguments(db, *EVERY_BATCH))
    assert worker.wait_beyond(0)
    os.kill(worker.pid, number)
    status, said = worker.ends()
    assert status == 130, said
    assert "--resume" in said
    assert "Traceback" not in said
    status, said = Worker(tmp_path / "cache", parts.arguments(db, *EVERY_BATCH, "--resume")).ends()
    assert status == 0, said
    assert "going on from" in said
    assert only_digest(db) == whole


def test_a_second_run_of_the_same_key_is_refused_by_name_of_the_first(parts: Parts, tmp_path: Path) -> None:
    first = Worker(tmp_path / "cache", parts.arguments(tmp_path / "a.db", *EVERY_BATCH))
    assert first.wait_beyond(0)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        status, said = Worker(tmp_path / "cache", parts.arguments(tmp_path / "b.db", *EVERY_BATCH)).ends()
    finally:
        os.kill(first.pid, signal.SIGCONT)
    assert status == 2
    assert f"process {first.pid}" in said
    assert first.ends()[0] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.long  # mounting needs root, which a developer's machine may not give
def test_a_full_disk_is_said_plainly_and_the_run_resumes(
    parts: Parts, whole: str, tmp_path: Path, small_disk: Path
) -> None:
    arguments = parts.arguments(small_disk / "run.db", *EVERY_BATCH)
    status, said = Worker(tmp_path / "cache", arguments).ends()
    assert status == 2, said
    assert "no space left" in said
    assert "Traceback" not in said
    engine = make_engine(small_disk / "run.db", read_only=True)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert connection.execute(text("SELECT count(*) FROM run WHERE status = 'complete'")).scalar() == 0
    engine.dispose()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    status, said = Worker(tmp_path / "cache", [*arguments, "--resume"]).ends()
    assert status == 0, said
    assert only_digest(small_disk / "run.db") == whole
