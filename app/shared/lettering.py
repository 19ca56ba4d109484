"""Text in an SVG that the server makes: safe to parse, and cut to its place without a font at hand."""

from __future__ import annotations

import re
import unicodedata
from html import escape

from app.shared.numbers import plain

MONO = 0.61  # em a letter, of the widest of the fonts asked for
_NO_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW, _WIDE = set("ilj.,:;'|!()[]tfI/\u202f "), set("mwMW@%—<>=+±~#&⇄")


def xml(text: str) -> str:
    """Text as an element's content. What XML has no letter for is replaced; a direction that is turned ends with it."""
    return escape(_NO_XML.sub("\ufffd", f"\u2068{plain(text)}\u2069"))


def width(text: str, size: float, mono: bool = False) -> float:
    """About how wide `text` is, in units of `size`; a little too much rather than too little."""
    return size * sum(_em(letter, mono) for letter in text)


def _em(letter: str, mono: bool) -> float:
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.1
    if mono:
        return MONO
    if letter in _NARROW:
        return 0.38
    return 0.95 if letter in _WIDE else 0.68 if letter.isupper() or letter.isdigit() else 0.6


def cut(text: str, room: float, size: float, mono: bool = False) -> str:
    """As much of `text` as has room, with dots where something is missing."""
    if len(text) <= 2_000 and width(text, size, mono) <= room:
        return text
    left, kept = room - width("…", size, mono), 0
    for letter in text[:2_000]:
        left -= _em(letter, mono) * size
        if left < 0:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def lines(text: str, room: float, size: float, most: int) -> list[str]:
    """`text` in at most so many lines; the last one is cut."""
    made: list[str] = []
    words = text.split(" ")
    while words and len(made) < most - 1:
        taken = 1
        while taken < len(words) and width(" ".join(words[: taken + 1]), size) <= room:
            taken += 1
        made.append(cut(" ".join(words[:taken]), room, size))
        words = words[taken:]
    return [*made, cut(" ".join(words), room, size)] if words else made
