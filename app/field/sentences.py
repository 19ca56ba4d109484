"""What units and labels have to do with each other, in words; and what was said of the data before the work."""

from __future__ import annotations

from app.field.queries import Power
from app.labels.queries import AssociationInfo, LabelInfo
from app.shared.numbers import fixed
from app.shared.stored import one
from store.vocabulary import YES

CONFOUNDED = "confounded"
MEASURES = {"eta2": "η²", "spearman": "ρ", "auc": "AUC", "r2": "R²", "accuracy": "balanced accuracy"}
SETS = {"best": "the best unit alone", "dense": "all dense units", "sparse": "all sparse units", "raw": "the raw columns"}


def answer(label: LabelInfo, holding: int, confounded: int, by: str, best: AssociationInfo | None) -> str:
    """Whether anything follows the label, in a sentence."""
    if label.reason:
        return f"Not measured: {label.reason}."
    only = ""
    if confounded:
        verb = "goes" if confounded == 1 else "go"
        only = f" {_units(confounded)} {verb} with it through {by} alone." if by else ""
    if not holding or best is None:
        return f"No dense unit follows it.{only}"
    return f"{_units(holding)} {'follows' if holding == 1 else 'follow'} it.{only}"


def _units(number: int) -> str:
    return f"{number} dense unit{'s' * (number != 1)}"


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
        return "yes"
    if code == CONFOUNDED:
        return f"only through {held.get('by')}"
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
    raw, best = by.get("raw"), max((p for p in powers if p.of != "raw" and p.value is not None), default=None, key=_value)
    if raw is None or raw.value is None or best is None or best.value is None:
        return ""
    if raw.high is not None and best.low is not None and best.low > raw.high:
        return f"{SETS[best.of].capitalize()} predict it better than the raw columns do."
    if best.high is not None and raw.low is not None and best.high < raw.low:
        return "The raw columns predict it better than the units do."
    return "The raw columns predict it about as well as the units."


def _value(power: Power) -> float:
    return power.value if power.value is not None else float("-inf")


def check_said(found: dict[str, object]) -> str:
    """One line of what was said of the data before the work."""
    return str(found.get("text") or "")


def held_by(found: AssociationInfo) -> str:
    """The column that a label works through; empty where it is none."""
    return str(found.statement.get("by") or "") if found.statement.get("code") == CONFOUNDED else ""


def conditional_words(found: AssociationInfo) -> str:
    """What is left of the effect once the other columns are held fixed."""
    return "" if one({"v": found.conditional}, "v") is None else fixed(found.conditional)
