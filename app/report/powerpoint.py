"""The slide as a PowerPoint file of text and shapes, so that whoever presents it can change it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from app.shared.language import _
from app.shared.numbers import plain
from app.shared.slide import Bar, Picture, Slide

if TYPE_CHECKING:
    from pptx.dml.color import RGBColor
    from pptx.presentation import Presentation as Deck

WIDTH, HEIGHT, EDGE = 13.333, 7.5, 0.5
"""Inches: 16:9."""
GAP = 0.35
INK, DIM, GROUND = "1c1f23", "5f666d", "f2f0eb"
_VARIABLE = re.compile(r"(--[\w-]+):\s*light-dark\(\s*#([0-9a-fA-F]{6})")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")


class Box(NamedTuple):
    """A place on a slide, in inches."""

    left: float
    top: float
    width: float
    height: float


class Text(NamedTuple):
    """How words are set."""

    size: float
    """Points."""
    colour: str = INK
    bold: bool = False
    right: bool = False
    bullets: bool = False
    middle: bool = False


def missing() -> str:
    """What is not there and what to do; empty where all is."""
    if find_spec("pptx"):
        return ""
    return _("a PowerPoint file needs python-pptx: pip install 'dense-latents[slides]', or write report.html")


def save(slide: Slide, measured: Sequence[tuple[str, str]], gaps: Sequence[str], styles: str, out: Path) -> None:
    """Two slides: the answer, and how it was measured.

    Args:
        styles: the stylesheet whose variables the parts' colours are.
    """
    from pptx import Presentation
    from pptx.util import Inches

    made = Presentation()
    made.slide_width, made.slide_height = Inches(WIDTH), Inches(HEIGHT)
    _answer(_Canvas(made, dict(_VARIABLE.findall(styles))), slide)
    _method(_Canvas(made, {}), measured, gaps)
    made.core_properties.title = slide.headline[:200]
    made.core_properties.author = _("Dense Latents")
    made.save(str(out))


class _Canvas:
    """An empty slide to draw on."""

    def __init__(self, made: Deck, colours: dict[str, str]) -> None:
        self.slide = made.slides.add_slide(made.slide_layouts[5])  # a title and nothing else
        self.colours = colours

    def title(self, words: str, box: Box, size: float) -> None:
        """The slide's own title: what an outline and a screen reader show."""
        shape: Any = self.slide.shapes.title
        self._place(shape, box)
        self._set(shape.text_frame, [words], Text(size, bold=True))

    def text(self, words: Sequence[str], box: Box, how: Text) -> None:
        """Paragraphs."""
        shape: Any = self.slide.shapes.add_textbox(0, 0, 0, 0)
        self._place(shape, box)
        self._set(shape.text_frame, words, how)

    def bar(self, box: Box, colour: str, letter: str = "", ink: str = INK) -> None:
        """A rectangle, with a letter where it has room."""
        from pptx.enum.shapes import MSO_SHAPE

        shape: Any = self.slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, 0, 0, 0, 0)
        self._place(shape, box)
        shape.fill.solid()
        shape.fill.fore_color.rgb = _rgb(colour)
        shape.line.fill.background()
        shape.shadow.inherit = False
        if letter:
            self._set(shape.text_frame, [letter], Text(10, ink, bold=True, middle=True))

    def colour(self, variable: str, default: str = DIM) -> str:
        """#rrggbb of a variable, without the #."""
        return self.colours.get(variable, default)

    @staticmethod
    def _place(shape: Any, box: Box) -> None:
        from pptx.util import Inches

        shape.left, shape.top, shape.width, shape.height = map(Inches, box)

    @staticmethod
    def _set(frame: Any, words: Sequence[str], how: Text) -> None:
        from pptx.enum.text import MSO_ANCHOR, PP_ALIGN

        frame.word_wrap = True
        frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
        frame.vertical_anchor = MSO_ANCHOR.MIDDLE if how.right or how.middle else MSO_ANCHOR.TOP
        for place, text in enumerate(words):
            paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
            paragraph.alignment = PP_ALIGN.RIGHT if how.right else PP_ALIGN.CENTER if how.middle else PP_ALIGN.LEFT
            _run(paragraph, f"• {text}" if how.bullets else text, how)


def _run(paragraph: Any, text: str, how: Text) -> None:
    from pptx.util import Pt

    run = paragraph.add_run()
    run.text = _CONTROL.sub("\ufffd", plain(text))
    run.font.size, run.font.bold = Pt(how.size), how.bold
    run.font.color.rgb = _rgb(how.colour)


def _rgb(colour: str) -> RGBColor:
    from pptx.dml.color import RGBColor

    made: RGBColor = RGBColor(*bytes.fromhex(colour))  # type: ignore[no-untyped-call]  # python-pptx leaves it so
    return made


def _answer(canvas: _Canvas, slide: Slide) -> None:
    inner = WIDTH - 2 * EDGE
    canvas.title(slide.headline, Box(EDGE, 0.35, inner, 0.85), 24 if len(slide.headline) < 130 else 20)
    canvas.text([slide.sentence], Box(EDGE, 1.22, inner, 0.5), Text(14, DIM))
    width = (inner - 2 * GAP) / 3
    for place, picture in enumerate(slide.pictures):
        _picture(canvas, picture, Box(EDGE + place * (width + GAP), 1.8, width, 3.4))
    half = (inner - GAP) / 2
    for place, (head, lines) in enumerate(
        ((_("What was decided"), slide.decided), (_("What this does not show"), slide.limits))
    ):
        left = EDGE + place * (half + GAP)
        canvas.text([head], Box(left, 5.3, half, 0.28), Text(13, bold=True))
        _list(canvas, lines, Box(left, 5.6, half, 1.4))
    canvas.text([slide.footer], Box(EDGE, 7.1, inner, 0.25), Text(9, DIM))


def _list(canvas: _Canvas, lines: Sequence[str], box: Box) -> None:
    """As large as it fits."""
    told = [shortened(line) for line in lines]
    size = next((size for size in (12.0, 11.0, 10.0, 9.0) if height_of(told, box.width, size) <= box.height), 8.0)
    canvas.text(told, box, Text(size, bullets=True))


def height_of(lines: Sequence[str], width: float, size: float) -> float:
    """Inches that paragraphs take at most; a letter is about half as wide as it is high."""
    letters = max(1, int(width * 72 / (0.48 * size)) - 2)
    return sum(-(-len(line) // letters) or 1 for line in lines) * size * 1.2 / 72


def shortened(line: str, most: int = 170) -> str:
    """So that five of them fit."""
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _picture(canvas: _Canvas, picture: Picture, box: Box) -> None:
    canvas.text([picture.title], Box(box.left, box.top, box.width, 0.45), Text(12, bold=True))
    keyed = 0.21 * -(-len(picture.key) // 3)
    step = min(0.34, (box.height - 0.5 - 0.52 - keyed) / max(1, len(picture.bars)))
    for place, bar in enumerate(picture.bars):
        _bar(canvas, bar, Box(box.left, box.top + 0.5 + place * step, box.width, step))
    _key(canvas, picture, Box(box.left, box.top + box.height - 0.5 - keyed, box.width, keyed))
    canvas.text([picture.note], Box(box.left, box.top + box.height - 0.48, box.width, 0.46), Text(9, DIM))


def _key(canvas: _Canvas, picture: Picture, box: Box) -> None:
    """What the colours and letters are, three in a line."""
    for place, (colour, letter, ink, name) in enumerate(picture.key):
        left, top = box.left + place % 3 * box.width / 3, box.top + place // 3 * 0.21
        canvas.bar(Box(left, top, 0.17, 0.17), canvas.colour(colour), letter, canvas.colour(ink, "ffffff"))
        canvas.text([name], Box(left + 0.22, top, box.width / 3 - 0.24, 0.17), Text(9))


def _bar(canvas: _Canvas, bar: Bar, box: Box) -> None:
    """Name, bar, number: a third, a half, a sixth."""
    name, number = box.width * 0.32, box.width * 0.17
    left, long = box.left + name + 0.05, box.width - name - number - 0.1
    tone = DIM if bar.quiet else INK
    canvas.text(
        [shortened(bar.name, 22)], Box(box.left, box.top + box.height * 0.12, name, box.height * 0.8), Text(10, tone)
    )
    top, high = box.top + box.height * 0.12, box.height * 0.7
    canvas.bar(Box(left, top, long, high), GROUND)
    for part in (part for part in bar.parts if part.width):
        where = Box(left + long * part.start / 100, top, max(0.01, long * part.width / 100), high)
        letter = part.letter if part.width >= 2 * 7 else ""
        canvas.bar(where, canvas.colour(part.colour), letter, canvas.colour(part.ink, "ffffff"))
    if bar.span:
        low, up = bar.span
        canvas.bar(Box(left + long * low / 100, top + high / 2 - 0.01, max(0.01, long * (up - low) / 100), 0.02), INK)
    if bar.mark is not None:
        canvas.bar(Box(left + long * bar.mark / 100, top - 0.02, 0.02, high + 0.04), INK)
    canvas.text([bar.value], Box(box.left + box.width - number, top, number, high), Text(10, tone, right=True))


def _method(canvas: _Canvas, measured: Sequence[tuple[str, str]], gaps: Sequence[str]) -> None:
    inner = WIDTH - 2 * EDGE
    canvas.title(_("How it was measured"), Box(EDGE, 0.35, inner, 0.6), 24)
    step = min(0.42, 3.9 / max(1, len(measured)))
    for place, (name, value) in enumerate(measured):
        top = 1.1 + place * step
        canvas.text([name], Box(EDGE, top, 2.4, step), Text(11, DIM))
        canvas.text([shortened(value, 150)], Box(EDGE + 2.5, top, inner - 2.5, step), Text(11))
    canvas.text([_("What was not measured")], Box(EDGE, 5.15, inner, 0.3), Text(13, bold=True))
    _list(
        canvas, list(gaps)[:7] or [_("Nothing of what this tool can measure is missing.")], Box(EDGE, 5.5, inner, 1.7)
    )
