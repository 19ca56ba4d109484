"""`db`: copies that are sound though others write, restores that lose nothing, schemas that are told apart."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.commands import db as db_cli
from migrations import runner
from store.backup import free_name
from store.errors import StoreError
from store.session import make_engine
from tests.app.processes import command, done, refused
from tests.app.servers import refused as not_served
from tests.app.servers import serving
from tests.app.stores import count, rows, said
from tests.app.world import build
from tests.migrations.test_filled_migrations import CHANGED
from tests.root import ROOT

HEAD = runner.head_revision()
TOGETHER = 3
WRITER = """
import sys
from app.annotations.queries import Subject
from app.annotations.write import change_many
from store.session import make_engine, session_factory
subjects = [Subject(str(number) * 64, number) for number in range({together})]
with session_factory(make_engine(sys.argv[1]))() as session:
    while True:
        for verdict in ("keep", "prune"):
            change_many(session, subjects, "Ada", category=None, verdict=verdict)
            print("written", flush=True)
"""


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "world.db"
    build(path)
    return path


def others(path: Path) -> list[str]:
    """Files beside a store, but for logs and locks."""
    own = {path.name, f"{path.name}.migrate-lock", "log"}
    found = {one.name for one in path.parent.iterdir()} - own
    return sorted(name for name in found if not name.endswith(("-wal", "-shm")))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Another process changes three annotations in one transaction, again and again."""
    code = WRITER.format(together=TOGETHER)
    with subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as made:
        assert made.stdout
        made.stdout.readline()
        subprocess_reader = subprocess.Popen(["cat"], stdin=made.stdout, stdout=subprocess.DEVNULL)
        try:
            yield
            assert made.poll() is None
        finally:
            made.kill()
            made.wait()
            made.stdout.close()
            subprocess_reader.wait()


def test_a_backup_during_writes_is_sound_whole_and_of_one_moment(db: Path, tmp_path: Path) -> None:
    found = []
    with writing(db):
        for number in range(3):
            low = count(db)
            copy = tmp_path / f"copy{number}.backup"
            printed = done("db", "backup", copy, "--db", db).decode()
            assert low <= count(copy) <= count(db)
            assert "checked" in printed
            found.append(count(copy))
    assert all(number % TOGETHER == 0 for number in found)
    assert found[0] < found[-1]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert count(copy, "latent") == 160
    assert others(db) == ["copy0.backup", "copy1.backup", "copy2.backup"]
    done("db", "restore", copy, "--db", tmp_path / "again.db")
    assert rows(make_engine(tmp_path / "again.db")) == rows(make_engine(copy, read_only=True))
    with serving(str(tmp_path / "again.db"), tmp_path / "log") as server, server.client() as client:
        assert client.get("/latents").status_code == 200
        assert client.get("/search", params={"q": "word9"}).status_code == 200


def test_a_backup_is_as_private_as_its_store_and_never_overwritten(db: Path, tmp_path: Path) -> None:
    db.chmod(0o600)
    copy = tmp_path / "copy.backup"
    done("db", "backup", copy, "--db", db)
    assert copy.stat().st_mode & 0o777 == 0o600
    before = copy.read_bytes()
    said(db, "later")
    assert "copy.backup exists, and a backup is never overwritten" in refused("db", "backup", copy, "--db", db)
    assert copy.read_bytes() == before
    done("db", "backup", copy, "--db", db, "--force")
    assert count(copy) == 1
    assert "is the store itself" in refused("db", "backup", db, "--db", db, "--force")
    done("db", "backup", "--db", db)
    assert [name for name in others(db) if name.endswith(".copy.backup")] != []


def test_names_of_copies_made_at_once_differ(tmp_path: Path) -> None:
    made = set()
    for _time in range(3):
        name = free_name(tmp_path / "a.db", "copy")
        name.touch()
        made.add(name)
    assert len(made) == 3


def test_where_there_is_no_room_nothing_is_left(db: Path, tmp_path: Path) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    before = db.read_bytes()
    (tmp_path / "there").mkdir()
    found = subprocess.run(
        command("db", "backup", tmp_path / "there" / "copy", "--db", db),
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=small,
        check=False,
    )
    assert found.returncode == 2
    assert found.stderr.startswith(f"dense-latents: {tmp_path / 'there'}: ")
    assert list((tmp_path / "there").iterdir()) == []
    assert db.read_bytes() == before


def test_a_restore_keeps_what_was_there(db: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.backup"
    done("db", "backup", copy, "--db", db)
    said(db, "since then")
    printed = done("db", "restore", copy, "--db", db).decode()
    assert count(db) == 0
    kept = [name for name in others(db) if name.endswith(".before-restore.backup")]
    assert len(kept) == 1
    assert kept[0] in printed
    assert count(tmp_path / kept[0]) == 1
    done("db", "restore", tmp_path / kept[0], "--db", db)
    assert count(db) == 1


def test_a_store_in_use_is_not_replaced(db: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.backup"
    done("db", "backup", copy, "--db", db)
    for _first_the_worker_s_file_then_a_restored_one in range(2):
        with serving(str(db), tmp_path / "log") as server, server.client() as client:
            assert client.get("/latents").status_code == 200
            assert "is in use by another program" in refused("db", "restore", copy, "--db", db)
            assert client.get("/latents").status_code == 200
        assert others(db).count("copy.backup") == 1
        done("db", "restore", copy, "--db", db)


def test_a_damaged_store_is_moved_aside(db: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.backup"
    done("db", "backup", copy, "--db", db)
    damaged = b"SQLite format 3\0" + b"\xff" * 8192
    db.write_bytes(damaged)
    assert "which was damaged, is kept as" in done("db", "restore", copy, "--db", db).decode()
    kept = next(name for name in others(db) if name.endswith(".before-restore.backup"))
    assert (tmp_path / kept).read_bytes() == damaged
    assert count(db, "latent") == 160


def test_a_log_whose_store_is_gone_is_not_read_into_the_restored_one(db: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.backup"
    done("db", "backup", copy, "--db", db)
    log = db.with_name(db.name + "-wal")
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE latent SET density = 0.5")
        left = log.read_bytes()
    db.unlink()
    log.write_bytes(left)  # as after `kill -9` and `rm`
    done("db", "restore", copy, "--db", db)
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM latent WHERE density = 0.5").fetchone() == (0,)
    assert [one.read_bytes() for one in tmp_path.glob("*.before-restore.backup-wal")] == [left]


def test_a_backup_that_is_none_changes_nothing(db: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    before = db.read_bytes()

    def says(words: str) -> None:
        with pytest.raises(StoreError) as refusal:
            db_cli.restore(bad, str(db))
        assert words in str(refusal.value)
        assert db.read_bytes() == before
        assert others(db) in ([], ["bad"])

    says("bad does not exist")
    bad.write_bytes(b"hello")
    says("bad is no SQLite database")
    bad.write_bytes(before[: len(before) // 2])
    says("bad is damaged")
    bad.write_bytes(before[:20_000] + b"\xff" * 20_000 + before[40_000:])
    says("bad ")
    bad.unlink()
    with closing(sqlite3.connect(bad)) as connection:
        connection.execute("CREATE TABLE song (id)")
    says("bad holds no dense-latents store")
    bad.write_bytes(before)
    stamp(bad, "9999")
    says(f"bad has schema 9999, this version knows {HEAD}")
    assert "has schema 9999" in refused("db", "restore", bad, "--db", db)
    bad.unlink()
    bad.mkdir()
    says("bad is no file")


def stamp(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))


def test_an_older_backup_is_restored_and_the_upgrade_named(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    build(old, revision="0002")
    done("db", "backup", tmp_path / "copy", "--db", old)
    printed = done("db", "restore", tmp_path / "copy", "--db", tmp_path / "new.db").decode()
    assert f"expects schema {HEAD}: dense-latents db upgrade --db {tmp_path / 'new.db'}" in printed
    done("db", "upgrade", "--db", tmp_path / "new.db")
    assert count(tmp_path / "new.db", "latent") == 160


def test_two_upgrades_at_once_make_one_backup_and_keep_all_rows(tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    build(old, revision="0002")
    before = rows(make_engine(old, read_only=True))
    starters = [
        subprocess.Popen(command("db", "upgrade", "--db", old), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _number in range(2)
    ]
    printed = "".join(starter.communicate(timeout=300)[0] for starter in starters)
    assert [starter.returncode for starter in starters] == [0, 0]
    kept = others(old)
    assert len(kept) == 1
    assert kept[0].endswith(".schema-0002.backup")
    assert printed.count(kept[0]) == 1
    assert rows(make_engine(tmp_path / kept[0], read_only=True)) == before
    after = rows(make_engine(old, read_only=True))
    changed = {table for later, tables in CHANGED.items() if later > "0002" for table in tables}
    assert {name: after[name] for name in before.keys() - changed} == {
        name: before[name] for name in before.keys() - changed
    }
    assert len(after["score"]) == len(before["score"])
    done("migrate", "--db", old)
    assert others(old) == kept


def test_an_empty_store_and_no_backup_make_none(tmp_path: Path) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    runner.upgrade(str(new), "0001")
    build(old, revision="0002")
    done("db", "upgrade", "--db", new)
    done("db", "upgrade", "--db", old, "--no-backup")
    assert [name for name in others(new) if "backup" in name] == []


def test_a_newer_schema_and_another_programs_database_are_left_alone(db: Path, tmp_path: Path) -> None:
    stamp(db, "9999")
    said_to = refused("db", "upgrade", "--db", db)
    assert f"has schema 9999, this version knows {HEAD} and older ones; update dense-latents" in said_to
    song = tmp_path / "song.db"
    with closing(sqlite3.connect(song)) as connection:
        connection.execute("CREATE TABLE song (id)")
    before = song.read_bytes()
    assert "another program's database, with song" in refused("db", "upgrade", "--db", song)
    assert "holds no dense-latents store" in refused("db", "backup", tmp_path / "copy", "--db", song)
    assert song.read_bytes() == before


def test_a_server_refuses_an_older_and_a_newer_database_by_both_revisions(db: Path) -> None:
    stamp(db, "0002")
    assert f"has schema 0002, this server expects {HEAD}; run `dense-latents" in not_served(str(db))
    stamp(db, "9999")
    assert f"has schema 9999, this server expects {HEAD}; update dense-latents" in not_served(str(db))


def test_info_says_what_a_store_is(db: Path) -> None:
    said(db, "one")
    printed = done("db", "info", "--db", db).decode()
    facts = {line[:14].strip(): line[14:] for line in printed.splitlines()}
    assert facts["store"] == str(db)
    assert facts["schema"] == f"{HEAD}, this version's"
    assert (facts["runs"], facts["SAEs"], facts["latents"], facts["annotations"]) == ("3", "3", "160", "1")
    assert facts["newest run"] == "2, Tiny on made text, 60,000 tokens, finished 2026-11-22 12:00 UTC"
    assert facts["journal mode"] == "wal"
    assert facts["database"].startswith("SQLite 3.")
    assert facts["size"].endswith(" MB")
    assert "of 4,096 bytes" in facts["free pages"]


def test_info_reads_a_store_of_the_first_schema(tmp_path: Path) -> None:
    build(tmp_path / "old.db", revision="0001")
    printed = done("db", "info", "--db", tmp_path / "old.db").decode()
    assert f"0001; this version expects {HEAD}: dense-latents db upgrade" in printed
    assert "annotations" not in printed


@pytest.mark.parametrize("name", ["info", "backup", "upgrade"])
def test_a_bad_path_is_one_plain_line_and_makes_no_file(tmp_path: Path, name: str) -> None:
    def says(words: str, path: Path) -> None:
        with pytest.raises(StoreError) as refusal:
            getattr(db_cli, name)(db=str(path))
        assert words in str(refusal.value)
        assert "\n" not in str(refusal.value)

    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    says("bad.db", tmp_path / "bad.db")
    says(str(tmp_path), tmp_path)
    says("nowhere", tmp_path / "nowhere" / "a.db")
    assert "nowhere" in refused("db", name, "--db", tmp_path / "nowhere" / "a.db")
    assert sorted(one.name for one in tmp_path.iterdir() if "lock" not in one.name) == ["bad.db"]


@pytest.mark.parametrize(("words", "tool"), [(["backup"], "pg_dump --format=custom"), (["restore", "x"], "pg_restore")])
def test_another_database_has_its_own_tool_and_its_password_is_not_shown(words: list[str], tool: str) -> None:
    with pytest.raises(StoreError) as refusal:
        getattr(db_cli, words[0])(*map(Path, words[1:]), db="postgresql+psycopg://ada:secret@host:5433/latents")
    printed = str(refusal.value)
    assert tool in printed
    assert "'postgresql://ada@host:5433/latents'" in printed
    assert "secret" not in printed


def test_postgresql_is_upgraded_and_described(postgres_db: str) -> None:
    assert f"schema none -> {HEAD}" in done("db", "upgrade", "--db", postgres_db).decode()
    build(postgres_db)
    printed = done("db", "info", "--db", postgres_db).decode()
    assert "PostgreSQL" in printed
    assert "160" in printed
    assert "journal mode" not in printed
