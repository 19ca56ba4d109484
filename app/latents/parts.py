"""Parts of the page of a latent or a pair: what lies below the fold, or is folded, comes when asked for.

Each part that comes later has an address of its own, which shows it as a small page: without a script a link leads
there; with one it is fetched when its place comes into view, and its elements are put in their places by their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from app.annotations.panel import AnnotationPanel, annotation_panel
from app.http.errors import NotFound
from app.interventions.page import Effects
from app.interventions.steering import SteeringCard, steering_card
from app.latents.facts import Fact, TokenList, kind_title
from app.latents.record import LatentRecord
from app.pairs.record import PairRecord
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.figures import View
from app.shared.links import Later, nowhere, parts_at
from app.shared.page import RunPage
from app.shared.tiles import Tile
from app.shared.tokens import Paint, Passage
from store.vocabulary import STEER

R = TypeVar("R", LatentRecord, PairRecord)
S = TypeVar("S", bound="Sections")
Made = dict[str, Any]
"""Some of the sections, by name."""


@dataclass(frozen=True)
class Sections:
    """What may come later: a list is None, a view has no figure, and a text is missing where it does."""

    later: Later
    histograms: list[View] | None = None
    """Views of the activation histogram, or of z where either of a pair fired."""
    positions: list[View] | None = None
    """Mean activation over position in context, paragraph, sentence."""
    effects: Effects | None = None
    """What breaks without it."""
    steering: SteeringCard | None = None
    """What steering along it does."""
    strip: Passage | None = None
    """One whole document."""
    annotation: AnnotationPanel | None = None
    """What people say of it."""


@dataclass(frozen=True)
class SignalPage(RunPage, Generic[R, S]):
    """A latent, or two as one signal."""

    sae: SaeInfo
    """Its SAE."""
    record: R
    """The latent or pair, and what is told of it."""
    facts: list[Fact]
    """Numbers at the head."""
    tokens: list[TokenList]
    """Token lists; of a pair, positive before negative."""
    effect_words: str
    """What breaks without it in a sentence for the head; empty where it is open or not measured."""
    tiles: list[Tile]
    """What it does, what it follows, whether it is needed."""
    has_strip: bool
    """Whether one whole document was kept."""
    sections: S
    """What stands below, or comes later."""
    annotation: AnnotationPanel
    """What people say of it."""


@dataclass(frozen=True)
class Part(RunPage, Generic[R, S]):
    """A part of such a page, alone."""

    sae: SaeInfo
    """Its SAE."""
    record: R
    """The latent or pair."""
    name: str
    """Which part."""
    words: str
    """What it holds."""
    sections: S
    """The part."""
    annotation: AnnotationPanel | None
    """What people say of it, where that is the part."""


class Asked(NamedTuple, Generic[R]):
    """What a part is made from, and where it comes from if it comes later."""

    run: RunInfo
    record: R
    pin: str
    later: Later = nowhere


Maker = Callable[[Asked[R]], Made]


@dataclass(frozen=True)
class Parts(Generic[R, S]):
    """The parts of a noun's page."""

    of: str
    """Whose page, in words."""
    makers: Mapping[str, tuple[str, Maker[R]]]
    """By name in an address: what it holds, and what makes it. Examples have a part a kind, `examples-off`."""
    examples: Callable[[R, tuple[str, ...], tuple[str, ...]], Made]
    """Those of some kinds at once, those of others later."""
    sections: type[S]
    page: type[Part[R, S]]
    at_once: int = 1
    """Kinds of examples that do not come later."""

    def whole(self, run: RunInfo, record: R, pin: str, address: str) -> S:
        """All sections.

        Args:
            address: of the page that some come later from; empty where nobody can be asked for them.
        """
        asked = Asked(run, record, pin, parts_at(address, pin) if address else nowhere)
        now = self.at_once if asked.later("examples") else len(record.kinds)
        made = self.examples(record, record.kinds[:now], record.kinds[now:])
        for _words, maker in self.makers.values():
            made |= maker(asked)
        return self.sections(asked.later, **made)

    def part(self, run: RunInfo, record: R, pin: str, name: str) -> Part[R, S]:
        """A part of the page, alone.

        Raises:
            NotFound: there is no such part.
        """
        kind = name.removeprefix("examples-")
        if kind != name and kind in record.kinds:
            words, made = f"examples, {kind_title(kind).lower()}", self.examples(record, (kind,), ())
        elif name in self.makers:
            words, maker = self.makers[name]
            made = maker(Asked(run, record, pin))
        else:
            known = f"it has {', '.join(self.makers)} and its kinds of examples"
            raise NotFound(f"{self.of} page has no part '{name[:40]}'; {known}.")
        sections = self.sections(nowhere, **made)
        title = f"{record.name}: {words} · {record.sae.slug}"
        return self.page(title, "latents", run, record.sae, record, name, words, sections, sections.annotation)


def steering(asked: Asked[R], what: str, signal: str) -> Made:
    """What steering along it does.

    Args:
        what: what was not steered along, in words.
        signal: option of the command that would.
    """
    record = asked.record
    if record.is_steered and asked.later("steering"):
        return {}
    done = record.interventions.get(STEER)
    return {"steering": steering_card(done, record.steering, record.sae.slug, what, signal)}


def document(asked: Asked[R], mine: list[float] | None, theirs: list[float] | None, paint: Paint) -> Made:
    """One whole document with the activations on each token, the partner's too where it is a mirror image."""
    name, tokens = runs.strip_of(asked.record.session, asked.run)
    return {"strip": Passage(name, 0, tokens, mine or [], theirs, None, paint)}


def history(asked: Asked[R]) -> Made:
    """What people say, and how it came about."""
    run, record, later = asked.run, asked.record, asked.later("history")
    panel = annotation_panel(
        record.session, run, record.sae, record.subject, asked.pin, latest=record.said, later=later
    )
    return {"annotation": panel}
