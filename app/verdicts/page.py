"""The verdict by rule: what speaks for keeping, what for pruning, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from app.classes.groups import title_of
from app.verdicts.queries import RULE, Ground, Missing, VerdictInfo
from store.vocabulary import KEEP, PRUNE

MEASURED = {
    "classes": "functions",
    "labels": "labels",
    "effect": "effect",
    "pair_effect": "effect of the pair",
    "stability": "other seeds",
}


@dataclass(frozen=True)
class Reason:
    """A measurement, and what it says."""

    title: str
    words: str


@dataclass(frozen=True)
class Ruling:
    """A verdict as shown; the rule's, never a person's."""

    verdict: str
    title: str
    words: str
    """The rule's own sentence."""
    sides: list[tuple[str, list[Reason]]]
    """Speaks for keeping, for pruning, says neither, is missing: those that there are."""


def ruling(found: VerdictInfo | None) -> Ruling | None:
    """None where the rule was not applied."""
    if found is None:
        return None
    said = [ground for ground in found.grounds if ground.of != RULE]
    sides = [
        ("Speaks for keeping it", [_reason(ground) for ground in said if ground.speaks == KEEP]),
        ("Speaks for pruning it", [_reason(ground) for ground in said if ground.speaks == PRUNE]),
        ("Says neither", [_reason(ground) for ground in said if ground.speaks not in {KEEP, PRUNE}]),
        ("Is missing", [_reason(gap) for gap in found.missing]),
    ]
    return Ruling(found.verdict, found.title, found.why, [side for side in sides if side[1]])


def _reason(one: Ground | Missing) -> Reason:
    return Reason(MEASURED.get(one.of) or title_of(one.of), one.words)
