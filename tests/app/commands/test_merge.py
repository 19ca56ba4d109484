"""Stores of two machines become one: nothing lost, nothing twice, whatever was going on."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.annotations.queries import Subject, find_latest, history
from app.annotations.write import Draft, save
from app.categories import write as categories
from app.main import create_app
from app.saved_views import write as views
from app.settings import Settings
from migrations.runner import current_revision, downgrade
from store.digest import digest, suite_digest
from store.session import make_engine, session_factory
from store.tables import Analysis, Annotation, Effect, Experiment, Intervention, Latent, Run, Sae, SearchText
from tests.app.processes import command, done, refused
from tests.app.stores import rows
from tests.app.world import POSITIVE, build
from tests.root import ROOT

LATENT = Subject("2" * 64, POSITIVE)
EARLY, LATE, LATEST = (datetime(2026, 11, day, 9) for day in (1, 2, 3))


@contextmanager
def opened(db: Path | str) -> Iterator[Session]:
    engine = make_engine(db)
    with session_factory(engine)() as session:
        yield session
    engine.dispose()


def say(db: Path, author: str, note: str, when: datetime, about: Subject = LATENT) -> None:
    """A save at some time."""
    with opened(db) as session:
        found = find_latest(session, about)
        save(session, about, Draft(None, "keep", note), found.version if found else 0, author)
        newest = (Annotation.note == note, Annotation.author == author)
        session.execute(update(Annotation).where(*newest).values(created=when))
        session.commit()


def notes(db: Path) -> list[tuple[str, str]]:
    """The history of the latent, and that its newest version is what is shown."""
    with opened(db) as session:
        found = history(session, LATENT)
        latest = find_latest(session, LATENT)
        told = sorted(found, key=lambda one: one.version)
        assert latest is not None
        assert latest.version == told[-1].version == len(told)
        return [(one.author, one.note) for one in told]


def client_of(db: Path) -> TestClient:
    """Of a server over it."""
    return TestClient(create_app(Settings(db=str(db))), base_url="http://127.0.0.1")


@pytest.fixture
def other(store: str, tmp_path: Path) -> Path:
    """Another machine's store."""
    shutil.copy(store, tmp_path / "other.db")
    return tmp_path / "other.db"


def test_an_empty_store_becomes_the_same_as_the_other(other: Path, tmp_path: Path) -> None:
    with opened(other) as session:
        categories.make(session, categories.CategoryDraft("Mine", "teal", "what I mean"), "Ada")
        views.save_view(session, "dense ones", "/latents?dense=any", "Ada")
    say(other, "Ada", "it is a name", EARLY)
    before = hashlib.sha256(other.read_bytes()).hexdigest()
    into = tmp_path / "into.db"
    said = done("db", "merge", other, "--into", into).decode()
    assert "2 runs (1–2 there), 3 SAEs" in said
    assert "1 version of annotations, 1 category and 1 saved view" in said
    assert "1 run of" in said  # the third is not complete
    assert hashlib.sha256(other.read_bytes()).hexdigest() == before
    there, here = make_engine(other), make_engine(into)
    assert [digest(here, run) for run in (1, 2)] == [digest(there, run) for run in (1, 2)]
    held, had = rows(here), rows(there)
    for name in (
        "effect",
        "steering",
        "arm",
        "stability",
        "design_comparison",
        "design",
        "verdict",
        "annotation",
        "category",
        "saved_view",
    ):
        assert len(held[name]) == len(had[name]) > 0, name
    found = [client_of(db).get("/api/v1/search?q=whale").json()["groups"] for db in (other, into)]
    assert found[0] == found[1]
    again = done("db", "merge", other, "--into", into).decode()
    assert (
        "0 runs, 0 SAEs, 0 interventions, 0 experiments, 0 comparisons, 0 versions of annotations, 0 categories"
        in again
    )
    assert rows(here) == held
    there.dispose()
    here.dispose()


def test_histories_that_part_become_one_by_time_on_either_machine(other: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.db"
    say(other, "Ada", "both know it", EARLY)
    shutil.copy(other, mine)
    say(other, "Ada", "a name", LATEST)
    say(mine, "Grace", "a place", LATE)
    theirs = tmp_path / "theirs.db"
    shutil.copy(other, theirs)
    said = done("db", "merge", other, "--into", mine).decode()
    assert "L2/0 of tiny/l2-resid: written on in both" in said
    assert "what Ada said on 2026-11-03 09:00 UTC is shown" in said
    done("db", "merge", mine, "--into", theirs)
    assert notes(mine) == notes(theirs) == [("Ada", "both know it"), ("Grace", "a place"), ("Ada", "a name")]
    assert "written on" not in done("db", "merge", other, "--into", mine).decode()
    assert len(notes(mine)) == 3
    say(other, "Ada", "more", datetime(2026, 11, 4))
    done("db", "merge", other, "--into", mine)
    assert notes(mine)[-1] == ("Ada", "more")


def test_an_older_schema_is_read_from_a_copy(other: Path, tmp_path: Path) -> None:
    downgrade(str(other), "0016")
    before = hashlib.sha256(other.read_bytes()).hexdigest()
    into = tmp_path / "new" / "into.db"
    into.parent.mkdir()
    assert "2 runs" in done("db", "merge", other, "--into", into).decode()
    assert hashlib.sha256(other.read_bytes()).hexdigest() == before
    assert current_revision(make_engine(other, read_only=True)) == "0016"
    assert {path.name for path in into.parent.iterdir()} <= {
        "into.db", "into.db-shm", "into.db-wal", "into.db.write-lock", "into.db.migrate-lock",
    }  # fmt: skip
    with opened(into) as session:
        assert session.scalar(select(func.count()).select_from(Latent)) == 160


def test_of_two_ablations_of_one_analysis_the_newer_stays(other: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.db"
    shutil.copy(other, mine)
    newer = {"key": "e" * 64, "finished": datetime(2027, 1, 1), "tokens": 12_345}
    with opened(other) as session:
        session.execute(update(Intervention).where(Intervention.kind == "ablate").values(**newer))
        session.commit()
        held = session.scalar(select(func.count()).select_from(Effect))
    assert "intervention" in done("db", "merge", other, "--into", mine).decode()
    with opened(mine) as session:
        assert set(session.scalars(select(Intervention.tokens).where(Intervention.kind == "ablate"))) == {12_345}
        assert session.scalar(select(func.count()).select_from(Effect)) == held
    assert "0 interventions" in done("db", "merge", other, "--into", mine).decode()


def test_a_merge_that_was_killed_shows_nothing_half_and_goes_on(other: Path, tmp_path: Path) -> None:
    into = tmp_path / "into.db"
    going = subprocess.Popen(command("db", "merge", other, "--into", into), cwd=ROOT, stdout=subprocess.DEVNULL)
    while going.poll() is None and not _begun(into):
        time.sleep(0.005)
    going.send_signal(signal.SIGKILL)
    going.wait()
    assert going.returncode == -signal.SIGKILL
    here, there = make_engine(into, read_only=True), make_engine(other, read_only=True)
    for run in client_of(into).get("/api/v1/runs").json():
        assert digest(here, run["id"]) in {digest(there, number) for number in (1, 2)}
    done("db", "merge", other, "--into", into)
    with opened(into) as session, opened(other) as theirs:
        suites = set(session.scalars(select(Run.suite)))
        assert [run.status for run in session.scalars(select(Run))] == ["complete"] * 2
        for suite in suites:
            assert suite_digest(here, suite) == suite_digest(there, suite)
        for table in (Analysis, SearchText, Experiment, Sae):
            if table is Analysis:
                assert session.scalar(select(func.count(Analysis.id))) == 4
            else:
                assert session.scalar(select(func.count(table.id))) == theirs.scalar(select(func.count(table.id)))


def _begun(db: Path) -> bool:
    if not db.exists():
        return False
    try:
        with opened(db) as session:
            return bool(session.scalar(select(func.count()).select_from(Latent)))
    except Exception:
        return False


def test_postgresql_takes_it_as_sqlite_does(other: Path, postgres_db: str) -> None:
    say(other, "Ada", "a name", EARLY)
    for new in ("2 runs", "0 runs"):
        assert new in done("db", "merge", other, "--into", postgres_db).decode()
    there, here = make_engine(other), make_engine(postgres_db)
    with Session(there) as session:
        suites = set(session.scalars(select(Run.suite).where(Run.status == "complete")))
    assert all(suite_digest(here, suite) == suite_digest(there, suite) for suite in suites)
    there.dispose()
    here.dispose()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("missing.db", "missing.db does not exist"),
        ("text.db", "text.db is no SQLite database"),
        ("into.db", "into.db is the store itself"),
    ],
)
def test_what_is_no_other_store_is_refused(tmp_path: Path, given: str, words: str) -> None:
    build(tmp_path / "into.db")
    (tmp_path / "text.db").write_text("no database, but long enough for a header")
    assert words in refused("db", "merge", tmp_path / given, "--into", tmp_path / "into.db")
    assert not (tmp_path / "missing.db").exists()


def test_weights_that_the_two_know_with_other_settings_are_refused_and_nothing_is_taken(
    other: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.db"
    shutil.copy(other, mine)
    for db, mark in ((mine, "a"), (other, "b")):
        with opened(db) as session:
            sae = session.get_one(Sae, 1)
            sae.details = sae.details | {"settings_sha256": mark}
            session.get_one(Run, 2).key = mark * 64
            session.commit()
    before = rows(make_engine(mine))
    assert "expected the configuration" in refused("db", "merge", other, "--into", mine)
    assert rows(make_engine(mine)) == before
