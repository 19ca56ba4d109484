"""Storage that goes away, fills up or is no database, and forms that cannot be saved: what is said, and what stays."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from store.errors import StoreGone
from store.session import make_engine, session_factory
from tests.app.faults.lock import held
from tests.app.servers import Server, serving
from tests.app.world import build

LATENT = "/saes/tiny/l2-resid/latents/0"
DRAFT = "nobody has seen this before"
FORM = {"note": DRAFT, "version": "0", "name": "Ada"}


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return Path(build(tmp_path / "world.db"))


def annotate(client: httpx.Client, note: str = DRAFT, version: int = 0) -> httpx.Response:
    return client.post(f"{LATENT}/annotation", data={"note": note, "version": str(version), "name": "Ada"})


def not_saved(answer: httpx.Response, status: int, words: str) -> None:
    """It says so, when to come again, and has the draft."""
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert "retry-after" in answer.headers
    assert DRAFT in answer.text


def quiet(server: Server) -> None:
    """The log tells of the fault, in a line each, and of nothing that people wrote."""
    said = server.said()
    assert "Traceback" not in said
    assert DRAFT not in said
    assert "INSERT" not in said
    assert said.count("\n") > 1


def remove(db: Path) -> None:
    for name in (db.name, f"{db.name}-wal", f"{db.name}-shm"):
        db.with_name(name).unlink(missing_ok=True)


# 31: the file is deleted or replaced


def test_where_the_file_is_deleted_nothing_is_said_to_be_saved(db: Path, tmp_path: Path) -> None:
    with serving(str(db), tmp_path / "log") as server, server.client() as client:
        assert annotate(client, "before").status_code == 303
        assert "before" in client.get(LATENT).text
        remove(db)
        not_saved(annotate(client, version=1), 503, "cannot be read or written")
        assert client.get("/healthz").status_code == 503
        for path in (LATENT, "/", "/api/v1/runs"):
            assert client.get(path).status_code == 503
        assert not db.exists()
        quiet(server)


def test_where_the_file_is_replaced_the_new_one_is_served(db: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(db)) as old, closing(sqlite3.connect(other)) as new:
        old.backup(new)
        new.execute("UPDATE sae SET source = 'from elsewhere'")
        new.commit()
    with serving(str(db), tmp_path / "log") as server, server.client() as client:
        assert annotate(client, "before").status_code == 303
        before = client.get("/saes/tiny/l2-resid")
        remove(db)
        os.replace(other, db)
        answer = client.get("/saes/tiny/l2-resid", headers={"If-None-Match": before.headers["etag"]})
        assert answer.status_code == 200
        assert "from elsewhere" in answer.text
        assert annotate(client, "of the new one").status_code == 303
        assert client.get("/healthz").status_code == 200
    with closing(sqlite3.connect(db)) as found:
        assert found.execute("SELECT note FROM annotation").fetchall() == [("of the new one",)]


@pytest.mark.parametrize("change", [Path.unlink, lambda path: os.replace(shutil.copy(path, f"{path}2"), path)])
def test_what_was_written_to_a_file_that_is_gone_is_not_said_to_be_saved(
    db: Path, change: Callable[[Path], object]
) -> None:
    sessions = session_factory(make_engine(db, must_exist=True))
    with sessions() as session:
        session.connection()
        change(db)
        with pytest.raises(StoreGone, match="not saved"):
            save(session, Subject("a" * 64, 1), Draft(note="lost"), 0, "Ada")
    sessions.kw["bind"].dispose()


def test_a_file_of_another_schema_is_no_health(db: Path, tmp_path: Path) -> None:
    with serving(str(db), tmp_path / "log") as server, server.client() as client:
        with closing(sqlite3.connect(db)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.commit()
        answer = client.get("/healthz")
        assert answer.status_code == 503
        assert "schema 9999, this server expects" in answer.text


# 33: full, garbage, locked


def test_a_file_that_became_garbage_is_said_plainly(db: Path, tmp_path: Path) -> None:
    with serving(str(db), tmp_path / "log") as server, server.client() as client:
        assert client.get(LATENT).status_code == 200
        remove(db)
        db.write_bytes(b"no database " * 10_000)
        not_saved(annotate(client), 503, "cannot be read or written")
        assert client.get("/healthz").status_code == 503
        assert client.get(LATENT).status_code == 503
        assert client.get("/api/v1/runs").json()["status"] == 503
        quiet(server)


NO_ROOM = """
from sqlalchemy import event
from sqlalchemy.pool import Pool
event.listen(Pool, "connect", lambda connection, _record: connection.execute("PRAGMA max_page_count = 1"))
"""
"""SQLite says of a file that may not grow what it says where the disk is full."""


def fill(client: httpx.Client) -> httpx.Response:
    """Save until there is no room."""
    for version in range(200):
        answer = annotate(client, f"{DRAFT}{version}" + "x" * 3_900, version)
        if answer.status_code != 303:
            return answer
    raise AssertionError("there is room")


def test_a_full_disk_is_said_in_its_own_words(db: Path, tmp_path: Path) -> None:
    with serving(str(db), tmp_path / "log", code=NO_ROOM) as server, server.client() as client:
        not_saved(fill(client), 507, "disk is full")
        answer = client.post(
            "/categories", data={"title": DRAFT, "colour": "teal", "name": "A", "description": "x" * 800}
        )
        while answer.status_code == 303:
            assert client.get(LATENT).status_code == 200
        quiet(server)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.long  # mounting needs root, which a developer's machine may not give
def test_a_disk_that_is_really_full_is_too(db: Path, tmp_path: Path, small_disk: Path) -> None:
    shutil.copy(db, small_disk / "world.db")
    with serving(str(small_disk / "world.db"), tmp_path / "log") as server, server.client() as client:
        assert annotate(client, "before").status_code == 303
        room = os.statvfs(small_disk)
        (small_disk / "rest").write_bytes(b"x" * (room.f_bavail * room.f_frsize))
        answer = next(
            one for n in range(1, 200) if (one := annotate(client, f"{DRAFT * 100}{n}", n)).status_code != 303
        )
        not_saved(answer, 507, "disk is full")
        assert client.get(LATENT).status_code == 200
        (small_disk / "rest").unlink()
        saved = client.get(f"/api/v1{LATENT}/annotation").json()["current"]["version"]
        assert annotate(client, "after", saved).status_code == 303
        quiet(server)


def forms() -> list[tuple[str, dict[str, str]]]:
    """Each form that writes, with what somebody typed."""
    category = {"title": DRAFT, "colour": "teal", "description": DRAFT, "name": "Ada"}
    return [
        (f"{LATENT}/annotation", FORM),
        ("/saes/tiny/l2-resid/pairs/0/1/annotation", FORM),
        ("/categories", category),
        ("/categories/change", {**category, "key": "own", "changed": "x"}),
        ("/categories/archive", {"key": "own", "changed": DRAFT, "name": "Ada"}),
        ("/views", {"name": DRAFT, "address": "/latents", "author": "Ada"}),
        ("/views/1/remove", {"kept": DRAFT}),
        (
            "/annotations/many",
            {"latent": "tiny/l2-resid:0", "verdict": "keep", "name": "Ada", "back": f"/latents?q={DRAFT}"},
        ),
    ]


def test_every_form_keeps_its_draft_while_another_holds_the_lock(db: Path, tmp_path: Path) -> None:
    with serving(str(db), tmp_path / "log") as server, held(str(db), 14), ThreadPoolExecutor(10) as pool:
        with server.client() as client:
            sent = [pool.submit(client.post, path, data=form) for path, form in forms()]
            program = pool.submit(
                client.put, f"/api/v1{LATENT}/annotation", json={**FORM, "version": 0, "author": "Ada"}
            )
            for one in sent:
                answer = one.result()
                assert answer.status_code == 503, (answer.url, answer.text)
                assert DRAFT in answer.text.replace("%20", " "), answer.url
                assert "try again in a moment" in answer.text
                assert answer.headers["retry-after"] == "5"
            assert program.result().json()["status"] == 503
        quiet(server)
