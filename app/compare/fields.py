"""Latents side by side."""

from __future__ import annotations

from dataclasses import dataclass

from app.annotations.panel import Said
from app.classes.score import ScoreInfo
from app.latents.columns import Cell
from app.latents.queries import LatentInfo
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.colours import Stroke
from app.shared.figures import View
from app.shared.page import Page
from app.shared.tokens import Passage
from app.verdicts.page import Ruling


@dataclass(frozen=True)
class Compared:
    """One latent among those compared."""

    letter: str
    name: str
    """Letter, layer and index: as plots name it."""
    stroke: Stroke
    """How its lines are drawn."""
    reference: str
    """As the address names it."""
    run: RunInfo
    sae: SaeInfo
    latent: LatentInfo
    pin: str
    """Keeps its run in links."""
    functions: list[ScoreInfo]
    """Classes it has."""
    unmeasured: str
    """Why none were measured; empty where they were."""
    ruling: Ruling | None
    said: Said | None
    """What people say of it."""
    strip: Passage
    """One whole document; empty where the run kept none."""
    without: str
    """Address of the same comparison without it."""


@dataclass(frozen=True)
class Row:
    """A statistic of all latents."""

    term: str
    label: str
    values: list[Cell]


@dataclass(frozen=True)
class SharedToken:
    """A token of one list, and whose lists have it too."""

    token: str
    length: float
    label: str
    also: str
    """Letters of the others; empty where no other has it."""


@dataclass(frozen=True)
class SharedList:
    """The tokens of one latent."""

    letter: str
    name: str
    side: str
    items: list[SharedToken]
    bars: bool
    missing: str


@dataclass(frozen=True)
class SharedLists:
    """One kind of list of all latents."""

    title: str
    term: str
    words: str
    """How many tokens are shared."""
    lists: list[SharedList]


@dataclass(frozen=True)
class Difference:
    """The density of one latent in two runs."""

    first: str
    second: str
    points: str
    """Second less first, in percentage points."""
    words: str


@dataclass(frozen=True)
class ComparePage(Page):
    """Two to four latents on shared axes."""

    template = "compare/compare.html"
    columns: list[Compared]
    """The latents, in the order asked."""
    rows: list[Row]
    """Statistics of all of them."""
    differences: list[Difference]
    """Where one latent stands in two runs: how its density differs."""
    histograms: View | None
    """Activations over each other; None where none ever fired."""
    positions: list[View]
    """Mean activation over position in context, paragraph, sentence."""
    tokens: list[SharedLists]
    """Top and promoted tokens."""
    units: str
    """What must be known to compare activations; empty where they are of one SAE."""
    choices: list[tuple[RunInfo, list[tuple[str, str]]]]
    """SAEs that can be chosen, by run: value and words."""
    suggestions: list[tuple[str, str]]
    """What is near to those shown: words and address."""
    most: int
    """Latents that can be compared at once."""
    runs: list[RunInfo]
    """The runs or suites they are of."""
