"""Coloured text: thousands of tokens a page, so their markup is made here and each different token is escaped once.

Colour means which pole, and how strongly. One-sided signals use b1..b8; where a mirror partner exists n4..n1 and
p1..p4 stand for the negative and the positive pole. Class names, not colours: the policy forbids inline styles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import groupby, repeat
from typing import NamedTuple

from markupsafe import Markup

from app.shared.numbers import plain
from app.shared.scripts import Writing, writing

ONE_SIDED, TWO_SIDED = 8, 4
_BREAK = "↵"


def one_sided(value: float, scale: float) -> str:
    """b1 to b8 (at `scale` or above); empty where the latent is off.

    Args:
        scale: activation that gets the full colour, > 0.
    """
    if value == 0 or scale <= 0:
        return ""
    return f"b{1 + min(ONE_SIDED - 1, int(ONE_SIDED * abs(value) / scale))}"


def two_sided(value: float, scale: float) -> str:
    """n4..n1, p1..p4; empty where the signal is zero."""
    if value == 0 or scale <= 0:
        return ""
    side = "p" if value > 0 else "n"
    return f"{side}{1 + min(TWO_SIDED - 1, int(TWO_SIDED * abs(value) / scale))}"


@dataclass(frozen=True)
class Paint:
    """How a latent's activations become colours.

    With a mirror partner the colour is the pair's signed signal z, the same on both latents' pages:
    the positive pole is always the warm one.
    """

    latent: int
    scale: float
    pole: int = 1
    """+1 where this latent is the positive pole, -1 where it is the negative one."""
    partner: int | None = None
    """The mirror partner, if the text is two-sided."""
    weights: tuple[float, float] = (1.0, 1.0)
    """Decoder norms of the latent and its partner: what makes their activations comparable."""
    signed: bool = False
    """Two-sided colours without a partner."""

    def css(self, value: float, partner: float) -> str:
        """The colour of a token."""
        if value >= 0 and self.partner is None and not self.signed:
            return one_sided(value, self.scale)
        z = self.pole * (value * self.weights[0] - partner * self.weights[1])
        return two_sided(z, self.scale * self.weights[0])


class Cell(NamedTuple):
    """What is shown as one: a token, or all the tokens that one character is made of."""

    text: str
    values: Sequence[float]
    partner: Sequence[float]
    focus: bool


@dataclass(frozen=True)
class Passage:
    """A stretch of text with a latent's activation on each token.

    An empty token ends the character that the one before it began (see `analysis.reading.sections.cut`).
    """

    document: str
    position: int
    """Character of the document at which it begins."""
    tokens: Sequence[str]
    values: Sequence[float]
    partner: Sequence[float] | None
    """The mirror partner's activations."""
    focus: int | None
    """The token it was drawn for."""
    paint: Paint

    def __bool__(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.tokens) and bool(self.values)

    def __len__(self) -> int:
        """Its tokens."""
        return min(len(self.tokens), len(self.values))

    @property
    def names(self) -> str:
        """The latents whose activations a token carries, the text's own first."""
        return f"{self.paint.latent}" if self.paint.partner is None else f"{self.paint.latent} {self.paint.partner}"

    def cells(self) -> Iterable[tuple[str, float, float]]:
        """Token, activation, the partner's."""
        partner = None if self.paint.partner is None else self.partner
        return zip(self.tokens, self.values, partner or repeat(0.0), strict=False)

    @property
    def writing(self) -> Writing:
        """In which script the text is."""
        return writing("".join(self.tokens))

    def characters(self) -> Iterator[Cell]:
        """The cells, those that make one character together joined: none holds a part of a character."""
        if "" not in self.tokens:  # nearly always: each is a character or more by itself
            for place, (token, value, partner) in enumerate(self.cells()):
                yield Cell(token, (value,), (partner,), place == self.focus)
            return
        open_: list[tuple[int, str, float, float]] = []
        for place, (token, value, partner) in enumerate(self.cells()):
            if token and open_:
                yield self._cell(open_)
                open_ = []
            open_.append((place, token, value, partner))
        if open_:
            yield self._cell(open_)

    def _cell(self, tokens: list[tuple[int, str, float, float]]) -> Cell:
        places, texts, values, partner = zip(*tokens, strict=True)
        return Cell("".join(texts), values, partner, self.focus in places)


def coloured(passage: Passage) -> Markup:
    """Its tokens side by side, each isolated; a line ends after the last of some breaks.

    A token's activations are in `data-v` and `data-w`, in three digits: scripts put the words around them. Where
    several tokens make a character, theirs stand there one after the other, and the strongest gives the colour.
    """
    parts: list[str] = []
    broken = False
    for cell in passage.characters():
        text, begins, ends = _escaped(cell.text)
        if broken and not begins:
            parts.append("<br>")
        broken = ends
        css = _strongest(passage.paint, cell) if any(cell.values) or any(cell.partner) else ""
        if cell.focus:
            css = f"{css} focus".lstrip()
        parts.append(f"<bdi{_attributes(css, cell)}>{text}</bdi>")
    return Markup("".join(parts))  # classes and numbers are ours, the text is escaped


def _strongest(paint: Paint, cell: Cell) -> str:
    if len(cell.values) == 1:
        return paint.css(cell.values[0], cell.partner[0])
    return max(map(paint.css, cell.values, cell.partner), key=lambda css: css[1:])


def _attributes(css: str, cell: Cell) -> str:
    own = f' class="{css}"' if css else ""
    for name, values in (("v", cell.values), ("w", cell.partner)):
        if any(values):
            own += f' data-{name}="{" ".join([f"{value:.3g}" for value in values])}"'
    return own


@lru_cache(maxsize=30_000)
def _escaped(token: str) -> tuple[str, bool, bool]:
    """As text of an element; whether it begins and ends with a line's end."""
    text = plain(token)
    return escape(text, quote=False), text.startswith(_BREAK), text.endswith(_BREAK)


def stripe(passage: Passage) -> Markup:
    """Its tokens as cells of a strip one unit high: a path a colour, neighbours of one colour drawn as one."""
    paths: dict[str, list[str]] = {}
    at = 0
    for css, cells in groupby(passage.cells(), lambda cell: passage.paint.css(cell[1], cell[2])):
        long = sum(1 for _cell in cells)
        paths.setdefault(css, []).append(f"M{at} 0h{long}v1h-{long}z")
        at += long
    drawn = (f'<path class="{css}" d="{"".join(places)}"/>' for css, places in sorted(paths.items()) if css)
    return Markup("".join(drawn))
