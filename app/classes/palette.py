"""The stylesheet's rules of classes, made of what each class's view declares: nobody else lists them."""

from __future__ import annotations

from app.classes.groups import GROUPS, fill_of, mark_of
from app.classes.score import ClassView, Colour
from app.classes.views import CLASSES

INKS = ("#ffffff", "#000000")
"""Of a letter on a colour: whichever stands out more, 4.5:1 at least on any colour."""


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def contrast(one: str, other: str) -> float:
    """Of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def endings() -> dict[str, bytes]:
    """What the server adds to its static files."""
    return {"style.css": stylesheet().encode()}


def stylesheet() -> str:
    """Variables of each class's colour and of the ink on it, for pages and plots, and the marks of all groups."""
    coloured = [(view, view.colour) for view in CLASSES.values() if view.colour]
    variables = "".join(_variables(view, colour) for view, colour in coloured)
    return f"\n/* classes, from their views */\n:root {{\n{variables}}}\n{''.join(map(_mark, (*CLASSES, *GROUPS)))}"


def _variables(view: ClassView, colour: Colour) -> str:
    inks = Colour(*(max(INKS, key=lambda ink: contrast(ink, shade)) for shade in colour))
    return f"  {view.variable}: {_both(colour)};\n  {view.variable}-ink: {_both(inks)};\n"


def _both(colour: Colour) -> str:
    return f"light-dark({colour.light}, {colour.dark})"


def _mark(group: str) -> str:
    fill = fill_of(group)
    held = f"--k: var({fill.colour}); --k-ink: var({fill.ink}); --k-edge: var({fill.edge});"
    held += f" --k-letter: {_text(fill.letter)};"
    return f".{mark_of(group).split()[-1]} {{ {held} }}\n"


def _text(letter: str) -> str:
    letter = letter or "\u00a0"  # a mark without one keeps its line
    return '"' + letter.replace("\\", r"\5c ").replace('"', r"\22 ") + '"'
