"""Rows as a unit's page shows them: their numbers as bars beside the table's means, their texts and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.field.queries import RowExample, Spread
from app.shared.language import _
from app.shared.numbers import count, number
from store.vocabulary import level_of

MOST_VALUES = 12
"""Columns of a row that are drawn."""
WIDEST = 3.0
"""Standard deviations at the end of a bar."""


@dataclass(frozen=True)
class ValueBar:
    """A number of a row beside the table's mean, as a bar from the middle."""

    name: str
    value: str
    left: float
    width: float
    above: bool


@dataclass(frozen=True)
class RowCard:
    """One row."""

    row: str
    title: str
    image: str
    """Path of its picture; empty without one."""
    text: str
    """What it says, where a column has it."""
    activation: str
    words: list[tuple[str, str]]
    """Columns that are no numbers, and their values."""
    bars: list[ValueBar]
    heights: list[int]
    """Its neighbours' activations, 0 to 9; empty where rows have no order."""
    focus: int


@dataclass(frozen=True)
class RowGroup:
    """Rows of one kind."""

    key: str
    title: str
    note: str
    rows: list[RowCard]


def examples(found: list[RowExample], spreads: dict[str, Spread], roles: dict[str, str]) -> list[RowGroup]:
    """By kind, in reading order; `spreads` are of the numbers, `roles` the columns that are no labels."""
    made: dict[str, list[RowCard]] = {}
    for example in found:
        made.setdefault(example.kind, []).append(_card(example, spreads, roles))
    return [RowGroup(kind, *_kind_words(kind), cards) for kind, cards in made.items()]


def _kind_words(kind: str) -> tuple[str, str]:
    level, of = level_of(kind)
    if level:
        return _("level %(level)s of %(of)s", level=level, of=of), _(
            "Drawn at random from this part of the activations where it is on."
        )
    return {
        "top": (_("strongest"), _("The rows with the largest activation, one of each stretch.")),
        "random": (_("on, at random"), _("Rows on which it is on, drawn at random: what is typical.")),
    }.get(kind, (_("off"), _("Rows on which it is off, drawn at random.")))


def _card(example: RowExample, spreads: dict[str, Spread], roles: dict[str, str]) -> RowCard:
    apart = {roles.get(role) for role in ("id", "text", "image", "order", "group")}
    numbers = {name: value for name, value in example.values.items() if name in spreads}
    others = [
        (name, _plain(value)) for name, value in example.values.items() if name not in spreads and name not in apart
    ]
    text, image = (str(example.values.get(roles.get(role, ""), "")) for role in ("text", "image"))
    bars = [_bar(spreads[name], float(value)) for name, value in list(numbers.items())[:MOST_VALUES]]
    top = max((abs(value) for value in example.neighbours), default=0.0) or 1.0
    heights = [round(9 * abs(value) / top) for value in example.neighbours] if len(example.neighbours) > 1 else []
    return RowCard(
        example.row,
        example.title,
        image,
        text,
        number(example.activation),
        others[:MOST_VALUES],
        bars,
        heights,
        example.focus,
    )


def _plain(value: Any) -> str:
    """As the table has it: yes and no are true and false."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bar(spread: Spread, value: float) -> ValueBar:
    z = max(-WIDEST, min(WIDEST, (value - spread.mean) / spread.sd))
    wide = round(50 * abs(z) / WIDEST, 1)
    shown = count(int(value)) if value.is_integer() else number(value)
    return ValueBar(spread.name, shown, 50.0 if z >= 0 else 50 - wide, wide, z >= 0)
