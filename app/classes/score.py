"""What one class says of one latent, and how a class is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pydantic import Field, field_serializer

from app.shared.figures import CARD, DIM, View
from app.shared.language import _, translated
from app.shared.numbers import fixed
from app.shared.record import Evidence, Hidden, Number, Record
from app.shared.statements import Sentences
from store.vocabulary import HOLDS


class ScoreInfo(Record):
    """What one class says of one latent. A null number was not measured; `words` says why."""

    name: str = Hidden
    label: str
    """yes, likely (a part is not measured yet), no, unmeasured; of the mixture: sum, aggregate, own"""
    score: Number = None
    """What is compared with the cut"""
    cut: Number = None
    """What the score must reach: a setting of the run"""
    chance: Number = None
    """What random directions reach on the same text, as many as there are latents"""
    control: Number = None
    """The same measure where it must not hold; see the class's definition"""
    p: Number = None
    """Where a test is made"""
    q: Number = None
    """p after Benjamini-Hochberg over the SAE's latents with detail"""
    words: str
    """One plain sentence"""
    statement: Evidence
    """Its code, and the numbers of `words`"""
    data: Evidence = Field(default_factory=dict)
    """The evidence; null in lists, and where there is none"""

    @field_serializer("data")
    def _evidence(self, data: dict[str, Any]) -> dict[str, Any] | None:
        return data or None

    @property
    def holds(self) -> bool:
        """The latent has this class."""
        return self.label in HOLDS


class Colour(NamedTuple):
    """A class's colour, as #rrggbb: 3:1 against the ground at least, and told from the others' by any eye.

    It is declared in the class's view and nowhere else: `app.classes.palette` makes the stylesheet's rules of it.
    """

    light: str
    dark: str


@dataclass(frozen=True)
class Fill:
    """How a group of latents is drawn in a stack."""

    colour: str
    """Name of a CSS variable."""
    letter: str = ""
    """Stands on it where there is room, so that colour is never alone."""
    ink: str = CARD
    """Name of the CSS variable of that letter."""
    edge: str = CARD
    """Name of the CSS variable of the outline: a pale fill needs one."""
    hatch: str = ""
    """plotly's name of a pattern, or empty."""


class ClassView:
    """How a class is shown. One that this server does not know, since a newer worker wrote it, is shown like this."""

    name: str
    """As the store has it."""
    title: str
    """As people read it, in the middle of a sentence."""
    letter: str = "?"
    """Stands beside its colour, so that colour is never alone."""
    order: int = 1000
    """Its place among the others."""
    colour: Colour | None = None
    """None: grey, as of a class that is not known here."""
    of_text: bool = False
    """More text may tell what little text does not."""
    sentences: ClassVar[Sentences] = {}
    """By the code of a statement: what is said of a latent."""
    head: ClassVar[tuple[str, ...]] = ()
    """Heads of `rows`."""

    @property
    def variable(self) -> str:
        """The CSS variable of its colour."""
        return f"--class-{self.name.replace('_', '-')}"

    @property
    def fill(self) -> Fill:
        """How it is drawn in a stack."""
        return Fill(self.variable, self.letter, f"{self.variable}-ink") if self.colour else Fill(DIM, self.letter)

    def phrase(self, score: ScoreInfo) -> str:
        """What a latent of this class does, to be read after "It"."""
        return _("has the class “%(class)s”", **{"class": translated(self.title)})

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """The score with its name, e.g. "AUC 0.58", and what else belongs to it; both may be empty."""
        return fixed(score.score), ""

    def number(self, score: ScoreInfo, value: float) -> str:
        """A cut, a chance or a control in the score's own unit."""
        return fixed(value)

    def plots(self, score: ScoreInfo) -> list[View]:
        """What the stored evidence suffices for."""
        return []

    def rows(self, score: ScoreInfo) -> Sequence[tuple[str, ...]]:
        """A further small table of evidence."""
        return ()


class UnknownClass(ClassView):
    """A class by its name alone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.title = name.replace("_", " ")
