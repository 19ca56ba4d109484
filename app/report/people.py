"""What people think of a run, held against the rule and the classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.annotations.panel import Told, told
from app.categories.queries import list_categories
from app.report import queries as report
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.language import _
from app.shared.numbers import count
from app.team import queries as team
from app.team.queries import AGREES, DIFFERS, Review
from app.vocabulary import RULE_VERDICTS

NOTES = 6
LONGEST = 400
"""Characters of a note."""


@dataclass(frozen=True)
class Ruled:
    """Verdicts on dense latents, by the rule and by people."""

    heads: list[str]
    """Verdicts as people read them."""
    rule: list[str]
    """Dense latents with each by rule."""
    people: list[str]
    """Latents with each by a person."""
    total: str
    words: str
    """How far people and rule, and people and classes, agree."""


def ruled(run: RunInfo, review: Review, people: int) -> Ruled | None:
    """Verdicts side by side, and how far they agree.

    Args:
        people: who had the last word on a latent of the run.
    """
    counts = team.verdict_cells(review)
    if not people and not any(rule for rule, _person in counts):
        return None
    rule = {name: sum(n for (given, _person), n in counts.items() if given == name) for name in RULE_VERDICTS}
    person = {name: sum(n for (_rule, given), n in counts.items() if given == name) for name in RULE_VERDICTS}
    return Ruled(
        heads=list(RULE_VERDICTS.values()),
        rule=[count(rule[name]) for name in RULE_VERDICTS],
        people=[count(person[name]) for name in RULE_VERDICTS],
        total=_(
            "%(values)s of %(n_dense)s dense latents", values=count(sum(rule.values())), n_dense=count(run.n_dense)
        ),
        words=_agreement(counts, team.cells(review) if people else [], len(review.said), people, run.n_dense),
    )


def _agreement(
    counts: Mapping[tuple[str | None, str | None], int], cells: list[team.Cell], said: int, people: int, dense: int
) -> str:
    if not people:
        return _("No person has judged any of them yet.")
    parts = [
        _(
            "%(people)s %(people2)s annotated %(said)s of %(dense)s dense latents",
            people=count(people),
            people2="person" if people == 1 else "people",
            said=count(said),
            dense=count(dense),
        )
    ]
    both = {key: number for key, number in counts.items() if None not in key}
    if both:
        same = sum(number for (rule, person), number in both.items() if person == rule)
        parts.append(
            _(
                "their verdict is the rule's for %(same)s of %(values)s",
                same=count(same),
                values=count(sum(both.values())),
            )
        )
    agreed, given = (
        sum(cell.count for cell in cells if cell.state in states) for states in ({AGREES}, {AGREES, DIFFERS})
    )
    if given:
        parts.append(
            _("the class they gave is measured for %(agreed)s of %(given)s", agreed=count(agreed), given=count(given))
        )
    return f"{'; '.join(parts)}."


def opinions(session: Session, run: RunInfo, found: list[SaeInfo]) -> list[Told]:
    """The latest notes."""
    said = report.latest_said(session, run, NOTES, noted=True)
    short = [(slug, layer, one.shortened(LONGEST)) for slug, layer, one in said]
    return told(short, found, list_categories(session) if said else [])
