"""How a report and the console write numbers and names. Two significant digits; what came from a file is no markup."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

_MARKUP = re.compile(r"([\\`*_\[\]<>|#!])")
_MEASURES = {"eta2": "eta²", "spearman": "Spearman", "auc": "AUC"}


def share(value: float | None) -> str:
    """0.381 -> 38 %; what is not quite all or nothing does not become it by rounding."""
    if value is None:
        return "an unknown share"
    percent = 100 * value
    if 0 < percent < 0.01:
        return "< 0.01 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return f"{digits(percent)} %"


def digits(value: float) -> str:
    """Two significant digits, and all of what is larger."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def density(unit: dict[str, Any], of: str) -> str:
    """`on in 38 % of rows (35 % to 41 %)`."""
    low, high = unit.get("low"), unit.get("high")
    interval = "no interval" if low is None or high is None else f"{share(low)} to {share(high)}"
    return f"{share(unit['density'])} of {of} ({interval})"


def effect(found: dict[str, Any]) -> str:
    """`eta² 0.41, 0.33 to 0.49`, as the pages have it: two places, since the measures lie between -1 and 1."""
    name = _MEASURES.get(found["measure"], found["measure"])
    value, low, high = (found.get(key) for key in ("effect", "low", "high"))
    if value is None:
        return f"{name} unknown"
    return f"{name} {value:.2f}" + (", no interval" if low is None or high is None else f", {low:.2f} to {high:.2f}")


def strength(found: dict[str, Any]) -> float:
    """How far an effect is from what says nothing, so that effects of one label can be put in order."""
    value = found.get("effect")
    if value is None:
        return 0.0
    return abs(float(value) - 0.5) if found["measure"] == "auc" else abs(float(value))


def plain(text: object) -> str:
    """A name from somebody's file, as text in Markdown."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))


def listed(names: Iterable[str], most: int = 6) -> str:
    """`a, b and c`; of many, some."""
    found = list(names)
    more = len(found) - most
    if more > 0:
        return f"{', '.join(found[:most])} and {more} more"
    return " and ".join(part for part in (", ".join(found[:-1]), *found[-1:]) if part)


def many(count: int, noun: str) -> str:
    """`1 label`, `2 labels`."""
    if noun == "matrix" and count != 1:
        return f"{count:,} matrices"
    ending = "" if count == 1 else "es" if noun.endswith(("ss", "x", "ch")) else "s"
    return f"{count:,} {noun}{ending}"


def seconds(value: float) -> str:
    """`12 s`, `3:20 min`, `2:05 h`."""
    whole = round(value)
    if whole < 90:
        return f"{whole} s"
    if whole < 90 * 60:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
