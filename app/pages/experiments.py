"""SAEs trained anew: all experiments, and one."""

from __future__ import annotations

from dataclasses import dataclass

from app.compose.arms import ArmRow, ExperimentLine
from app.compose.facts import Fact
from app.compose.seeds import StabilityTable
from app.pages.base import Page
from app.parts import View
from app.queries.experiments import ArmInfo, ExperimentInfo


@dataclass(frozen=True)
class ExperimentsPage(Page):
    """All experiments of the store."""

    template = "experiments/experiments.html"
    lines: list[ExperimentLine]
    """One a row, newest first."""
    heads: list[str]
    """Names of the headline arms."""
    command: str
    """What would make one."""


@dataclass(frozen=True)
class ExperimentPage(Page):
    """One experiment."""

    template = "experiments/experiment.html"
    experiment: ExperimentInfo
    """The experiment."""
    words: str
    """What the counts mean."""
    facts: list[Fact]
    """Numbers at the head."""
    arms: list[ArmRow]
    """A row an arm, over its seeds."""
    curves: View | None
    """Densities of all SAEs over each other."""
    counts: View
    """Dense latents of all SAEs."""
    angles: View | None
    """Principal angles between seeds."""
    stability: StabilityTable | None
    """Which dense latents come back."""
    saes: list[ArmInfo]
    """All SAEs, with the hashes of their weights."""
    names: dict[str, str]
    """Arms as people read them."""
    recipe: list[tuple[str, str]]
    """How the SAEs are trained: name, value."""
    settings: list[tuple[str, str]]
    """What the experiment was asked for: name, value."""
    command: str
    """What makes it."""
