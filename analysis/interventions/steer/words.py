"""What follows from the numbers of one signal: a label and one plain sentence."""

from __future__ import annotations

from analysis.interventions.steer.config import CUT
from analysis.interventions.steer.measure import Measured
from store.vocabulary import NO, UNMEASURED, YES

CONTROLS = {"random": "random directions", "sparse": "sparse latents", "swapped": "texts of other documents"}


def judged(found: Measured) -> tuple[str, str]:
    """(label, sentence)."""
    if found.rate is None or found.chosen is None:
        return UNMEASURED, f"Steering could not be measured: {found.reason}."
    largest, name = strongest(found)
    label = YES if found.rate.value >= CUT and found.rate.low > largest else NO
    return label, f"{_did(found)} {_beside(found, label, largest, name)}"


def strongest(found: Measured) -> tuple[float, str]:
    """What the largest control reaches, and which it is."""
    known = {name: found.largest(of) for of, name in CONTROLS.items()}
    return max((value, name) for name, value in known.items() if value is not None)


def _did(found: Measured) -> str:
    assert found.rate is not None
    turned = round(found.rate.value * found.pairs)
    return (
        f"Pushed to one side of this signal and to the other (by {found.chosen:g} standard"
        f" deviation{'s' * (found.chosen != 1)}), the model each time finds that side's text the likelier one in"
        f" {turned} of {found.pairs} pairs of texts ({_percent(found.rate.value)}, {_percent(found.rate.low)} to"
        f" {_percent(found.rate.high)});"
    )


def _beside(found: Measured, label: str, largest: float, name: str) -> str:
    assert found.rate is not None
    if label == YES:
        return f"no control does so in more than {_percent(largest)} ({name})."
    if found.rate.value < CUT:
        return f"{_percent(CUT)} are needed, and controls reach {_percent(largest)} ({name})."
    return f"too few pairs to be sure that it is more than what controls do ({name}: {_percent(largest)})."


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"
