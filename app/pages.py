"""What each template gets: one frozen dataclass a page, exactly its variables (a test holds both equal)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.queries.latents import Filters, LatentFacts, LatentPage
from app.queries.pairs import PairFacts
from app.queries.profiles import Profiles
from app.queries.runs import RunFacts
from app.queries.saes import SaeFacts
from app.queries.statistics import StatisticFacts


@dataclass(frozen=True)
class Shell:
    """What every page has around its content."""

    active: str
    """Which entry of the navigation this is: home, layers, latents, methods, api, or empty."""
    run: RunFacts | None
    """The run the page shows; None on an empty store."""
    runs: list[RunFacts]
    """All complete runs, newest first, for the choice of run."""
    pinned: bool
    """Whether the address names the run; links then keep it."""
    explain: dict[str, StatisticFacts]
    """Statistics by name, for headers and tooltips."""


@dataclass(frozen=True)
class Figure:
    """A plotly figure with its words."""

    id: str
    """Unique on the page."""
    title: str
    """What it shows, for the caption and the accessible name."""
    spec: dict[str, Any]
    """{"data": [...], "layout": {...}} of plotly; colours are names of CSS variables, put in by plots.js."""
    summary: str
    """A sentence or two that say the same as the picture, for those who do not see it."""
    header: list[str]
    """Column names of the table that stands in for the picture without JavaScript."""
    rows: list[list[str]]
    """Its rows, formatted."""


@dataclass(frozen=True)
class HomePage:
    """`/`"""

    shell: Shell
    saes: list[SaeFacts]
    """The SAEs of the run, by layer."""
    by_layer: Figure | None
    """Dense latents by layer, split into those in antipodal pairs and the rest."""
    scatter: Figure | None
    """Density against antipodality; each dot links to its latent (customdata: path)."""
    curves: list[dict[str, Any]]
    """Per SAE: {"name", "slug", "densities" (falling)}, for the threshold that can be dragged."""


@dataclass(frozen=True)
class LayersPage:
    """`/layers`"""

    shell: Shell
    saes: list[SaeFacts]
    dense: Figure | None
    """Dense latents by layer; bars link to the browse page."""
    density: Figure | None
    """Distribution of density by layer."""
    cost: Figure | None
    """L0 and FVU by layer: counts of dense latents are to be read beside them."""


@dataclass(frozen=True)
class BrowsePage:
    """`/latents`"""

    shell: Shell
    filters: Filters
    page: LatentPage
    saes: list[SaeFacts]
    """For the choice of SAE."""
    next_url: str | None
    """The following page."""
    first_url: str | None
    """The list from its start; None there."""
    sort_urls: dict[str, str]
    """Column -> address of this list sorted by it (again: the other way round)."""
    api_url: str
    """The same list in JSON."""


@dataclass(frozen=True)
class SaePage:
    """`/saes/{slug}`"""

    shell: Shell
    sae: SaeFacts
    densest: list[LatentFacts]
    """Its ten densest latents."""
    pairs: list[PairFacts]
    """Its antipodal pairs."""


@dataclass(frozen=True)
class Tinted:
    """A token and how it is shown."""

    text: str
    """As shown: line breaks and control characters visible."""
    colour: str
    """Class name b0..b8, n4..n1, p1..p4, or empty."""
    value: str
    """Formatted activation, for the tooltip; empty where off."""
    focus: bool
    """Whether the example is about this token."""


@dataclass(frozen=True)
class Snippet:
    """An example, ready to show."""

    document: str
    labels: str
    """`year 1859 · party Democratic`; empty where the corpus has none."""
    tokens: list[Tinted]


@dataclass(frozen=True)
class Strip:
    """One whole document."""

    document: str
    tokens: list[Tinted]
    firing: str
    """Share of its tokens on which the latent fires, formatted."""


@dataclass(frozen=True)
class LatentView:
    """`/saes/{slug}/latents/{index}`"""

    shell: Shell
    sae: SaeFacts
    latent: LatentFacts
    pair: PairFacts | None
    """The signed signal with the partner, where the run measured it."""
    mirror: LatentFacts | None
    """The partner."""
    profiles: Profiles
    histogram: Figure | None
    """Activations of this latent, with the mirrored partner below where there is one."""
    signed: Figure | None
    """Histogram of the signed signal z of the pair."""
    positions: list[Figure]
    """Mean activation by position in context, paragraph, sentence: those that are known."""
    strip: Strip | None
    examples: list[tuple[str, str, list[Snippet]]]
    """(kind, heading, snippets) in the order top, levels 4 to 1, random, off."""
    two_sided: bool
    """Whether tokens are coloured by the signed signal of the pair or by this latent alone."""
    previous: int | None
    """The next denser latent."""
    next: int | None
    """The next sparser one."""
    ask_detail: str
    """The command that gets examples and profiles for a latent that has none; empty where it has them."""


@dataclass(frozen=True)
class PairView:
    """`/saes/{slug}/pairs/{i}/{j}`"""

    shell: Shell
    sae: SaeFacts
    pair: PairFacts
    positive: LatentFacts
    negative: LatentFacts
    positive_profiles: Profiles
    negative_profiles: Profiles
    signed: Figure
    """Histogram of the signed signal z."""
    positions: list[Figure]
    """Both latents' mean activation by position, the negative pole below zero."""
    positive_examples: list[Snippet]
    negative_examples: list[Snippet]
    strip: Strip | None


@dataclass(frozen=True)
class MethodsPage:
    """`/methods`"""

    shell: Shell
    groups: list[tuple[str, list[StatisticFacts]]]
    """(heading, statistics) for latents, pairs, SAEs."""


@dataclass(frozen=True)
class ApiPage:
    """`/api/docs`"""

    shell: Shell
    operations: list[dict[str, Any]]
    """Per path: {"method", "path", "summary", "parameters": [{"name", "in", "type", "required", "description"}]}."""


@dataclass(frozen=True)
class ErrorPage:
    """Any error, for people."""

    shell: Shell
    status: int
    phrase: str
    """`Not Found`"""
    detail: str
    """What was asked and what there is instead."""


TEMPLATES: dict[type, str] = {
    HomePage: "home/index.html",
    LayersPage: "layers/index.html",
    BrowsePage: "latents/index.html",
    LatentView: "latents/show.html",
    SaePage: "saes/show.html",
    PairView: "pairs/show.html",
    MethodsPage: "methods/index.html",
    ApiPage: "api/docs.html",
    ErrorPage: "errors/error.html",
}
