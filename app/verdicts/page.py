"""The verdict by rule: what speaks for keeping, what for pruning, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from app.shared.language import _
from app.verdicts.queries import Ground, Missing, VerdictInfo
from app.verdicts.sentences import title
from store.vocabulary import KEEP, PRUNE, RULE


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
    """Speaks for keeping, for pruning, neutral, not measured yet: those that there are."""


def ruling(found: VerdictInfo | None) -> Ruling | None:
    """None where the rule was not applied."""
    if found is None:
        return None
    said = [ground for ground in found.grounds if ground.of != RULE]
    sides = [
        (_("Speaks for keeping it"), [_reason(ground) for ground in said if ground.speaks == KEEP]),
        (_("Speaks for pruning it"), [_reason(ground) for ground in said if ground.speaks == PRUNE]),
        ("Neutral", [_reason(ground) for ground in said if ground.speaks not in {KEEP, PRUNE}]),
        (_("Not measured yet"), [_reason(gap) for gap in found.missing]),
    ]
    return Ruling(found.verdict, found.title, found.why, [side for side in sides if side[1]])


def _reason(one: Ground | Missing) -> Reason:
    return Reason(title(one.of), one.words)
