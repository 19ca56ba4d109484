"""The card of a latent: one picture of 1200 by 630, as link previews want it. Numbers in, SVG out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from app.cards.picture import Bar, Picture
from app.shared.language import _
from app.shared.lettering import cut, lines, width, xml

WIDTH, HEIGHT = 1200, 630
PAPER, CARD, LINE, INK, DIM = "#fbfaf8", "#f2f0eb", "#e5e2dc", "#1c1f23", "#5f666d"
FILLS = {"p": "#b35806", "n": "#2b62a8", "z": "#c3bfb6"}
SANS = "'DejaVu Sans', 'Noto Sans', 'Liberation Sans', 'Segoe UI', Helvetica, Arial, sans-serif"
MONO = "'DejaVu Sans Mono', 'Noto Sans Mono', 'Liberation Mono', Consolas, Menlo, monospace"
LEFT, RIGHT = 56, 1144
PLOT = (112, 250, 560, 212)  # left, top, width, height of the histogram
LIST = 744  # left edge of the tokens
ROWS = 6


@dataclass(frozen=True)
class Card:
    """What a card says."""

    where: str
    """Model, layer, SAE."""
    title: str
    mirror: str
    """Of which latent it is the mirror image; empty where of none."""
    density: str
    beside: str
    """What the density is of, and its interval."""
    picture: Picture | None
    why: str
    """Why there is no picture."""
    tokens: list[tuple[str, float, str]]
    """Top tokens: text, length of the bar from 0 to 1, value."""
    side: str
    """Colour of their bars."""
    words: str
    """What it does, in a sentence."""


def card_svg(card: Card) -> str:
    """The picture. No script, no link, no font of its own."""
    inside = [*_head(card), *_histogram(card), *_list(card), *_foot(card)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' role="img" font-family="{SANS}" fill="{INK}">'
    )
    name = f"<title>{xml(f'{card.title}, {card.where}: {card.density} {card.beside}')}</title>"
    return "".join([head, name, _rect(0, 0, WIDTH, HEIGHT, PAPER), *inside, "</svg>"])


def _text(x: float, y: float, text: str, size: int, **more: str) -> str:
    rest = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}"{rest}>{xml(text)}</text>'


def _rect(x: float, y: float, wide: float, high: float, fill: str, radius: int = 0) -> str:
    corner = f' rx="{radius}"' if radius else ""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{high:.2f}" fill="{fill}"{corner}/>'


def _head(card: Card) -> list[str]:
    mark = [_rect(LEFT + at, 44 + drop, 6, 28 - drop, INK) for at, drop in ((0, 0), (11, 0), (22, 14))]
    title, fires = cut(card.title, 640, 62), cut(card.density, 420, 34)
    return [
        *mark,
        _text(LEFT + 42, 68, cut(card.where, RIGHT - LEFT - 42, 24), 24, fill=DIM),
        _two(144, (title, 62), (cut(card.mirror, RIGHT - LEFT - 1.15 * width(title, 62), 28), 28)),
        _two(200, (fires, 34), (cut(card.beside, RIGHT - LEFT - 1.15 * width(fires, 34), 24), 24)),
    ]


def _two(y: float, first: tuple[str, int], second: tuple[str, int]) -> str:
    """Two texts on one line: only who draws them knows where the first one ends."""
    return (
        f'<text x="{LEFT}" y="{y:g}"><tspan font-size="{first[1]}" font-weight="bold">{xml(first[0])}</tspan>'
        f'<tspan font-size="{second[1]}" fill="{DIM}" dx="18">{xml(second[0])}</tspan></text>'
    )


def _histogram(card: Card) -> list[str]:
    left, top, wide, high = PLOT
    if card.picture is None:
        return [_rect(LEFT, top, left + wide - LEFT, high, CARD, 8), *_why(card.why, LEFT + 24, top + 48)]
    grid = [
        part
        for tick in card.picture.y
        for y in [top + high * (1 - tick.at)]
        for part in (_rect(left, y, wide, 1, LINE), _text(left - 10, y + 6, tick.label, 17, **_END))
    ]
    bars = [_bar(bar) for bar in card.picture.bars]
    ticks = [_text(left + wide * tick.at, top + high + 24, tick.label, 17, **_MIDDLE) for tick in card.picture.x]
    base = _rect(left, top + high, wide, 1.5, DIM)
    return [*grid, *bars, base, *ticks, *_axis(card.picture, left, top + high + 54)]


def _bar(bar: Bar) -> str:
    left, top, wide, high = PLOT
    drop = high * (1 - bar.height)
    return _rect(left + wide * bar.left, top + drop, wide * bar.width, high * bar.height, FILLS[bar.side])


_END = {"text_anchor": "end", "fill": DIM}
_MIDDLE = {"text_anchor": "middle", "fill": DIM}


def _axis(picture: Picture, x: float, y: float) -> list[str]:
    parts = [_text(x, y, _("tokens by %(title)s", title=picture.title), 17, fill=DIM)]
    x += width(_("tokens by %(title)s", title=picture.title), 17) + 24
    for side, name in picture.key:
        parts += [_rect(x, y - 13, 14, 14, FILLS[side], 2), _text(x + 21, y, name, 17, fill=DIM)]
        x += width(name, 17) + 44
    return parts


def _why(text: str, x: float, y: float) -> list[str]:
    return [_text(x, y + 30 * row, line, 20, fill=DIM) for row, line in enumerate(lines(text, 560, 20, 5))]


def _list(card: Card) -> list[str]:
    top = PLOT[1]
    head = _text(LIST, top - 4, _("top tokens"), 17, fill=DIM)
    rows = [part for row, held in enumerate(card.tokens[:ROWS]) for part in _row(top + 10 + 40 * row, held, card.side)]
    return [head, *(rows or _why(_("No token makes it fire."), LIST, top + 30))]


def _row(y: float, held: tuple[str, float, str], side: str) -> list[str]:
    token, length, value = held
    text = cut(token, 176, 20, mono=True)
    return [
        _rect(LIST, y, width(text, 20, mono=True) + 16, 30, CARD, 5),
        _text(LIST + 8, y + 22, text, 20, font_family=MONO),
        _rect(LIST + 210, y + 10, max(1.0, 100 * length), 10, FILLS[side]),
        _text(RIGHT, y + 22, cut(value, 84, 19), 19, text_anchor="end"),
    ]


def _foot(card: Card) -> list[str]:
    shown = lines(card.words, RIGHT - LEFT, 24, 2)
    return [_text(LEFT, 566 + 34 * row, line, 24) for row, line in enumerate(shown)]


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
