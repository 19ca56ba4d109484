"""Tokens with colours: which pole an activation belongs to, and how strong it is.

The positive pole of a pair is its denser latent, on every page: a latent that is the negative
pole of its pair is shown in that pole's colour on its own page too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app import colours, formats
from app.pages import Snippet, Strip, Tinted
from app.queries.examples import Example
from app.queries.latents import LatentFacts
from app.queries.pairs import PairFacts

HEADINGS = {
    "top": "Highest activations",
    "level4": "Level 4 of 4: the upper quarter",
    "level3": "Level 3",
    "level2": "Level 2",
    "level1": "Level 1 of 4: the lowest quarter",
    "random": "Firing tokens at random",
    "off": "Off: tokens at random where it does not fire",
}
NEAR = 0.5  # antipodality from which the partner is shown as a second pole


@dataclass(frozen=True)
class Tint:
    """How the activations of one latent become colours."""

    two_sided: bool
    sign: int  # +1 where the latent is the positive pole, -1 where the negative
    scale: float  # activation with the full colour

    def token(self, text: str, own: float, other: float, focus: bool = False) -> Tinted:
        """One token; `own` and `other` are the latent's and its partner's activations."""
        if not self.two_sided:
            colour = colours.one_sided(own, self.scale)
            return Tinted(formats.plain(text), colour, formats.signed(own) if own else "", focus)
        value = self.sign * (own - other)
        colour = colours.two_sided(value, self.scale)
        return Tinted(formats.plain(text), colour, formats.signed(value) if value else "", focus)


def tint_for(latent: LatentFacts, pair: PairFacts | None) -> Tint:
    """The colours of a latent's page."""
    two_sided = is_two_sided(latent, pair)
    sign = -1 if two_sided and pair is not None and pair.negative == latent.index else 1
    scale = (latent.quantiles or {}).get("0.95") or abs(latent.max or 0) or 1.0
    return Tint(two_sided, sign, scale)


def is_two_sided(latent: LatentFacts, pair: PairFacts | None) -> bool:
    """Whether the partner is near enough a mirror image to be shown as the other pole."""
    if pair is None or latent.antipodality is None:
        return False
    return pair.is_pair or pair.joint_1d or (latent.antipodality >= NEAR and (latent.cos_dec or 0) < 0)


def snippet(example: Example, tint: Tint) -> Snippet:
    """An example with colours."""
    others = example.partner or [0.0] * len(example.tokens)
    rows = zip(example.tokens, example.activations, others, strict=True)
    tokens = [tint.token(text, own, other, place == example.focus) for place, (text, own, other) in enumerate(rows)]
    return Snippet(example.document, labels_line(example.labels), tokens)


def sections(examples: dict[str, list[Example]], tint: Tint) -> list[tuple[str, str, list[Snippet]]]:
    """(kind, heading, snippets), in the order of the kinds."""
    return [(kind, HEADINGS[kind], [snippet(item, tint) for item in found]) for kind, found in examples.items()]


def strip(document: dict[str, Any] | None, own: list[float] | None, other: list[float] | None, tint: Tint) -> Strip | None:
    """The run's whole document with colours; None where the run kept none for this latent."""
    if document is None or own is None or len(own) != len(document["tokens"]):
        return None
    others = other if other is not None and tint.two_sided else [0.0] * len(own)
    tokens = [tint.token(*row) for row in zip(document["tokens"], own, others, strict=True)]
    firing = sum(value != 0 for value in own) / max(1, len(own))
    return Strip(document["document"], tokens, formats.percent(firing))


def labels_line(labels: dict[str, Any]) -> str:
    """`year 1859 · party Democratic`; the title stands elsewhere."""
    shown = [(name, value) for name, value in labels.items() if name != "title" and isinstance(value, str | int | float)]
    return " · ".join(f"{name} {value}" for name, value in shown)[:160]
