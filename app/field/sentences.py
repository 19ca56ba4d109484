"""What units and labels have to do with each other, in words; and what was said of the data before the work."""

from __future__ import annotations

from app.field.queries import Power
from app.labels.queries import AssociationInfo, LabelInfo, Tested
from app.shared.numbers import count, fixed
from store.vocabulary import YES

CONFOUNDED, LEAK = "confounded", "leak"
MEASURES = {"eta2": "η²", "spearman": "ρ", "auc": "AUC", "r2": "R²", "accuracy": "balanced accuracy"}
SETS = {
    "best": "the best unit alone",
    "dense": "all dense units",
    "sparse": "all sparse units",
    "raw": "the raw columns",
}


def answer(label: LabelInfo, tested: Tested | None, through: list[str], copies: list[str]) -> str:
    """Whether anything follows the label, in a sentence or two.

    Args:
        tested: units that it was held against, and those that pass.
        through: columns that some units go with it through alone.
        copies: names of units that are copies of it.
    """
    if label.reason:
        return f"Not measured: {label.reason}."
    if tested is None:
        return "It was held against no unit."
    made = [_passing(tested)]
    made += [f"Some units go with it through {by} alone." for by in through]
    if copies:
        made.append(f"{' and '.join(copies)} {'is a copy' if len(copies) == 1 else 'are copies'} of it.")
    return " ".join(made)


def _passing(tested: Tested) -> str:
    if not tested.dense:
        return f"None of {_units(tested.of_dense)} follows it."
    beside = f", {count(tested.controls)} of {count(tested.of_controls)} sparse ones" if tested.of_controls else ""
    verb = "follows" if tested.dense == 1 else "follow"
    return f"{count(tested.dense)} of {_units(tested.of_dense)} {verb} it beyond chance{beside}."


def _units(number: int) -> str:
    return f"{count(number)} dense unit{'s' * (number != 1)}"


def effect_words(found: AssociationInfo) -> str:
    """AUC 0.93 (0.91 to 0.95)."""
    sign = MEASURES.get(found.label.measure, found.label.measure)
    if found.effect is None:
        return ""
    plus = "+" if sign == "ρ" and found.effect > 0 else ""
    between = "" if found.low is None or found.high is None else f" ({fixed(found.low)} to {fixed(found.high)})"
    return f"{sign} {plus}{fixed(found.effect)}{between}"


def outcome(found: AssociationInfo) -> str:
    """yes, through a column alone, or no with its reason."""
    held = found.statement
    code = held.get("code")
    if found.verdict == YES:
        apart = held.get("inseparable") or []
        return f"yes; cannot be told apart from {', '.join(map(str, apart))}" if apart else "yes"
    if code == CONFOUNDED:
        return f"only through {held.get('by')}"
    if code == LEAK:
        return "a copy of it, put in with the data"
    return _NO.get(str(code), "no")


_NO = {
    "shuffled": "no: shuffled labels reach as much",
    "chance": "no: its interval takes in chance",
    "not_held_out": "no: not in groups that were kept out",
    "few_groups": "not measured: too few groups",
    "unmeasured": "not measured",
}


def power_words(power: Power) -> str:
    """0.93, 0.90 to 0.96."""
    if power.value is None:
        return "not measured"
    between = "" if power.low is None or power.high is None else f" ({fixed(power.low)} to {fixed(power.high)})"
    return f"{fixed(power.value)}{between}"


def adds(powers: list[Power]) -> str:
    """Whether the units say more of the label than the columns they were made from."""
    by = {power.of: power for power in powers}
    raw, best = (
        by.get("raw"),
        max((p for p in powers if p.of != "raw" and p.value is not None), default=None, key=_value),
    )
    if raw is None or raw.value is None or best is None or best.value is None:
        return ""
    if raw.high is not None and best.low is not None and best.low > raw.high:
        return f"{SETS[best.of].capitalize()} predict it better than the raw columns do."
    if best.high is not None and raw.low is not None and best.high < raw.low:
        return "The raw columns predict it better than the units do."
    return "The raw columns predict it about as well as the units."


def _value(power: Power) -> float:
    return power.value if power.value is not None else float("-inf")


def held_by(found: AssociationInfo) -> str:
    """The column that a label works through; empty where it is none."""
    return str(found.statement.get("by") or "") if found.statement.get("code") == CONFOUNDED else ""
