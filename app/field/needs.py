"""Whether a unit is needed, and whether both halves of the groups say the same of it, each with its control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.shared.language import _
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
    answer = _("the head needs it") if holds else _("the head needs it no more than others of its variance")
    words = _(
        "Set to its mean, the head's loss changes by %(value)s (%(low)s to %(high)s) from %(item)s; the"
        " median of %(controls)s other %(called)ss of nearest variance: %(control)s.",
        value=_signed(value),
        low=_signed(low),
        high=_signed(high),
        item=number(one(item, "whole"), 2),
        controls=count(int(item["controls"])),
        called=called,
        control=_signed(control),
    )
    return NeedRow(str(item["label"]), holds, answer, words)


def _of_label(item: dict[str, Any], called: str) -> NeedRow:
    value, low, high, control = (one(item, name) for name in ("value", "low", "high", "control"))
    holds = low is not None and low > max(0.0, control or 0.0)
    answer = _("predicted worse without it") if holds else _("predicted as well without it: others say the same")
    beside = (
        _(
            "; of %(controls)s dense %(called)ss that do not follow it, 95 %% cost at most %(control)s",
            controls=count(int(item["controls"])),
            called=called,
            control=_points(control),
        )
        if control is not None
        else _("; every dense %(called)s follows it, so that there is none to compare with", called=called)
    )
    words = _(
        "All dense %(called)ss predict %(or_)s of its variance in groups kept out; without this one"
        " %(value)s less (%(low)s to %(high)s)%(beside)s.",
        called=called,
        or_=percent(max(0.0, one(item, "whole") or 0.0)),
        value=_points(value),
        low=_points(low),
        high=_points(high),
        beside=beside,
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
    said = {2: _("dense in both"), 1: _("dense in one of them"), 0: _("dense in neither")}[dense]
    one_half, other = data["groups"]
    made = [
        _(
            "In two halves by %(group)s (%(one_half)s and %(other)s) it is on in %(first)s and %(second)s of"
            " the rows of a sample: %(said)s.",
            group=group,
            one_half=one_half,
            other=other,
            first=first,
            second=second,
            said=said,
        )
    ]
    told = items(data, "labels")
    for many, where in ((2, _("in both halves")), (1, _("in one half alone")), (0, _("in neither half alone"))):
        names = [str(item["name"]) for item in told if sum(item["holds"]) == many]
        if names:
            made.append(_("It follows %(names)s %(where)s.", names=listed(names), where=where))
    if told and data["sparse"]:
        most = max(int(item["sparse"]) for item in told)
        made.append(
            _(
                "Of %(sparse)s sparse %(called)ss %(none)s %(do)s in both.",
                sparse=count(int(data["sparse"])),
                called=called,
                none=count(most) if most else "none",
                do="does" if most == 1 else "do",
            )
        )
    return " ".join(made)
