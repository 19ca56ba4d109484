"""Two studies side by side, by (SAE's identity, unit): what is followed no longer, and what fires more or less often.

A label is *lost* where a dense unit followed it and none of that SAE does now, *gained* the other way round, *moved*
where others follow it. *Drift* is a change of density that is larger than asked for and that neither interval reaches
across. What only crossed the threshold of density is told as *appeared* or *vanished*, and needs no attention by
itself: a unit near the threshold does so every night.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analysis.study.config import Attention
from analysis.study.stored import Facts
from analysis.study.words import density, digits, effect, listed, strength

LOST, GAINED, MOVED, DRIFT, APPEARED, VANISHED = "lost", "gained", "moved", "drift", "appeared", "vanished"
Change = dict[str, Any]
"""{"change": code, "sae": identity, "slug", "layer", and "label" or "unit" with the numbers of both studies}."""
Follow = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """What came of it."""

    changes: list[Change]
    shared: int
    """SAEs that both studies have."""
    missing: list[str]
    """Slugs of those that only the last study has."""
    new: list[str]

    def needing(self, attention: Attention) -> list[Change]:
        """Those that somebody should look at."""
        codes = {DRIFT, LOST} if attention.lost else {DRIFT}
        return [one for one in self.changes if one["change"] in codes]


def compare(before: Facts, now: Facts, attention: Attention) -> Compared:
    """What changed from one study to the next, the weightiest first."""
    changes: list[Change] = []
    for sha256, new in now.items():
        if old := before.get(sha256):
            named = {"sae": sha256, "slug": new["slug"], "layer": new["layer"]}
            changes += [named | one for one in (*_labels(old, new), *_densities(old, new, attention.drift))]
    order = (LOST, DRIFT, GAINED, MOVED, VANISHED, APPEARED)
    return Compared(
        changes=sorted(changes, key=lambda one: order.index(one["change"])),
        shared=len(before.keys() & now.keys()),
        missing=[old["slug"] for sha256, old in before.items() if sha256 not in now],
        new=[new["slug"] for sha256, new in now.items() if sha256 not in before],
    )


def followers(sae: Facts) -> dict[str, dict[int, Follow]]:
    """Label -> dense units that follow it, the strongest first."""
    found: dict[str, dict[int, Follow]] = {}
    for index, unit in sae["units"].items():
        for label, follow in unit["follows"].items() if unit["dense"] else ():
            found.setdefault(label, {})[int(index)] = follow
    return {
        label: dict(sorted(units.items(), key=lambda pair: (-strength(pair[1]), pair[0])))
        for label, units in found.items()
    }


def _labels(old: Facts, new: Facts) -> Iterator[Change]:
    before, now = followers(old), followers(new)
    for label, units in before.items():
        told = {"label": label, "before": _told(units), "now": _told(now.get(label, {}))}
        if label not in now:
            state = "absent" if label not in new["labels"] else "refused" if new["labels"][label] else "measured"
            yield {"change": LOST, **told, "state": state, "reason": new["labels"].get(label)}
        elif not units.keys() & now[label].keys():
            yield {"change": MOVED, **told}
    for label, units in now.items():
        if label not in before:
            state = "absent" if label not in old["labels"] else "refused" if old["labels"][label] else "measured"
            yield {"change": GAINED, "label": label, "before": [], "now": _told(units), "state": state}


def _told(units: dict[int, Follow]) -> list[Follow]:
    return [{"unit": index, **follow} for index, follow in units.items()]


def _densities(old: Facts, new: Facts, most: float) -> Iterator[Change]:
    for index in sorted({*old["units"], *new["units"]}, key=int):
        then, here = old["units"].get(index), new["units"].get(index)
        dense_then, dense_now = bool(then and then["dense"]), bool(here and here["dense"])
        if not (dense_then or dense_now):
            continue
        told = {"unit": int(index), "before": _numbers(then), "now": _numbers(here)}
        if then and here and _drifted(then, here, most):
            yield {"change": DRIFT, **told}
        elif dense_then != dense_now:
            yield {"change": APPEARED if dense_now else VANISHED, **told}


def _numbers(unit: Facts | None) -> dict[str, float | None] | None:
    return None if unit is None else {name: unit[name] for name in ("density", "low", "high")}


def _drifted(then: Facts, here: Facts, most: float) -> bool:
    """Where an interval is unknown, its density stands for it."""
    if abs(here["density"] - then["density"]) <= most:
        return False
    (low, high), (old_low, old_high) = (
        [one["density"] if one[end] is None else one[end] for end in ("low", "high")] for one in (here, then)
    )
    return bool(low > old_high or high < old_low)


def line(change: Change, noun: str, of: str) -> str:
    """A change in a sentence.

    Args:
        noun: what the units are called.
        of: what densities are shares of.
    """
    if "label" in change:
        return _label_line(change, noun)
    name, then, here = f"L{change['layer']}/{change['unit']}", change["before"], change["now"]
    if change["change"] == DRIFT:
        moved = digits(100 * abs(here["density"] - then["density"]))
        return f"{name} is on in {density(here, of)}; in the last study in {density(then, of)}: {moved} points apart"
    now_dense = change["change"] == APPEARED
    told = f"{name} is dense now" if now_dense else f"{name} is dense no longer"
    figures = f"on in {density(here, of)}" if here else "not read"
    return f"{told}: {figures}; in the last study {f'in {density(then, of)}' if then else 'it was not dense'}"


def _label_line(change: Change, noun: str) -> str:
    label, layer = change["label"], change["layer"]
    then, here = _names(change["before"], layer), _names(change["now"], layer)
    if change["change"] == LOST:
        why = {
            "absent": "there is no such label any more",
            "refused": f"it could not be measured now ({(change.get('reason') or {}).get('code', 'unknown reason')})",
            "measured": f"no dense {noun} of {change['slug']} follows it now",
        }[change["state"]]
        return f"{label}: followed by {then} in the last study; {why}"
    if change["change"] == GAINED:
        new = {"absent": "; the last study had no such label", "refused": "; the last study could not measure it"}
        return f"{label}: newly followed by {here}{new.get(change['state'], '')}"
    return f"{label}: followed by {then} in the last study, by {here} now"


def _names(told: list[Follow], layer: int) -> str:
    return listed((f"L{layer}/{one['unit']} ({effect(one)})" for one in told), 3)
