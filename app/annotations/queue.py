"""What is left to do: how far the team is, and the latents to look at next, each with its reason in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.annotations import team_queries as team
from app.annotations.team_queries import DIFFERS, Progress, Queued
from app.classes import queries as classes
from app.classes.queries import CLASSES
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.links import link
from app.shared.numbers import nats
from app.vocabulary import HUMAN_VERDICTS, RULE_VERDICTS
from store.vocabulary import UNEXPLAINED, UNMEASURED


@dataclass(frozen=True)
class ProgressLine:
    """How far the team is with one SAE, or with all."""

    sae: SaeInfo | None
    """None for all together."""
    counts: Progress
    bars: list[tuple[float, int, str]]
    """Annotated, with a category, with a verdict: per cent of the dense latents, count, address of their list."""


@dataclass(frozen=True)
class QueueRow:
    """A latent to look at, and why."""

    latent: Queued
    href: str
    effect: str
    """Change of the loss without it; empty where it was not ablated."""
    reasons: list[str]


@dataclass(frozen=True)
class QueueList:
    """The first of the latents to look at."""

    total: int
    rows: list[QueueRow]


def summed(counted: Iterable[Progress]) -> Progress:
    """Of all SAEs together."""
    held = list(counted)
    return Progress(*(sum(getattr(one, name) for one in held) for name in Progress.__dataclass_fields__))


def progress_line(sae: SaeInfo | None, counts: Progress, pin: str) -> ProgressLine:
    """With the addresses of the lists."""
    kinds: list[tuple[int, dict[str, Any]]] = [
        (counts.said, {"annotated": True}),
        (counts.category, {"category": "any"}),
        (counts.verdict, {"human": "any"}),
    ]
    slug = {"sae": sae.slug} if sae else {}
    bars = [
        (100 * number / (counts.dense or 1), number, link("/latents", slug | query, pin)) for number, query in kinds
    ]
    return ProgressLine(sae, counts, bars)


def queue_list(session: Session, run: RunInfo, kind: team.Queue, total: int, limit: int, pin: str) -> QueueList:
    """At most `limit` of the `total` latents of a kind."""
    found = team.queue(session, run, kind, limit) if total else []
    held = classes.classes_of(session, [(one.analysis_id, one.index) for one in found]) if found else {}
    rows = []
    for one in found:
        scores = held.get((one.analysis_id, one.index), [])
        has = [score.title for score in scores if score.name in CLASSES]
        href = link(f"/saes/{one.slug}/latents/{one.index}", {}, pin) + "#annotation"
        effect = "" if one.effect is None else nats(one.effect)
        rows.append(QueueRow(one, href, effect, differences(one, has) or [unseen(one, has)]))
    return QueueList(total, rows)


def differences(one: Queued, has: list[str]) -> list[str]:
    """In which words people and the machine differ; `has` are the classes that the machine finds."""
    reasons = []
    if one.state == DIFFERS:
        named = CLASSES.get(one.category or "", one.category)
        reasons.append(
            f"People say {named}; the machine looked for that and finds {_listed(has) or 'none of the six'}."
        )
    if one.human and one.rule and one.human != one.rule:
        human, rule = HUMAN_VERDICTS.get(one.human, one.human), RULE_VERDICTS.get(one.rule, one.rule)
        reasons.append(f"People say {human}; the rule says {rule}.")
    return reasons


def unseen(one: Queued, has: list[str]) -> str:
    """Why a latent of which nobody says anything is worth a look."""
    words = f"The machine finds {_listed(has)}; nobody has said whether that is right"
    if one.group == UNEXPLAINED:
        words = "None of the six classes explains it"
    elif one.group == UNMEASURED:
        words = "What it does was not measured"
    return f"{words}{_without(one.effect)}."


def _without(effect: float | None) -> str:
    if effect is None:
        return ""
    size = nats(abs(effect)).lstrip("+")
    if not float(size):
        return "; without it the loss stays as it is"
    return f"; without it the loss {'rises' if effect > 0 else 'falls'} by {size} nats per token"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
