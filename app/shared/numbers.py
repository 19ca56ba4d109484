"""Numbers and tokens as a person reads them: rounded, with unit, thin spaces and a true minus sign."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime

from babel.dates import format_datetime

from app.shared.language import ENGLISH, _, spoken

THIN = "\u202f"  # narrow no-break space: keeps "38.1 %" on one line
MINUS = "\u2212"
NONE = "\u2014"
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN = {"\n": "↵", "\r": "␍", "\t": "⇥", " ": "␣"}


_NEARLY_ALL = "> 99.9"
"""Said of what is not quite all: further digits are below what a sample of tokens can tell."""


def percent(share: float | None) -> str:
    """0.381 -> "38.1 %". Two significant digits below 1 %, so that rare latents still differ."""
    return NONE if share is None else f"{_percent_digits(share)}{THIN}%"


def interval(low: float | None, high: float | None) -> str:
    """0.369, 0.393 -> "36.9–39.3 %"; empty where there is none."""
    if low is None or high is None:
        return ""
    first, last = _percent_digits(low), _percent_digits(high).replace(_NEARLY_ALL, "100")
    return f"{first}{THIN}%" if first in {_NEARLY_ALL, last} else f"{first}–{last}{THIN}%"


def _percent_digits(share: float) -> str:
    value = 100 * share
    if value in {0, 100}:
        return f"{value:.0f}"
    if 0 < value < 1e-4:
        return "<0.0001"
    if 99.9 < value < 100:
        return _NEARLY_ALL
    return minus(f"{value:.{_places(value)}f}")


def _places(percents: float) -> int:
    """One place, but what is almost none does not become 0 by rounding."""
    gap = abs(percents)
    return 1 if gap >= 0.995 else max(1, 1 - math.floor(math.log10(gap)))


def number(value: float | None, digits: int = 3) -> str:
    """Three significant digits, no exponent where a person would not write one."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 10**6 or size < 10**-4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return minus(f"{mantissa}e{int(exponent)}")
    places = max(0, digits - 1 - math.floor(math.log10(size)))
    return minus(f"{value:,.{places}f}")


def fixed(value: float | None, places: int = 2) -> str:
    """For cosines and R², which are compared with each other: always the same places."""
    return (
        NONE if value is None else minus(f"{value:.{places}f}").replace(f"{MINUS}0.{'0' * places}", f"0.{'0' * places}")
    )


def signed(value: float | None, places: int = 2) -> str:
    """Like `number`, with a plus before what is above zero."""
    if value is None:
        return NONE
    return f"+{number(value)}" if value > 0 else number(value)


def nats(value: float | None) -> str:
    """A change in nats per token: four places, since it is read against an epsilon of 0.002; fewer of large ones."""
    if value is None:
        return NONE
    places = 4 if abs(value) < 0.1 else 3 if abs(value) < 1 else 2
    text = fixed(value, places)
    return f"+{text}" if value > 0 and float(f"{value:.{places}f}") else text


def span(low: float | None, high: float | None, form: Callable[[float | None], str]) -> str:
    """0.0182, 0.0241 -> "0.0182 to 0.0241" in the form of the value, without its plus; empty where there is none."""
    if low is None or high is None:
        return ""
    return _("%(first)s to %(second)s", first=form(low).lstrip("+"), second=form(high).lstrip("+"))


def nats_span(low: float | None, high: float | None) -> str:
    """The interval of a change in nats per token."""
    return span(low, high, nats)


def count(value: int | None) -> str:
    """60000 -> "60,000"."""
    return NONE if value is None else minus(f"{value:,}")


def rate(name: str, value: float | None) -> str:
    """("q", 0.0312) -> "q 0.03"; smaller than one in a thousand says no more than that; empty where there is none."""
    if value is None:
        return ""
    return f"{name} < 0.001" if value < 0.001 else f"{name} {value:.2g}"


def whole(value: float | None) -> str:
    """For what is counted: 247.0 -> "247"; a bin's middle may be "20.5"."""
    if value is None:
        return NONE
    return minus(f"{value:,.0f}") if float(value).is_integer() else minus(f"{value:,.1f}")


def minus(text: str) -> str:
    """A hyphen in front of digits -> a minus sign."""
    return text.replace("-", MINUS)


def date(moment: datetime) -> str:
    """2026-11-24, 19:58 UTC; in other languages as they have it."""
    if spoken() == ENGLISH:
        return f"{moment:%Y-%m-%d, %H:%M} UTC"
    return f"{format_datetime(moment, 'long', locale=spoken())}"


def duration(seconds: float) -> str:
    """97.4 -> "1 min 37 s"."""
    whole = round(seconds)
    if whole < 60:
        return _("%(n)s\u202fs", n=f"{seconds:.1f}" if seconds < 10 else whole)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("%(hours)s\u202fh %(minutes)s\u202fmin", hours=hours, minutes=minutes)
    return _("%(minutes)s\u202fmin %(seconds)s\u202fs", minutes=minutes, seconds=rest)


def plain(token: str) -> str:
    """A token in running text: as it is, but line breaks and control characters visible.

    A direction override would turn the text around it; <bdi> contains it, so it may stay.
    """
    return _HIDDEN.sub(_visible, token)


def _visible(found: re.Match[str]) -> str:
    letter = found[0]
    if letter in "\n\r\t":
        return _SHOWN[letter]
    code = ord(letter)
    return chr(0x2400 + code) if code < 32 else "\ufffd"  # the control pictures block draws each of the first


def boxed(token: str) -> str:
    """A token alone in a table: a leading or trailing space matters there, and shows."""
    text = plain(token)
    if not text:
        return "∅"
    body = text.strip(" ")
    if not body:
        return _SHOWN[" "] * len(text)
    left, right = len(text) - len(text.lstrip(" ")), len(text) - len(text.rstrip(" "))
    text = _SHOWN[" "] * left + body + _SHOWN[" "] * right
    return (
        text if any(_draws(letter) for letter in text) else "".join(f"U+{ord(letter):04X} " for letter in text).strip()
    )


def _draws(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cf", "Zs", "Zl", "Zp", "Cn"}


def coded(text: str) -> list[tuple[str, bool]]:
    """("run `x`.") -> [("run ", False), ("x", True), (".", False)]: what stands between backticks is to be typed."""
    parts = [(part, place % 2 == 1) for place, part in enumerate(plain(text).split("`"))]
    return [(part, is_code) for part, is_code in parts if part]


def isolate(text: str) -> str:
    """For attributes, where no <bdi> reaches: Unicode's own isolates around the text."""
    return f"\u2068{plain(text)}\u2069"


def short_hash(text: str) -> str:
    """The first ten characters; the whole hash belongs into a tooltip."""
    return text[:10]


def ranges(numbers: Iterable[int]) -> str:
    """1, 3, 4, 5 -> "1, 3–5"."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(str(span[0]) if len(span) == 1 else f"{span[0]}–{span[-1]}" for span in spans)


def share(value: float | None) -> str:
    """Of variance, in per cent; what is below 0 predicts nothing."""
    return percent(None if value is None else max(0.0, value))
