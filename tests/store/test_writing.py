"""Workers write while a person saves: nobody waits long, and what is not complete goes with the next write."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from store.alive import lives, this_process
from store.leftovers import remove_leftovers
from store.session import make_engine
from store.tables import Annotation, Latent, LatentToken, Profile, Run, SearchText
from store.writing import HELD_S, PAUSE_S, WRITING, Writer
from tests.app.servers import serving
from tests.app.world import WIDTH, build
from tests.root import ROOT

LONGEST_WAIT = 2.0
"""Seconds that a save may wait for the database while workers write."""
WATCHED = """
import time
from sqlalchemy import Engine, event
from store.session import FileSession
begun, save = [0.0], FileSession.commit
def ended(what):
    print("waited", time.monotonic() - begun[-1], what, flush=True)
def committed(session):
    begun[-1] = time.monotonic()
    save(session)
    ended("COMMIT")
FileSession.commit = committed
event.listen(Engine, "before_cursor_execute", lambda *_: begun.append(time.monotonic()) or begun.pop(0))
event.listen(Engine, "after_cursor_execute", lambda _c, _d, statement, *_: ended(statement[:15].split()[0]))
"""
"""The server says how long each statement and commit of a save took: what the database made it wait. The rest of an
answer is the machine's to give: a busy one took 3 s for one without any worker."""
TABLES = (Latent.analysis_id, Profile.analysis_id, SearchText.analysis_id, LatentToken.analysis_id)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("writers", "wide"), [(3, 2_048), pytest.param(1, 65_536, marks=pytest.mark.long)])
def test_a_save_waits_for_no_writer_long_and_leftovers_go(
    tmp_path_factory: pytest.TempPathFactory, kind: str, writers: int, wide: int, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path_factory.mktemp("wide")
    db = build(str(folder / "world.db") if kind == "sqlite" else request.getfixturevalue("postgres_db"))
    command = [sys.executable, "-m", "tests.store.wide_writer", db, str(wide)]
    engine = make_engine(db, read_only=True)
    before = {column: _count(engine, column) for column in (*TABLES, Annotation.id)}
    with serving(db, folder / "log", code=WATCHED) as server, server.client() as client:
        going = [subprocess.Popen(command, cwd=ROOT) for _ in range(writers)]
        saves = beside = 0
        while any(process.poll() is None for process in going):
            save(client, saves)
            saves += 1
            beside += bool(_count(engine, Run.id, Run.status == WRITING))
            time.sleep(0.02)
    assert [process.returncode for process in going] == [0] * writers
    assert beside >= 3
    waits = sorted(float(line.split()[1]) for line in server.said().splitlines() if line.startswith("waited"))
    assert len(waits) > 2 * saves  # a statement and a commit of each
    assert waits[-1] < LONGEST_WAIT, f"{waits[-5:]}, {saves} saves"
    assert _count(engine, Annotation.id) == before.pop(Annotation.id) + saves
    assert _count(engine, Latent.analysis_id) == before[Latent.analysis_id] + writers * wide
    own = make_engine(db)
    with this_process() as process:
        assert len(remove_leftovers(Writer(own, process))) == writers
    assert {column: _count(engine, column) for column in TABLES} == before
    engine.dispose()
    own.dispose()


def save(client: httpx.Client, number: int) -> None:
    """One of many notes, by the form."""
    version, index = divmod(number, WIDTH)
    form = {"note": f"note {number}", "version": str(version), "name": "Ada"}
    answer = client.post(f"/saes/tiny/l0-resid/latents/{index}/annotation", data=form)
    assert answer.status_code == 303, answer.text


def _count(engine: Engine, column: Any, *where: Any) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(column.is_not(None), *where)) or 0


def test_a_machine_that_turns_slow_makes_more_transactions_not_longer_ones(tmp_path: Path) -> None:
    engine = make_engine(build(tmp_path / "world.db"))
    held, begun = list[float](), list[float]()
    event.listen(engine, "begin", lambda _connection: begun.append(time.monotonic()))
    event.listen(engine, "commit", lambda _connection: held.append(time.monotonic() - begun[-1]))
    rows = [{"kind": "token", "analysis_id": 11, "index": n, "words": "w", "others": []} for n in range(500)]
    before = _count(engine, SearchText.id)
    with this_process() as process:
        writer = Writer(engine, process)
        writer.timed(SearchText.__tablename__, 1000, lambda _session: None)  # so many took no time at all
        held.clear()
        event.listen(engine, "before_cursor_execute", lambda *_: time.sleep(0.1))  # for each look at the clock
        writer.insert(SearchText, rows)
    assert _count(engine, SearchText.id) == before + len(rows)
    assert len(held) >= 3
    assert max(held) < 2 * HELD_S
    engine.dispose()


def test_another_worker_leaves_people_the_pause_of_the_last_one(tmp_path: Path) -> None:
    engine = make_engine(build(tmp_path / "world.db"))
    with this_process() as process:
        first, second = Writer(engine, process), Writer(engine, process)
        first.transaction(lambda _session: time.sleep(PAUSE_S))
        ended = time.monotonic()
        assert second.transaction(lambda _session: time.monotonic()) - ended > PAUSE_S - 0.05
    engine.dispose()


def test_who_writes_is_alive_as_long_as_its_process_is() -> None:
    with this_process() as process:
        stamp = process.stamp()
        assert lives(stamp)
        assert not lives(stamp | {"pid": os.getppid(), "begun": "0"})
        elsewhere = stamp | {"host": "another"}
        assert lives(elsewhere)
        assert not lives(elsewhere | {"seen": "2026-01-01T00:00:00"})
    assert not lives(stamp)
    assert not lives(None)
