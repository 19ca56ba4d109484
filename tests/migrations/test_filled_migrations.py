"""Every migration up, down and up again on a filled database of either kind: rows are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from migrations import runner
from store.session import make_engine
from tests.app.stores import rows, said
from tests.app.world import build

CHANGED = {
    "0008": {"verdict"},
    "0009": {"score", "steering", "verdict"},
    "0010": {"latent", "pair", "label", "association", "experiment", "verdict"},
    "0011": {"analysis"},
    "0013": {"run"},
    "0015": {"latent"},
    "0016": {"label"},
    "0017": {"run"},
    "0018": {"traces"},
    "0019": {"latent"},
}
"""Migrations that write the same in another way, and the tables of which they do: the way back must find it again."""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_migration_goes_up_down_and_up_on_a_filled_database(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    url = str(tmp_path / "filled.db") if kind == "sqlite" else request.getfixturevalue("postgres_db")
    build(url)
    if kind == "sqlite":
        said(Path(url), "kept")
    engine = make_engine(url)
    held = rows(engine)
    assert len(held["latent"]) == 160
    assert held["search_text"]
    for script in ScriptDirectory.from_config(runner.config()).walk_revisions():  # newest first
        below = str(script.down_revision or "base")
        changed = CHANGED.get(script.revision, set())
        runner.downgrade(url, below)
        lower = rows(engine)
        kept(without(held, changed), lower)
        runner.upgrade(url, script.revision, backup=False)
        kept(held if script.revision in CHANGED else lower, rows(engine))
        runner.downgrade(url, below)
        held = kept(lower, rows(engine))
    assert held == {}
    build(url)
    assert len(rows(engine)["latent"]) == 160
    engine.dispose()


def without(held: dict[str, list[str]], changed: set[str]) -> dict[str, list[str]]:
    """The tables whose rows a migration leaves as they are."""
    return {name: found for name, found in held.items() if name not in changed}


def kept(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, list[str]]:
    """The tables that are still there have the same rows."""
    same = {name: found for name, found in before.items() if name in after}
    assert {name: after[name] for name in same} == same
    return same
