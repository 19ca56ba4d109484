"""One association in one sentence for people who do not read statistics."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from analysis.labels.columns import LabelColumn
from store.vocabulary import NO, YES

SIGNIFICANT = 0.05
_SIGNED = {"spearman": "Spearman", "auc": "AUC"}


class Numbers(NamedTuple):
    """All numbers of one association; NaN where there is none."""

    effect: float
    low: float
    high: float
    conditional: float
    conditional_low: float
    conditional_high: float
    held_out: float
    p: float
    q: float
    chance: float


def verdict_of(column: LabelColumn, n: Numbers) -> tuple[str, str]:
    """yes or no, and why not in words.

    Yes: q below 0.05, the conditional interval beyond chance, and held out on the same side of chance.
    """
    if not n.q < SIGNIFICANT:
        raw = n.low > n.chance or n.high < n.chance
        less = "once words and position are out, no more than" if raw else "no more than"
        return NO, f"{less} labels dealt out anew would give (q {n.q:.2f})"
    if not _holds(column, n):
        return NO, f"does not hold in documents that were held out ({_figure(column, n.held_out, held=True)})"
    # of eta² only more than chance is evidence
    beyond = n.conditional_low > n.chance or (column.measure != "eta2" and n.conditional_high < n.chance)
    if not beyond:
        return NO, "the interval after words and position takes in chance"
    return YES, ""


def _holds(column: LabelColumn, n: Numbers) -> bool:
    """Held-out documents on the side of chance that the others are on; R² above 0."""
    if column.measure == "eta2":
        return n.held_out > 0
    return (n.held_out - n.chance) * (n.conditional - n.chance) > 0


def sentence(column: LabelColumn, n: Numbers, verdict: str, why: str, means: list[dict[str, Any]]) -> str:
    """What is higher where, the effect with its interval, what is left of it, the verdict and why not."""
    figures = f"{_named(column)} {_figure(column, n.effect)}, {_span(column, n)}"
    if column.measure == "eta2":
        figures += f", {n.chance:.2f} by chance; held out, R² {_figure(column, n.held_out, held=True)}"
    left = f"after words and position {_figure(column, n.conditional)}"
    ending = f"no: {why}." if verdict == NO else "yes"
    return f"{_claim(column, n, means)} ({figures}; {left}): {ending}"


def after(adjusted: dict[str, Any]) -> str:
    """What holding another label fixed does to a yes, and which labels cannot be held fixed."""
    parts = []
    if adjusted["for"] is not None:
        seen = "still there" if adjusted["p"] < SIGNIFICANT else "gone"
        parts.append(f"{seen} after {adjusted['for']}")
    if adjusted["inseparable"]:
        parts.append(f"cannot be told apart from {', '.join(adjusted['inseparable'])}")
    return ", ".join(parts)


def _claim(column: LabelColumn, n: Numbers, means: list[dict[str, Any]]) -> str:
    up = n.effect > n.chance
    if column.of == "token":
        return f"{'Higher' if up else 'Lower'} on text marked {column.name}"
    if column.kind == "number":
        return f"{'Higher' if up else 'Lower'} in documents with a larger {column.name}"
    if column.kind == "boolean":
        return f"{'Higher' if up else 'Lower'} in documents where {column.name} is true"
    ranked = sorted(means, key=lambda group: group["mean"])
    ends = f", highest in {ranked[-1]['value']} and lowest in {ranked[0]['value']}" if len(ranked) > 1 else ""
    return f"Differs between the groups of {column.name}{ends}"


def _named(column: LabelColumn) -> str:
    return _SIGNED.get(column.measure, "eta²")


def _span(column: LabelColumn, n: Numbers) -> str:
    return f"{_figure(column, n.low)} to {_figure(column, n.high)}"


def _figure(column: LabelColumn, value: float, held: bool = False) -> str:
    if math.isnan(value):
        return "unknown"
    signed = column.measure == "spearman" or (held and column.measure == "eta2")
    return f"{value + 0.0:+.2f}".replace("-0.00", "0.00") if signed else f"{value:.2f}"
