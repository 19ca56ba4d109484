"""Pages of many latents."""

from __future__ import annotations

from dataclasses import dataclass

from app.compose.browse import People
from app.compose.dense_set import DenseSet
from app.compose.facts import Fact
from app.compose.labels import LabelSection
from app.pages.base import Page
from app.parts import ClassLine, Column, View
from app.plots import CurveInfo, Figure
from app.queries.classes import Key, ScoreInfo
from app.queries.effects import EffectInfo
from app.queries.latents import Filters, LatentInfo, Order
from app.queries.pairs import PairInfo
from app.queries.runs import RunInfo
from app.queries.saes import SaeInfo
from app.queries.verdicts import VerdictInfo
from app.queries.views import ViewInfo


@dataclass(frozen=True)
class HomePage(Page):
    """Models, runs, and the three overviews."""

    template = "home/home.html"
    run: RunInfo
    """The run shown."""
    runs: list[RunInfo]
    """All complete runs, newest first."""
    saes: list[SaeInfo]
    """The run's SAEs by layer."""
    most: int
    """Largest dense count of an SAE: the full bar."""
    scatter: Figure
    """Density against antipodality."""
    shown: int
    """Dots in the scatter."""
    curve: Figure
    """Latents above each density, one line an SAE."""
    counts: CurveInfo
    """The numbers of `curve`, for the threshold's slider."""
    functions: Figure | None
    """Dense latents by class and layer; None where the run measured no classes."""
    functions_words: str
    """The same in words."""
    legend: list[tuple[str, str]]
    """Groups of `functions` with their names."""


@dataclass(frozen=True)
class LayersPage(Page):
    """The run's SAEs side by side."""

    template = "layers/layers.html"
    run: RunInfo
    """The run shown."""
    saes: list[SaeInfo]
    """Its SAEs by layer."""
    charts: list[tuple[str, Figure]]
    """One small bar chart a measure."""
    densities: dict[str, list[int]]
    """By SAE slug: bar heights 0 to 24 of the latents in each quarter of a decade of density."""
    paired: dict[int, int]
    """By analysis: dense latents that belong to an antipodal pair."""
    stack: Figure | None
    """Dense latents by class and layer, each once; None where the run measured no classes."""
    stack_words: str
    """The same in words."""
    legend: list[tuple[str, str]]
    """Groups of `stack` with their names."""
    class_table: list[ClassLine]
    """Dense latents of each class in each SAE, in all their classes."""
    flow: View | None
    """Chains from layer to layer."""
    panels: list[tuple[SaeInfo, Figure]]
    """Density and antipodality of each SAE's latents."""


@dataclass(frozen=True)
class BrowsePage(Page):
    """Latents of a run by filter and sort."""

    template = "latents/browse.html"
    run: RunInfo
    """The run shown."""
    saes: list[SaeInfo]
    """Choices of the SAE filter."""
    filters: Filters
    """What is filtered."""
    order: Order
    """How it is sorted."""
    columns: dict[str, Column]
    """Sortable heads by name."""
    latents: list[LatentInfo]
    """This page's rows."""
    classes: dict[Key, list[ScoreInfo]]
    """By (analysis, index): the classes it has."""
    ablated: set[int]
    """Analyses of the run whose latents were taken out."""
    effects: dict[Key, EffectInfo]
    """By (analysis, index): what breaks without it."""
    verdicts: dict[Key, VerdictInfo]
    """By (analysis, index): the verdict by rule."""
    verdict_choices: list[tuple[str, str]]
    """Choices of the verdict filter: value and words."""
    labels: list[str]
    """Choices of the label filter."""
    class_choices: list[tuple[str, str]]
    """Choices of the class filter: value and words."""
    total: int
    """Latents that pass the filters."""
    next: str
    """Address of the next page; empty on the last."""
    first: str
    """Address of the first page; empty on it."""
    back: str
    """Address of this very page of the list."""
    view: str
    """Address of the list from its first row on: what is saved as a view."""
    among_all: str
    """Address of the same filters among all latents, dense or not."""
    people: People
    """What people said of the rows, and what can be said."""
    changed: int | None
    """Of how many latents something was just said; None where nothing was."""
    saved: list[ViewInfo]
    """Saved views, newest first."""
    export: str
    """Address of the whole list as JSON, which `prune` takes; empty where it is of several SAEs, or too long."""
    densest: float
    """Density of the full bar."""


@dataclass(frozen=True)
class SaePage(Page):
    """An SAE's own page."""

    template = "saes/sae.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """The SAE."""
    facts: list[Fact]
    """Its numbers in this run."""
    pairs: list[PairInfo]
    """Its antipodal pairs, best first."""
    densest: list[LatentInfo]
    """Its densest latents."""
    classes: dict[Key, list[ScoreInfo]]
    """By (analysis, index): the classes they have."""
    dense_set: DenseSet
    """What breaks without all its dense latents."""
    verdicts: list[tuple[str, str, int, str]]
    """Latents by verdict of the rule: value, words, count, address of the list; empty where it was not applied."""
    training: list[tuple[str, str]]
    """The training report beside the weights: name, value."""
    details: list[tuple[str, str]]
    """sae-lens' configuration and metadata: name, value."""


@dataclass(frozen=True)
class LabelsPage(Page):
    """The user's labels against dense latents."""

    template = "labels/labels.html"
    run: RunInfo
    """The run shown."""
    saes: list[SaeInfo]
    """Its SAEs by layer."""
    sections: list[LabelSection]
    """A label each, with the latents that go with it most."""
    missing: str
    """Why there are none."""
