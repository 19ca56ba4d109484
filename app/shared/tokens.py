"""Coloured text: examples and the strip of one whole document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from app.latents.examples import Excerpt
from app.latents.queries import LatentInfo
from app.shared.colours import one_sided, two_sided
from app.shared.numbers import number, plain

KIND_TITLES = {
    "top": "Strongest",
    "level4": "Level 4 of 4",
    "level3": "Level 3 of 4",
    "level2": "Level 2 of 4",
    "level1": "Level 1 of 4",
    "random": "Random, on",
    "off": "Random, off",
}
KIND_NOTES = {
    "top": "The highest activations, at most one a context. For a latent that is on this often: the tip, not the rule.",
    "level4": "The highest quarter of the firing activations.",
    "level3": "Above the median of the firing activations.",
    "level2": "Below the median of the firing activations.",
    "level1": "The lowest quarter of the firing activations.",
    "random": "Firing tokens drawn at random.",
    "off": "Tokens drawn at random where the latent is off: the control for all the others.",
}


class Cell(NamedTuple):
    """One token as shown. A page has thousands."""

    text: str
    css: str
    tip: str
    """The activations on it, as "624: 3.21"; empty where there is none. Scripts put the token before it."""
    focus: bool


@dataclass(frozen=True)
class Shown:
    """One example as shown."""

    document: str
    position: int
    cells: list[Cell]


@dataclass(frozen=True)
class Group:
    """Examples of one kind."""

    kind: str
    title: str
    note: str
    examples: list[Shown]


@dataclass(frozen=True)
class Paint:
    """How a latent's activations become colours.

    With a mirror partner the colour is the pair's signed signal z, the same on both latents' pages:
    the positive pole is always the warm one.
    """

    latent: int
    scale: float
    pole: int
    """+1 where this latent is the positive pole, -1 where it is the negative one."""
    partner: int | None
    """The mirror partner, if the examples are two-sided."""
    weights: tuple[float, float]
    """Decoder norms of the latent and its partner: what makes their activations comparable."""

    def cell(self, token: str, value: float, partner: float, focus: bool = False) -> Cell:
        """Colour and tooltip of one token."""
        text = plain(token)
        return Cell(text, self._css(value, partner), self._tip(value, partner), focus)

    def _css(self, value: float, partner: float) -> str:
        if self.partner is None and value >= 0:
            return one_sided(value, self.scale)
        z = self.pole * (value * self.weights[0] - partner * self.weights[1])
        return two_sided(z, self.scale * self.weights[0])

    def _tip(self, value: float, partner: float) -> str:
        parts = [f"{self.latent}: {number(value)}"] if value else []
        parts += [f"{self.partner}: {number(partner)}"] if self.partner is not None and partner else []
        return ", ".join(parts)


def paint_of(latent: LatentInfo, partner: LatentInfo | None, pole: int) -> Paint:
    """The colours of a latent; `partner` only where it is a mirror image."""
    scale = max(_scale(latent), _scale(partner) if partner else 0.0)
    weights = (latent.decoder_norm or 1.0, (partner.decoder_norm if partner else None) or 1.0)
    return Paint(latent.index, scale, pole, partner.index if partner else None, weights)


def _scale(latent: LatentInfo) -> float:
    """Activation that gets the full colour: the 99 % quantile, since a few massive tokens would hide the rest."""
    return abs(float((latent.quantiles or {}).get("0.99") or latent.max or 0.0))


def groups_of(excerpts: list[Excerpt], paint: Paint) -> list[Group]:
    """Examples by kind; kinds without any are left out."""
    made: dict[str, list[Shown]] = {}
    for excerpt in excerpts:
        made.setdefault(excerpt.kind, []).append(show(excerpt, paint))
    return [Group(kind, KIND_TITLES[kind], KIND_NOTES[kind], shown) for kind, shown in made.items()]


def show(excerpt: Excerpt, paint: Paint) -> Shown:
    """One example with its colours."""
    partner = excerpt.partner or [0.0] * len(excerpt.tokens)
    rows = zip(excerpt.tokens, excerpt.activations, partner, strict=False)
    cells = [
        paint.cell(token, value, other, place == excerpt.focus) for place, (token, value, other) in enumerate(rows)
    ]
    return Shown(excerpt.document, excerpt.position, cells)


def strip_of(tokens: list[str], values: list[float] | None, partner: list[float] | None, paint: Paint) -> list[Cell]:
    """One whole document, a cell a token; empty where the latent has no detail."""
    others = partner or [0.0] * len(tokens)
    return [paint.cell(*row) for row in zip(tokens, values or [], others, strict=False)]
