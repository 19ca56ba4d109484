"""SQLite's log goes into its file between saves, and in none of them."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.http import settling
from app.main import create_app
from app.settings import Settings
from store.session import make_engine
from store.tables import Annotation
from store.write_ahead import LONG, log_state, settle
from tests.app.world import build

FORM = {"note": "seen", "version": "0", "name": "Ada"}


def test_saves_leave_the_log_alone_and_the_server_brings_it_into_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "EVERY_S", 0.05)
    db = Path(build(tmp_path / "world.db"))
    application = create_app(Settings(db=str(db)))
    before = db.read_bytes()
    with application.state.writing() as session:
        for index in range(3_000):
            note = Annotation(sae_sha256="9" * 64, index=index, other=-1, version=1, latest=True, note="x" * 2_000)
            note.author, note.created = "Ada", datetime(2026, 1, 1)
            session.add(note)
        session.commit()
    client = TestClient(application, base_url="http://127.0.0.1", follow_redirects=False)
    assert client.post("/saes/tiny/l2-resid/latents/0/annotation", data=FORM).status_code == 303
    assert log_state(db)[0] > LONG
    assert db.read_bytes() == before
    with client:  # the server lives
        end = time.monotonic() + 20
        while db.stat().st_size < len(before) + LONG and time.monotonic() < end:
            time.sleep(0.05)
        assert db.stat().st_size > len(before) + LONG
        assert "seen" in client.get("/saes/tiny/l2-resid/latents/0").text


def test_what_somebody_reads_yet_is_left_for_later(tmp_path: Path) -> None:
    db = Path(build(tmp_path / "world.db"))
    reader, writer = make_engine(db, read_only=True), make_engine(db, settles=False)
    change = text("UPDATE sae SET source = source || 'x'")
    with writer.begin() as connection:
        connection.execute(change)
    with reader.connect() as reading:
        old = reading.execute(text("SELECT source FROM sae")).scalar()
        with writer.begin() as connection:
            connection.execute(change)
        assert not settle(db)
        assert reading.execute(text("SELECT source FROM sae")).scalar() == old
    assert settle(db)
    reader.dispose()
    writer.dispose()


def test_there_is_nothing_to_settle_where_there_is_no_store(tmp_path: Path) -> None:
    assert log_state(tmp_path / "none.db") == (0, 0)
    assert not settle(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []
