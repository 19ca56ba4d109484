"""One page for a meeting."""

from __future__ import annotations

from dataclasses import dataclass

from app.compose.report_parts import ExperimentWords, LayerLine, Matter, Opinion, Ruled
from app.pages.base import Page
from app.queries.runs import RunInfo


@dataclass(frozen=True)
class ReportPage(Page):
    """A run in what one prints."""

    template = "report/report.html"
    run: RunInfo
    """The run shown."""
    words: str
    """How many of the dense latents something explains."""
    lines: list[LayerLine]
    """A line an SAE."""
    groups: list[tuple[str, str]]
    """What the bars are made of, with names; empty where no classes were measured."""
    matters: list[Matter]
    """Latents and pairs to talk about."""
    ruled: Ruled | None
    """Verdicts by the rule and by people; None where there are neither."""
    opinions: list[Opinion]
    """The latest notes."""
    experiments: list[ExperimentWords]
    """Experiments on the run's SAEs, a line each."""
    steering: str
    """For how many signals the text follows, in a sentence; empty where nothing was steered."""
    labels: str
    """What goes with the user's labels, in a sentence; empty where there are none."""
    measured: list[tuple[str, str]]
    """How it was measured: name, value."""
    hashes: list[tuple[str, str]]
    """What the names stand for: name, SHA-256."""
    missing: list[tuple[str, str]]
    """What was not measured, and the command that would; the command may be empty."""
