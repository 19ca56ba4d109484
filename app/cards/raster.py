"""SVG to PNG, by resvg with the fonts of this machine. Without it or without a font of ours there is only the SVG."""

from __future__ import annotations

from functools import cache

from app.cards.card import SANS

_LETTER = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" font-family="{SANS}">'
    '<text y="30" font-size="30">{}</text></svg>'
)


def png_of(svg: str) -> bytes | None:
    """The picture of an SVG of our own making; None where this machine cannot draw its letters."""
    return _drawn(svg) if can_draw() else None


@cache
def can_draw() -> bool:
    """Whether the library is there and finds a font: a letter must leave something on the paper."""
    try:
        return _drawn(_LETTER.format("M")) != _drawn(_LETTER.format(" "))
    except ImportError:  # a platform without a wheel
        return False


def _drawn(svg: str) -> bytes:
    import resvg_py  # only who asks for a picture loads it

    return bytes(resvg_py.svg_to_bytes(svg_string=svg))
