"""The team's overview of a run: how far it is, where people and the machine differ, what to look at next."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.annotations import team_queries as team
from app.annotations.fields import TeamPage
from app.annotations.matrix import category_matrix, verdict_matrix
from app.annotations.queue import progress_line, queue_list, summed
from app.categories import queries as categories
from app.runs.queries import RunInfo
from app.saes.queries import list_saes
from app.shared.links import link
from store.vocabulary import UNMEASURED


def team_page(session: Session, run: RunInfo, pin: str, limit: int) -> TeamPage:
    """The page of a run, with at most `limit` latents in each list of the queue."""
    found = list_saes(session, run)
    counted, cells = team.progress(session, run), team.cells(session, run)
    every = summed(counted.values())
    differs = queue_list(session, run, "differs", every.differs, limit, pin)
    unseen = queue_list(session, run, "unseen", every.dense - every.said, limit, pin)
    latents, pairs = team.said_of(session, run)
    known = categories.list_categories(session)
    return TeamPage(
        title="Annotations",
        nav="annotations",
        run=run,
        saes=found,
        everything=progress_line(None, every, pin),
        progress=[progress_line(one, counted[one.analysis_id], pin) for one in found if one.analysis_id in counted],
        others=(latents - every.said, pairs),
        authors=[(one, link("/annotations/activity", {"author": one.name})) for one in team.authors(session, run)],
        categories=category_matrix(cells, known, pin) if every.category else None,
        measured=any(cell.group != UNMEASURED for cell in cells),
        verdicts=verdict_matrix(team.verdict_cells(session, run), pin) if every.verdict else None,
        differs=differs,
        unseen=unseen,
        first=next((row.href for row in (*differs.rows, *unseen.rows)), ""),
        limit=limit,
        longer=link("/annotations", {"limit": 10 * limit}, pin) if limit < 500 else "",
        every_unseen=link("/latents", {"annotated": False}, pin),
    )
