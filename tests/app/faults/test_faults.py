"""Faults while people write: killed servers, editors at once, locks that others hold. Real processes throughout."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.settings import ROOT
from store.session import make_engine
from tests.app.faults.lock import held
from tests.app.servers import Server, serving
from tests.app.world import build

SLUG = "tiny/l2-resid"
LATENT = f"/saes/{SLUG}/latents/0"


@pytest.fixture
def db(either_store: str) -> str:
    return either_store


def save(client: httpx.Client, index: int, note: str, version: int, name: str = "Ada") -> httpx.Response:
    form = {"note": note, "version": str(version), "name": name}
    return client.post(f"/saes/{SLUG}/latents/{index}/annotation", data=form)


def history(client: httpx.Client, index: int) -> list[tuple[int, str]]:
    """Version and note, oldest first."""
    answer = client.get(f"/api/v1/saes/{SLUG}/latents/{index}/annotation")
    assert answer.status_code == 200, answer.text
    return sorted((one["version"], one["note"]) for one in answer.json()["history"])


def together(number: int, work: Callable[[int], Any]) -> list[Any]:
    """`work` of 0, 1, ... at the same time."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(work, range(number)))


# 11: kill -9 during writes


class Killer:
    """Writers tell it of each save; at one of them it kills the server, while the others are in the midst of theirs."""

    def __init__(self, server: Server, saves: int) -> None:
        self.server, self.left, self.lock = server, saves, threading.Lock()

    def saved(self) -> None:
        with self.lock:
            self.left -= 1
            if self.left == 0:
                self.server.kill()


def write_until_killed(killer: Killer, index: int) -> list[str]:
    """The notes that the server said it has."""
    saved = []
    with killer.server.client() as client:
        try:
            version = len(history(client, index))
            while True:
                note = f"note {version}, {random.random()}"
                assert save(client, index, note, version).status_code == 303
                saved.append(note)
                killer.saved()
                version += 1
        except httpx.TransportError:
            return saved


def kill_and_look(db: str, folder: Path, rounds: int) -> None:
    saved: dict[int, list[str]] = {index: [] for index in range(6)}
    chance = random.Random(11)
    for _round in range(rounds):
        with serving(db, folder / "log") as server:
            killer = Killer(server, chance.randint(15, 60))
            for index, notes in enumerate(together(6, partial(write_until_killed, killer))):
                saved[index] += notes
    with serving(db, folder / "log") as server, server.client() as client:
        for index, notes in saved.items():
            found = history(client, index)
            assert [version for version, _note in found] == list(range(1, len(found) + 1))
            kept = Counter(note for _version, note in found)
            assert all(kept[note] == 1 for note in notes)
            assert len(found) <= len(notes) + rounds  # one a round may have been saved, and its answer lost
    assert sum(map(len, saved.values())) >= 15 * rounds


def test_what_was_saved_before_a_kill_is_there_after_it(db: str, tmp_path: Path) -> None:
    kill_and_look(db, tmp_path, rounds=2)
    assert sound(db)


@pytest.mark.long
def test_what_was_saved_before_each_of_many_kills_is_there(tmp_path: Path) -> None:
    db = build(tmp_path / "world.db")
    kill_and_look(db, tmp_path, rounds=25)
    assert sound(db)


def sound(db: str) -> bool:
    """SQLite's own check, and one latest version of each subject, the highest."""
    engine = make_engine(db, read_only=True)
    latest = "SELECT count(*), max(version) = max(CASE WHEN latest THEN version END) FROM annotation"
    wrong = f'{latest} GROUP BY sae_sha256, "index", other HAVING sum(CASE WHEN latest THEN 1 ELSE 0 END) <> 1'
    with engine.connect() as connection:
        checked = connection.dialect.name != "sqlite" or connection.execute(text("PRAGMA integrity_check")).scalar()
        found = connection.execute(text(wrong)).all()
        highest = connection.execute(text(f'{latest} GROUP BY sae_sha256, "index", other')).all()
    engine.dispose()
    return checked in {True, "ok"} and not found and all(bool(row[1]) for row in highest)


# 12: editors of one latent


def edit(server: Server, editor: int, edits: int) -> tuple[dict[int, str], int]:
    """Save so many notes, each again and again until it is taken: version -> note, and the conflicts met."""
    saved, conflicts, version = {}, 0, 0
    with server.client() as client:
        for number in range(edits):
            note = f"editor {editor}, note {number}"
            while (answer := save(client, 0, note, version, f"Editor {editor}")).status_code == 409:
                version = met(answer.text, note)
                conflicts += 1
            assert answer.status_code == 303, answer.text
            version += 1
            saved[version] = note
    return saved, conflicts


def met(page: str, draft: str) -> int:
    """A conflict's page shows both texts and keeps the draft; the version to save over."""
    theirs = page[page.index("Theirs, saved") : page.index("Yours, not saved")]
    yours = page[page.index("Yours, not saved") : page.index("<textarea")]
    other = re.search(r"editor \d+, note \d+", theirs)
    assert other
    assert other[0] != draft
    assert draft in yours
    assert f"{draft}</textarea>" in page
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    return int(version[1])


def edit_together(db: str, log: Path, editors: int, edits: int) -> None:
    with serving(db, log) as server, server.client() as client:
        results = together(editors, lambda editor: edit(server, editor, edits))
        saved = {version: note for own, _conflicts in results for version, note in own.items()}
        assert sum(len(own) for own, _conflicts in results) == len(saved) == editors * edits  # no version twice
        assert history(client, 0) == sorted(saved.items())
        assert [*sorted(saved)] == [*range(1, editors * edits + 1)]
        assert sum(conflicts for _own, conflicts in results) > 0
    assert sound(db)


def test_of_editors_at_once_none_loses_what_was_saved(db: str, tmp_path: Path) -> None:
    edit_together(db, tmp_path / "log", editors=8, edits=5)


@pytest.mark.long
def test_of_eight_editors_with_fifty_edits_none_loses_what_was_saved(db: str, tmp_path: Path) -> None:
    edit_together(db, tmp_path / "log", editors=8, edits=50)


# 13: readers while a worker writes

WORKER = """
import sys, threading, time
from datetime import datetime
from store.session import make_engine, session_factory
from store.tables import Annotation
sessions, number, told = session_factory(make_engine(sys.argv[1])), 0, threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
while not told.is_set():
    with sessions() as session:
        for _row in range(300):
            number += 1
            session.add(Annotation(sae_sha256="0" * 64, index=number, other=-1, version=1, latest=True, category=None,
                verdict=None, note="x" * 2000, author="worker", created=datetime(2026, 1, 1), restores=None))
        session.flush()
        time.sleep(0.05)
        session.commit()
    if number == 300:
        print("writes", flush=True)
    time.sleep(0.01)
print(number)
"""


def read_and_write(db: str, log: Path, pages: int) -> None:
    """Sixteen readers read so many pages each while a worker writes, whatever time that takes."""
    paths = (LATENT, "/", "/latents", f"/saes/{SLUG}", "/api/v1/runs", "/layers")
    writing = [sys.executable, "-c", WORKER, db]
    with (
        serving(db, log) as server,
        subprocess.Popen(writing, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker,
    ):
        assert worker.stdout is not None
        assert worker.stdout.readline() == "writes\n"

        def read(reader: int) -> Counter[int]:
            found: Counter[int] = Counter()
            with server.client() as client:
                for _page in range(pages):
                    found[client.get(paths[(reader + found.total()) % len(paths)]).status_code] += 1
                    if reader == 0:  # and one who writes
                        version = len(history(client, 1))
                        found[save(client, 1, f"note {found.total()}", version).status_code] += 1
            return found

        found = sum(together(16, read), Counter[int]())
        assert int(worker.communicate()[0]) > 600  # it wrote meanwhile
        assert found == {200: 16 * pages, 303: pages}
        assert server.said().count("\n") == 1, server.said()  # its address: no word of a lock


def test_readers_and_a_writing_worker_do_not_meet(db: str, tmp_path: Path) -> None:
    read_and_write(db, tmp_path / "log", 6)


@pytest.mark.long
def test_readers_of_many_pages_and_a_writing_worker_do_not_meet(db: str, tmp_path: Path) -> None:
    read_and_write(db, tmp_path / "log", 200)


# 14: another process holds the lock


def test_while_another_holds_the_lock_saves_are_refused_and_pages_go_on(db: str, tmp_path: Path) -> None:
    with serving(db, tmp_path / "log") as server, server.client() as client:
        assert save(client, 0, "before", 0).status_code == 303
        with held(db, 10), ThreadPoolExecutor() as pool:
            begun = time.monotonic()
            saving = pool.submit(save, client, 0, "meanwhile", 1)
            time.sleep(0.5)
            with server.client() as reader:
                assert reader.get(LATENT).status_code == 200
                assert not saving.done()
                assert reader.get("/latents").status_code == 200
            answer = saving.result()
            assert time.monotonic() - begun < 9.5  # 5 s of patience: not until the lock is free
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "busy" in answer.text
        assert "meanwhile" not in server.said()
        assert save(client, 0, "after", 1).status_code == 303
        assert history(client, 0) == [(1, "before"), (2, "after")]
    assert sound(db)
