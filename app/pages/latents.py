"""One latent, and two as one signal."""

from __future__ import annotations

from dataclasses import dataclass

from app.compose.annotation import AnnotationPanel
from app.compose.effects import Effects
from app.compose.facts import Fact
from app.compose.functions import ClassRow, Mixture
from app.compose.labels import AssociationRow
from app.compose.steering import SteeringCard
from app.compose.text import Cell, Group
from app.compose.verdict import Ruling
from app.pages.base import Page
from app.parts import TokenList, View
from app.queries.chains import ChainInfo
from app.queries.classes import Key, ScoreInfo
from app.queries.latents import LatentInfo
from app.queries.pairs import PairInfo
from app.queries.runs import RunInfo
from app.queries.saes import SaeInfo


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
    effects: Effects
    """What breaks without it."""
    effect_words: str
    """The same in a sentence for the head; empty where it is open or not measured."""
    ruling: Ruling | None
    """The verdict by rule; None where the rule was not applied."""
    steering: SteeringCard | None
    """What steering along it does; None where nothing asks for it."""
    mixture: Mixture | None
    """Whether it is a sum of sparse latents."""
    labels: list[AssociationRow]
    """The user's labels, those it goes with first."""
    chain: dict[str, ChainInfo]
    """Its continuation by side, next and previous."""
    chain_classes: dict[Key, list[ScoreInfo]]
    """What those do."""
    annotation: AnnotationPanel
    """What people say of it."""
    summary: str
    """The page in a sentence, for previews."""


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
    effects: Effects
    """What breaks without the two."""
    effect_words: str
    """The same in a sentence for the head; empty where it is open or not measured."""
    rulings: list[Ruling | None]
    """The verdict by rule on each pole."""
    steering: SteeringCard
    """What steering along their axis does."""
    annotation: AnnotationPanel
    """What people say of the two."""
