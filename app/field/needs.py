"""Whether a unit is needed, and whether both halves of the groups say the same of it, each with its control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.shared.numbers import count, number, percent
from app.shared.statements import listed
from app.shared.stored import items, one

Rows = dict[str, tuple[Any, bytes | None]]


@dataclass(frozen=True)
class NeedRow:
    """One way in which a unit may be needed."""

    name: str
    """The label."""
    holds: bool
    answer: str
    words: str
    """Its numbers, beside their control."""


def need_rows(rows: Rows, called: str) -> list[NeedRow]:
    """By the head first, then by each label that the unit follows."""
    data = rows["needed"][0] if "needed" in rows else {}
    head = data.get("head")
    made = [] if not head else [_of_head(head, called)]
    return made + [_of_label(item, called) for item in items(data, "labels")]


def _of_head(item: dict[str, Any], called: str) -> NeedRow:
    value, low, high, control = (one(item, name) for name in ("value", "low", "high", "control"))
    holds = low is not None and low > max(0.0, control or 0.0)
    answer = "the head needs it" if holds else "the head needs it no more than others of its variance"
    words = (
        f"Set to its mean, the head's loss changes by {_signed(value)} ({_signed(low)} to {_signed(high)}) from"
        f" {number(one(item, 'whole'), 2)}; the median of {count(int(item['controls']))} other {called}s of nearest"
        f" variance: {_signed(control)}."
    )
    return NeedRow(str(item["label"]), holds, answer, words)


def _of_label(item: dict[str, Any], called: str) -> NeedRow:
    value, low, high, control = (one(item, name) for name in ("value", "low", "high", "control"))
    holds = low is not None and low > max(0.0, control or 0.0)
    answer = "predicted worse without it" if holds else "predicted as well without it: others say the same"
    beside = (
        f"; of {count(int(item['controls']))} dense {called}s that do not follow it, 95 % cost"
        f" at most {_points(control)}"
        if control is not None
        else f"; every dense {called} follows it, so that there is none to compare with"
    )
    words = (
        f"All dense {called}s predict {percent(max(0.0, one(item, 'whole') or 0.0))} of its variance"
        f" in groups kept out; without this one {_points(value)} less ({_points(low)} to {_points(high)}){beside}."
    )
    return NeedRow(str(item["label"]), holds and control is not None, answer, words)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{'+' if value > 0 else ''}{number(value, 2)}"


def _points(value: float | None) -> str:
    """Of a share, in points of percent."""
    return "" if value is None else f"{number(100 * value, 2)} points"


def halves_words(rows: Rows, called: str, group: str) -> str:
    """Density and labels in two halves of the groups, in a line."""
    data = rows["halves"][0] if "halves" in rows else {}
    if not data:
        return ""
    first, second = (percent(share) for share in data["density"])
    dense = sum(data["dense"])
    said = {2: "dense in both", 1: "dense in one of them", 0: "dense in neither"}[dense]
    one_half, other = data["groups"]
    made = [
        f"In two halves by {group} ({one_half} and {other}) it is on in {first} and {second} of the rows of a sample:"
        f" {said}."
    ]
    told = items(data, "labels")
    for many, where in ((2, "in both halves"), (1, "in one half alone"), (0, "in neither half alone")):
        names = [str(item["name"]) for item in told if sum(item["holds"]) == many]
        if names:
            made.append(f"It follows {listed(names)} {where}.")
    if told and data["sparse"]:
        most = max(int(item["sparse"]) for item in told)
        made.append(f"Of {count(int(data['sparse']))} sparse {called}s {count(most) if most else 'none'}"
                    f" {'does' if most == 1 else 'do'} in both.")  # fmt: skip
    return " ".join(made)
