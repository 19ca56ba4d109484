"""One frozen dataclass a page: exactly the template's variables. A test compares the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.compose.facts import Fact
from app.compose.text import Cell, Group
from app.plots import CurveInfo, Figure
from app.queries.latents import Filters, LatentInfo, Order
from app.queries.pairs import PairInfo
from app.queries.profiles import TokenItem
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
class View:
    """A plot among others one can switch between, with its text alternative."""

    name: str
    title: str
    figure: Figure
    summary: str
    """What the plot shows, in words and numbers."""
    head: tuple[str, ...]
    """Column heads of the table of its numbers."""
    rows: Sequence[tuple[str, ...]]
    """The numbers, as shown."""


@dataclass(frozen=True)
class TokenList:
    """Tokens with a bar each."""

    title: str
    term: str
    side: str
    """Colour of the bars: p, n, or z where it belongs to no pole."""
    items: list[TokenItem]
    values: list[float]
    """Bar lengths, 0 to 100."""
    labels: list[str]
    """Values as shown."""
    missing: str
    """Why the list is empty."""


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


@dataclass(frozen=True)
class Column:
    """A sortable table head."""

    name: str
    label: str
    href: str
    active: str
    """"ascending", "descending" or empty, as aria-sort wants it."""


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


@dataclass(frozen=True)
class MethodsPage(Page):
    """What each value means."""

    template = "methods/methods.html"
    groups: list[tuple[str, list[Term]]]
    """Statistics of latents, pairs and SAEs."""
    grades: dict[str, str]
    """What P, R and O mean."""


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    path: str
    summary: str
    description: str
    parameters: list[dict[str, Any]]
    answer: str
    """Name of the answer's schema."""


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
