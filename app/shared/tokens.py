"""Coloured text: thousands of tokens a page, so their markup is made here and each different token is escaped once.

Colour means which pole, and how strongly. One-sided signals use b1..b8; where a mirror partner exists n4..n1 and
p1..p4 stand for the negative and the positive pole. Class names, not colours: the policy forbids inline styles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import groupby, repeat

from markupsafe import Markup

from app.shared.numbers import plain

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


@dataclass(frozen=True)
class Passage:
    """A stretch of text with a latent's activation on each token."""

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


def coloured(passage: Passage) -> Markup:
    """Its tokens side by side, each isolated; a line ends after the last of some breaks.

    A token's activations are in `data-v` and `data-w`, in three digits: scripts put the words around them.
    """
    parts: list[str] = []
    broken = False
    for place, (token, value, partner) in enumerate(passage.cells()):
        text, begins, ends = _escaped(token)
        if broken and not begins:
            parts.append("<br>")
        broken = ends
        css = passage.paint.css(value, partner) if value or partner else ""
        if place == passage.focus:
            css = f"{css} focus".lstrip()
        parts.append(f"<bdi{_attributes(css, value, partner)}>{text}</bdi>")
    return Markup("".join(parts))  # classes and numbers are ours, the text is escaped


def _attributes(css: str, value: float, partner: float) -> str:
    own = f' class="{css}"' if css else ""
    if value:
        own += f' data-v="{value:.3g}"'
    return f'{own} data-w="{partner:.3g}"' if partner else own


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
