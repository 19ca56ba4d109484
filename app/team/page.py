"""The team's overview of a run: how far it is, where people and the machine differ, what to look at next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.categories import queries as categories
from app.classes import queries as classes
from app.classes.groups import title_of
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo, list_saes
from app.shared.language import _
from app.shared.links import latent_at, link
from app.shared.numbers import nats
from app.shared.page import RunPage
from app.shared.statements import listed
from app.team import queries as team
from app.team.matrix import Matrix, category_matrix, verdict_matrix
from app.team.queries import DIFFERS, AuthorInfo, Progress, Queued
from app.vocabulary import HUMAN_VERDICTS, RULE_VERDICTS
from store.vocabulary import NO_CLASS, PARTLY, UNEXPLAINED, UNMEASURED


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


@dataclass(frozen=True)
class TeamPage(RunPage):
    """How far the team is with a run, where people and the machine differ, and what to look at next."""

    template = "team/team.html"
    saes: list[SaeInfo]
    """Its SAEs by layer."""
    everything: ProgressLine
    """Progress over all of its dense latents."""
    progress: list[ProgressLine]
    """The same of each SAE that has dense latents."""
    others: tuple[int, int]
    """Annotated latents that are not dense, and annotated pairs."""
    authors: list[tuple[AuthorInfo, str]]
    """Those who wrote, with the address of what each wrote."""
    categories: Matrix | None
    """Machine class against human category; None where nobody gave one."""
    measured: bool
    """Whether the machine looked for classes in this run."""
    verdicts: Matrix | None
    """The rule's verdict against people's; None where nobody gave one."""
    differs: QueueList
    """Latents of which people and the machine say different things."""
    unseen: QueueList
    """Dense latents of which nobody says anything."""
    first: str
    """Where to start; empty where nothing is left to do."""
    limit: int
    """Latents in each list at most."""
    longer: str
    """Address of the page with longer lists; empty where they are as long as they get."""
    every_unseen: str
    """Address of all latents of which nobody says anything."""


def team_page(session: Session, run: RunInfo, limit: int) -> TeamPage:
    """The page of a run, with at most `limit` latents in each list of the queue."""
    found = list_saes(session, run)
    review = team.review(session, run)
    counted, cells = team.progress(review), team.cells(review)
    every = _summed(counted.values())
    differs = _queue_list(session, team.queue(found, review, "differs", limit), every.differs)
    unseen = _queue_list(session, team.queue(found, review, "unseen", limit), every.dense - every.said)
    latents, pairs = team.annotated_counts(session, run)
    known = categories.list_categories(session)
    return TeamPage(
        title=_("Annotations"),
        nav="annotations",
        run=run,
        saes=found,
        everything=_progress_line(None, every),
        progress=[_progress_line(one, counted[one.analysis_id]) for one in found if one.analysis_id in counted],
        others=(latents - every.said, pairs),
        authors=[
            (one, link("/annotations/activity", {"author": one.name})) for one in team.authors(session, run, review)
        ],
        categories=category_matrix(cells, known) if every.category else None,
        measured=any(cell.group != UNMEASURED for cell in cells),
        verdicts=verdict_matrix(team.verdict_cells(review)) if every.verdict else None,
        differs=differs,
        unseen=unseen,
        first=next((row.href for row in (*differs.rows, *unseen.rows)), ""),
        limit=limit,
        longer=link("/annotations", {"limit": 10 * limit}) if limit < 500 else "",
        every_unseen=link("/latents", {"annotated": False}),
    )


def _written(author: AuthorInfo) -> str:
    """Address of all that they wrote."""
    return link("/annotations/activity", {"author": author.name})


def _summed(counted: Iterable[Progress]) -> Progress:
    """Of all SAEs together."""
    held = list(counted)
    return Progress(*(sum(getattr(one, name) for one in held) for name in Progress.__dataclass_fields__))


def _progress_line(sae: SaeInfo | None, counts: Progress) -> ProgressLine:
    """With the addresses of the lists."""
    kinds: list[tuple[int, dict[str, Any]]] = [
        (counts.said, {"annotated": True}),
        (counts.category, {"category": "any"}),
        (counts.verdict, {"human": "any"}),
    ]
    slug = {"sae": sae.slug} if sae else {}
    bars = [(100 * number / (counts.dense or 1), number, link("/latents", slug | query)) for number, query in kinds]
    return ProgressLine(sae, counts, bars)


def _queue_list(session: Session, found: list[Queued], total: int) -> QueueList:
    """The first of the `total` latents of a kind."""
    held = classes.classes_of(session, [(one.analysis_id, one.index) for one in found]) if found else {}
    rows = []
    for one in found:
        scores = held.get((one.analysis_id, one.index), [])
        has = [title_of(score.name) for score in scores if score.name not in NO_CLASS]
        href = latent_at(one.slug, one.index) + "#annotation"
        effect = "" if one.effect is None else nats(one.effect)
        rows.append(QueueRow(one, href, effect, differences(one, has) or [unseen(one, has)]))
    return QueueList(total, rows)


def differences(one: Queued, has: list[str]) -> list[str]:
    """In which words people and the machine differ; `has` are the classes that the machine finds."""
    reasons = []
    if one.state == DIFFERS:
        named = title_of(one.category or "")
        reasons.append(
            _(
                "People say %(named)s; the machine looked for that and finds %(class_)s.",
                named=named,
                class_=listed(has) or _("no class"),
            )
        )
    if one.human and one.rule and one.human != one.rule:
        human, rule = HUMAN_VERDICTS.get(one.human, one.human), RULE_VERDICTS.get(one.rule, one.rule)
        reasons.append(_("People say %(human)s; the rule says %(rule)s.", human=human, rule=rule))
    return reasons


def unseen(one: Queued, has: list[str]) -> str:
    """Why a latent of which nobody says anything is worth a look."""
    words = _("The machine finds %(has)s; nobody has said whether that is right", has=listed(has))
    if one.group == UNEXPLAINED:
        words = _("No class explains it")
    elif one.group == PARTLY:
        words = _("No class holds, though a part of it is followed")
    elif one.group == UNMEASURED:
        words = _("What it does was not measured")
    return words + _without(one.effect) + _(".")


def _without(effect: float | None) -> str:
    if effect is None:
        return ""
    size = nats(abs(effect)).lstrip("+")
    if not float(size):
        return _("; without it the loss stays as it is")
    if effect > 0:
        return _("; without it the loss rises by %(size)s nats per token", size=size)
    return _("; without it the loss falls by %(size)s nats per token", size=size)
