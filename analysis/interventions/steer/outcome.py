"""What follows from the numbers of one signal: a label, and what is to be said as a code with numbers."""

from __future__ import annotations

from analysis.interventions.steer.config import CUT
from analysis.interventions.steer.measure import Steered
from analysis.run.rows.plain import number
from store.vocabulary import NO, RANDOM, SPARSE, SWAPPED, UNMEASURED, YES, Statement

CONTROLS = (RANDOM, SPARSE, SWAPPED)


def judged(found: Steered) -> tuple[str, Statement]:
    """(label, statement)."""
    if found.rate is None or found.chosen is None:
        return UNMEASURED, {"code": "unmeasured", "reason": found.reason}
    rate = found.rate
    largest, control = strongest(found)
    beyond = rate.value >= CUT and rate.low > largest
    code = "follows" if beyond else "rare" if rate.value < CUT else "unsure"
    statement = {
        "code": code, "dose": found.chosen, "flips": round(rate.value * found.pairs), "pairs": found.pairs,
        "rate": number(rate.value), "low": number(rate.low), "high": number(rate.high),
        "cut": CUT, "largest": number(largest), "control": control,
    }  # fmt: skip
    return YES if beyond else NO, statement


def strongest(found: Steered) -> tuple[float, str]:
    """What the largest control reaches, and which it is."""
    known = {of: found.largest(of) for of in CONTROLS}
    return max((value, of) for of, value in known.items() if value is not None)
