"""The migrated schema is the declared one; two starters do not hurt each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from migrations import runner
from store.search import declared
from store.session import make_engine
from store.tables import Base
from tests.app.world import build
from tests.migrations.test_filled_migrations import CHANGED
from tests.root import ROOT


def test_the_migrated_schema_is_that_of_the_tables(tmp_path: Path) -> None:
    runner.upgrade(str(tmp_path / "new.db"))
    engine = make_engine(tmp_path / "new.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": declared})
        assert compare_metadata(context, Base.metadata) == []


def test_the_head_read_as_text_is_alembics() -> None:
    assert runner.head_revision() == ScriptDirectory.from_config(runner.config()).get_current_head()


def test_a_database_knows_its_revision(tmp_path: Path) -> None:
    engine = make_engine(tmp_path / "new.db")
    assert runner.current_revision(engine) is None
    runner.upgrade(str(tmp_path / "new.db"))
    assert runner.current_revision(engine) == runner.head_revision()


def test_down_and_up_again(tmp_path: Path) -> None:
    path = str(tmp_path / "new.db")
    runner.upgrade(path)
    runner.downgrade(path, "base")
    assert set(inspect(make_engine(path)).get_table_names()) == {"alembic_version"}
    runner.upgrade(path)
    assert "latent" in inspect(make_engine(path)).get_table_names()


def test_migrating_twice_keeps_the_rows(tmp_path: Path) -> None:
    store = build(tmp_path / "store.db")
    runner.upgrade(store)
    with make_engine(store, read_only=True).connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM latent")).scalar() == 160


def test_a_filled_store_of_the_first_release_goes_up_and_keeps_its_rows(tmp_path: Path) -> None:
    old = build(tmp_path / "old.db", revision="0001")
    engine = make_engine(old)
    tables = sorted(set(inspect(engine).get_table_names()) - {"alembic_version"})
    assert "score" not in tables
    before = _rows(engine, tables)
    runner.upgrade(old)
    same = [table for table in tables if table not in set().union(*CHANGED.values())]
    assert _rows(engine, same) == {table: before[table] for table in same}
    assert {table: len(rows) for table, rows in before.items()}["latent"] == 160
    newer = ["score", "chain", "label", "association", "intervention", "effect", "steering", "experiment", "verdict"]
    assert _rows(engine, newer) == {name: [] for name in newer}


def test_a_filled_store_of_the_second_release_goes_up_and_down_and_keeps_its_rows(tmp_path: Path) -> None:
    old = build(tmp_path / "old.db")
    runner.downgrade(old, "0002")
    engine = make_engine(old)
    tables = sorted(set(inspect(engine).get_table_names()) - {"alembic_version"})
    before = _rows(engine, tables)
    assert before["score"]
    runner.upgrade(old)
    same = [table for table in tables if table not in set().union(*CHANGED.values())]  # sentences are codes now
    assert _rows(engine, same) == {table: before[table] for table in same}
    runner.downgrade(old, "0002")
    assert sorted(set(inspect(engine).get_table_names()) - {"alembic_version"}) == tables
    assert _rows(engine, tables) == before


def _rows(engine: Engine, tables: list[str]) -> dict[str, list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))), key=repr)
            for name in tables
        }


def test_of_starters_at_once_all_find_the_schema(tmp_path: Path) -> None:
    code = f"from migrations.runner import upgrade; upgrade({str(tmp_path / 'new.db')!r})"
    starters = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    errors = [starter.communicate(timeout=600)[1] for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 4, errors
