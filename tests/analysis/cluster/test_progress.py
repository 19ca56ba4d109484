"""What is said of several actors while they work."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from analysis.cluster import progress
from analysis.cluster.progress import crew_progress


def test_a_terminal_has_a_bar_for_all_and_a_line_for_each() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with crew_progress(console, "analysing", 1000, "tokens", "ab", before=100) as shown:
        shown.at(0, "shard 3")
        shown.done(0, 300)
        shown.done(1, 50)
        shown.done(1, -50)  # it ended, and begins anew
    last = screen.getvalue()
    assert "400/1000" in last
    assert "actor 1: shard 3, 300 tokens" in last
    assert "actor 2: loading, 0 tokens" in last


def test_without_a_terminal_all_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    said = io.StringIO()
    with crew_progress(Console(file=said, width=100), "analysing", 1000, "tokens", "a", before=100) as shown:
        shown.at(0, "shard 3")
        shown.done(0, 300)
    lines = said.getvalue().splitlines()
    assert lines[-2].startswith("analysing: 400 of 1,000 tokens")
    assert lines[-1].startswith("  actor 1: shard 3, 300 tokens")
