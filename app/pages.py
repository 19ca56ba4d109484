"""One frozen dataclass a page: exactly the template's variables. A test compares the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.compose.facts import Fact
from app.compose.functions import ClassRow, Mixture
from app.compose.labels import AssociationRow, LabelSection
from app.compose.text import Cell, Group
from app.parts import ClassLine, Column, Operation, TokenList, View
from app.plots import CurveInfo, Figure
from app.queries.chains import ChainInfo
from app.queries.classes import ScoreInfo
from app.queries.latents import Filters, LatentInfo, Order
from app.queries.pairs import PairInfo
from app.queries.runs import RunInfo
from app.queries.saes import SaeInfo
from app.queries.statistics import Term


@dataclass(frozen=True)
class Page:
    """What every page has."""

    template: ClassVar[str]

    title: str
    """Title of the browser's tab, without the product's name."""
    nav: str
    """Which entry of the navigation this page belongs to."""
    terms: dict[str, Term]
    """Statistics by name: tooltips and headings take their words from here."""
    pin: str
    """Query string that keeps a pinned run in links: "run=3", or empty."""


@dataclass(frozen=True)
class EmptyPage(Page):
    """A store without a complete run."""

    template = "home/empty.html"


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
    classes: dict[tuple[int, int], list[ScoreInfo]]
    """By (analysis, index): the classes it has."""
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
    classes: dict[tuple[int, int], list[ScoreInfo]]
    """By (analysis, index): the classes they have."""
    training: list[tuple[str, str]]
    """The training report beside the weights: name, value."""
    details: list[tuple[str, str]]
    """sae-lens' configuration and metadata: name, value."""


@dataclass(frozen=True)
class LatentPageView(Page):
    """One latent."""

    template = "latents/latent.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Its SAE."""
    latent: LatentInfo
    """The latent."""
    partner: LatentInfo | None
    """The latent its antipodality is reached with."""
    pair: PairInfo | None
    """Their joint facts, where they were measured."""
    side: str
    """Colour of this latent: p or n."""
    mirror: bool
    """Whether the partner is its mirror image, so that colours are two-sided."""
    facts: list[Fact]
    """Numbers at the head."""
    histograms: list[View]
    """Views of the activation histogram."""
    tokens: list[TokenList]
    """Token lists."""
    positions: list[View]
    """Mean activation over position in context, paragraph, sentence."""
    missing_positions: list[tuple[str, str]]
    """Those without one, with why."""
    strip: list[Cell]
    """One whole document."""
    strip_document: str
    """Its name."""
    groups: list[Group]
    """Examples by kind."""
    duplicates: list[LatentInfo]
    """Near-duplicates."""
    before: int | None
    """The next denser latent of the SAE."""
    after: int | None
    """The next rarer one."""
    support: int | None
    """Occurrences a token type needs to be ranked by mean."""
    functions: list[ClassRow]
    """What it does: a row a class, those that hold first."""
    function_words: str
    """The same in a sentence, with the label it goes with most; empty where nothing was measured."""
    unmeasured: str
    """Why there are no rows."""
    mixture: Mixture | None
    """Whether it is a sum of sparse latents."""
    labels: list[AssociationRow]
    """The user's labels, those it goes with first."""
    chain: dict[str, ChainInfo]
    """Its continuation by side, next and previous."""
    chain_classes: dict[tuple[int, int], list[ScoreInfo]]
    """What those do."""


@dataclass(frozen=True)
class PairPage(Page):
    """Two latents as one signed signal."""

    template = "pairs/pair.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Their SAE."""
    pair: PairInfo
    """Joint facts."""
    poles: list[LatentInfo]
    """The positive one, then the negative one."""
    facts: list[Fact]
    """Numbers at the head."""
    histogram: View | None
    """Tokens by z."""
    tokens: list[TokenList]
    """Top and promoted tokens of both poles, positive before negative."""
    positions: list[View]
    """Both poles' mean activation over position."""
    strip: list[Cell]
    """One whole document by z."""
    strip_document: str
    """Its name."""
    sides: list[tuple[Group, Group]]
    """Examples of the same kind, positive beside negative."""
    functions: list[tuple[ClassRow | None, ClassRow | None]]
    """What the two do: a row a class, positive beside negative."""


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


@dataclass(frozen=True)
class MethodsPage(Page):
    """What each value means."""

    template = "methods/methods.html"
    groups: list[tuple[str, list[Term]]]
    """Statistics of latents, pairs and SAEs."""
    grades: dict[str, str]
    """What P, R and O mean."""
    cuts: list[tuple[str, str]]
    """Cuts of the run's classes: name, value."""


@dataclass(frozen=True)
class ApiDocsPage(Page):
    """The API, from its OpenAPI description."""

    template = "api/docs.html"
    operations: list[Operation]
    """Calls in the order of the description."""
    schemas: list[tuple[str, list[tuple[str, str, str]]]]
    """Answers: name, then each field's name, type and description."""


@dataclass(frozen=True)
class ErrorPage(Page):
    """Something is not there, or was asked for wrongly."""

    template = "error.html"
    status: int
    """HTTP status."""
    phrase: str
    """Its name."""
    detail: str
    """What was wrong and what there is instead."""
