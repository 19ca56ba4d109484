"""What one association of a column with a unit comes to, as a code with the numbers of its sentence."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from analysis.labels.statements import SIGNIFICANT
from store.vocabulary import NO, UNMEASURED, YES, Statement

CONFOUNDED, SHUFFLED, CHANCE, NOT_HELD_OUT = "confounded", "shuffled", "chance", "not_held_out"
UNTOLD = "untold"
"""With the order held fixed too little is left: an effect of the label's own, and none, would both look like this."""
ORDER = "order"  # the kind of what is held fixed
GONE = 0.5  # what is left of an effect, below which it is what was held fixed


class FieldAssociation(NamedTuple):
    """One label against one unit. NaN where there is no number."""

    verdict: str  # yes, no, unmeasured
    effect: float  # over rows: spearman, auc, eta2
    low: float  # 95 % over groups
    high: float
    conditional: float  # with `by` held fixed; the effect where nothing goes with the label
    held_out: float  # five folds of groups; R² of a category
    p: float
    q: float
    statement: Statement
    data: dict[str, Any]  # measure, chance, conditional interval, what was held fixed, means for the plot


class Numbers(NamedTuple):
    """All numbers of one association; NaN where there is none."""

    effect: float
    low: float
    high: float
    chance: float
    conditional: float
    conditional_low: float
    conditional_high: float
    conditional_chance: float
    held_out: float
    p: float
    q: float


class Held(NamedTuple):
    """One thing that was held fixed, with what is left: an estimate and its chance."""

    name: str
    kind: str  # group, order, column; nothing of the association itself
    value: float
    low: float
    high: float
    chance: float
    own: float = math.nan  # distance from chance if the whole effect were the label's own; of the order alone

    def margin(self, one_sided: bool) -> float:
        """How far the interval leaves chance behind; at most 0 where chance is in it."""
        above, below = self.low - self.chance, self.chance - self.high
        return above if one_sided else max(above, below)

    def size(self) -> float:
        """Distance from chance."""
        return abs(self.value - self.chance)

    def gone(self, size: float, above: bool) -> bool:
        """Whether it has less than half of the effect on its side; of the order, as sure as its interval is.

        Args:
            size: of the effect.
            above: it lies above chance.
        """
        if math.isnan(self.own):
            return (self.value - self.chance) * (1 if above else -1) < GONE * size
        most = self.high - self.chance if above else self.chance - self.low
        return most < GONE * self.own


def verdict_of(measure: str, n: Numbers, apparent: bool, base: Held, held: list[Held]) -> tuple[str, str, Held | None]:
    """yes or no, the code that says why not, and what has to be held fixed to see it.

    Yes: q below 0.05, every interval beyond chance on one side of it, and held out on the same side.

    Args:
        measure: spearman, auc or eta2.
        n: the numbers.
        apparent: rows alone would say that the label goes with the unit.
        base: what the permutation tests: the effect, or within groups.
        held: everything that was held fixed, the group first.
    """
    one_sided = measure == "eta2"
    size, above = abs(n.effect - n.chance), n.effect > n.chance
    if not n.q < SIGNIFICANT:
        lost = [one for one in held if one.margin(one_sided) <= 0 and one.gone(size, above)]
        return (NO, CONFOUNDED, lost[0]) if apparent and lost else (NO, SHUFFLED, None)
    if base.margin(one_sided) <= 0:
        return NO, CHANCE, None
    lost = [one for one in held if one.margin(one_sided) <= 0 or not _one_side(measure, one, base)]
    if lost:
        return NO, *_through(lost, base.size(), base.value > base.chance, CHANCE)
    holds = n.held_out > 0 if one_sided else (n.held_out - n.chance) * (base.value - base.chance) > 0
    return (YES, YES, None) if holds else (NO, NOT_HELD_OUT, None)


def _through(lost: list[Held], size: float, above: bool, otherwise: str) -> tuple[str, Held | None]:
    """What takes an effect of this size away; else what leaves too little to be told; else the first of them."""
    gone = next((one for one in lost if one.gone(size, above)), None)
    if gone is not None:
        return CONFOUNDED, gone
    untold = next((one for one in lost if one.kind == ORDER), None)
    return (otherwise, lost[0]) if untold is None else (UNTOLD, untold)


def _one_side(measure: str, one: Held, base: Held) -> bool:
    return measure == "eta2" or (one.value - one.chance) * (base.value - base.chance) > 0


def statement_of(
    label: str, kind: str, measure: str, n: Numbers, code: str, by: Held | None, data: dict[str, Any]
) -> Statement:
    """The label, the effect with its interval, what is left of it, and what was held fixed."""
    numbers = {name: getattr(n, name) for name in ("effect", "low", "high", "chance", "held_out", "conditional", "q")}
    made: Statement = {"code": code, "label": label, "kind": kind, "measure": measure} | numbers
    if by is not None:
        made |= {"by": by.name, "by_kind": by.kind}
    if data["inseparable"]:
        made["inseparable"] = data["inseparable"]
    ranked = sorted(data["means"], key=lambda level: level["mean"])
    if kind == "category" and len(ranked) > 1:
        made |= {"highest": ranked[-1]["value"], "lowest": ranked[0]["value"]}
    return made


def unmeasured(reason: Statement) -> FieldAssociation:
    """There is no number, and why."""
    none = (float("nan"),) * 7
    return FieldAssociation(UNMEASURED, *none, statement={"code": UNMEASURED, "reason": reason}, data={"means": []})
