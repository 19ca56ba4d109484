"""What one association comes to, as a code with the numbers of its sentence."""

from __future__ import annotations

from typing import Any, NamedTuple

from analysis.labels.columns import LabelColumn
from store.vocabulary import NO, UNMEASURED, YES, Statement

SIGNIFICANT = 0.05


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
    """yes or no, and the code of its statement, which says why not.

    Yes: q below 0.05, the conditional interval beyond chance, and held out on the same side of chance.
    """
    if not n.q < SIGNIFICANT:
        raw = n.low > n.chance or n.high < n.chance
        return NO, "words_or_position" if raw else "shuffled"
    if not _holds(column, n):
        return NO, "not_held_out"
    # of eta² only more than chance is evidence
    beyond = n.conditional_low > n.chance or (column.measure != "eta2" and n.conditional_high < n.chance)
    return (YES, YES) if beyond else (NO, "chance")


def _holds(column: LabelColumn, n: Numbers) -> bool:
    """Held-out documents on the side of chance that the others are on; R² above 0."""
    if column.measure == "eta2":
        return n.held_out > 0
    return (n.held_out - n.chance) * (n.conditional - n.chance) > 0


def statement_of(column: LabelColumn, n: Numbers, code: str, means: list[dict[str, Any]]) -> Statement:
    """The label, what is higher where, the effect with its interval, and what is left of it."""
    made = {
        "code": code,
        "label": column.name,
        "kind": "token" if column.of == "token" else column.kind,
        "measure": column.measure,
        "effect": n.effect,
        "low": n.low,
        "high": n.high,
        "chance": n.chance,
        "held_out": n.held_out,
        "conditional": n.conditional,
        "q": n.q,
    }
    ranked = sorted(means, key=lambda group: group["mean"])
    if made["kind"] == "category" and len(ranked) > 1:
        made |= {"highest": ranked[-1]["value"], "lowest": ranked[0]["value"]}
    return made


def held_fixed(adjusted: dict[str, Any]) -> Statement:
    """What holding another label fixed does to a yes, and which labels cannot be held fixed."""
    after = adjusted["for"]
    still = {} if after is None else {"after": after, "still": adjusted["p"] < SIGNIFICANT}
    return still | ({"inseparable": adjusted["inseparable"]} if adjusted["inseparable"] else {})


def unmeasured(reason: Statement) -> Statement:
    """There is no number."""
    return {"code": UNMEASURED, "reason": reason}
