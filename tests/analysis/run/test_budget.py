"""SAEs that do not fit into memory together are read one after another, and the plan says so before loading."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.run import budget
from analysis.run.analyze import analyze
from analysis.run.budget import groups, held
from store.session import make_engine
from store.tables import Analysis
from tests.analysis.conftest import Parts

QUIET = Console(quiet=True)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def loud() -> Console:
    return Console(file=io.StringIO(), width=200)


def room_for(parts: Parts, db: Path, saes: int) -> float:
    """GB that just hold the model and so many of the tiny SAEs."""
    config = parts.config(db, memory=1.0)
    costs = [budget._cost(source, config) for source in config.saes]
    return held([cost for cost in costs if cost is not None][:saes]) / budget.GB + 1e-9


def test_a_small_run_has_no_plan(parts: Parts, tmp_path: Path) -> None:
    console, config = loud(), parts.config(tmp_path / "run.db")
    assert groups(config, console) == [config]
    assert said(console) == ""


def test_what_fits_is_read_together(parts: Parts, tmp_path: Path) -> None:
    console, config = loud(), parts.config(tmp_path / "run.db", memory=8.0)
    assert groups(config, console) == [config]
    assert said(console).startswith("plan: 2 SAEs, at most about 0.7 GB, about 1 s for 6,000 tokens")


def test_what_does_not_is_read_one_after_another(parts: Parts, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    console, config = loud(), parts.config(db, memory=room_for(parts, db, 1))
    split = groups(config, console)
    assert [part.saes for part in split] == [[source] for source in config.saes]
    assert all(replace(part, saes=config.saes) == config for part in split)
    assert "reading 1 of 2: 1 SAE," in said(console)
    assert "reading 2 of 2: 1 SAE," in said(console)
    analyze(config, QUIET)
    with Session(make_engine(db)) as session:
        assert [one.run_id for one in session.scalars(select(Analysis).order_by(Analysis.id))] == [1, 2]


def test_too_little_for_one_is_refused_before_anything_is_loaded(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.run.analyze.prepare", None)
    with pytest.raises(UserError, match=r"--memory 0.1: expected at least 0.7 \(GB\); .* takes so much with the model"):
        analyze(parts.config(tmp_path / "run.db", memory=0.1), QUIET)
    assert not (tmp_path / "run.db").exists()


def test_a_wide_sae_has_a_plan_without_being_asked(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "WIDE", 24)
    console = loud()
    groups(parts.config(tmp_path / "run.db"), console)
    assert said(console).startswith("plan: 2 SAEs")
