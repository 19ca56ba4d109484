"""What the team wrote: its progress with a run, everything in the order of writing, and that as a feed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from app.annotations import activity_queries as activity
from app.annotations.activity import Entry, entry
from app.annotations.feed import TYPE, atom
from app.annotations.fields import ActivityPage
from app.annotations.team import team_page
from app.categories.queries import list_categories
from app.deps import MAX_ID, HereDep, RendererDep, RunDep, SessionDep
from app.http.cache import Fresh
from app.http.errors import BadFilter
from app.shared.links import link

router = APIRouter(dependencies=[Fresh])
PAGE, FEED = "/annotations/activity", "/annotations/feed.xml"
STEP = 50
"""Versions on a page and in the feed."""

Author = Annotated[str, Query(max_length=200, description="Whose versions alone.")]
Slug = Annotated[str, Query(max_length=200, description="Slug of the SAE whose versions alone.")]
Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Id of the last version of the page before.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Latents in each list of the queue.")]


@router.get("/annotations")
def team(session: SessionDep, render: RendererDep, run: RunDep, limit: Limit = 50) -> HTMLResponse:
    """Progress, agreement, and what to look at next."""
    return render(team_page(session, run, render.pin, limit))


@router.get(PAGE)
def versions(
    session: SessionDep, render: RendererDep, author: Author = "", sae: Slug = "", before: Before = None
) -> HTMLResponse:
    """Versions, newest first."""
    entries = _entries(session, author, sae, before, STEP + 1)
    shown, query = entries[:STEP], {"author": author, "sae": sae}
    page = ActivityPage(
        title="Activity",
        nav="annotations",
        entries=shown,
        author=author,
        sae=sae,
        authors=activity.names(session),
        slugs=activity.slugs(session),
        older=link(PAGE, {**query, "before": shown[-1].id}) if len(entries) > STEP else "",
        newest=link(PAGE, query) if before else "",
        feed=link(FEED, query),
    )
    return render(page)


@router.get(FEED)
def feed(session: SessionDep, here: HereDep, author: Author = "", sae: Slug = "") -> Response:
    """The newest versions, as Atom."""
    query = {"author": author, "sae": sae}
    of = ", ".join(part for part in (f"by {author}" if author else "", f"of {sae}" if sae else "") if part)
    title = "Annotations · Dense Latents" if not of else f"Annotations {of} · Dense Latents"
    entries = _entries(session, author, sae, None, STEP)
    return Response(atom(entries, here.base, link(PAGE, query), link(FEED, query), title), media_type=TYPE)


def _entries(session: Session, author: str, sae: str, before: int | None, limit: int) -> list[Entry]:
    for name, text in (("author", author), ("sae", sae)):
        if "\0" in text:
            raise BadFilter(f"{name} holds a NUL character; none of ours does")
    found = activity.activity(session, author=author or None, sae=sae or None, before=before, limit=limit)
    known = list_categories(session)
    return [entry(one, known) for one in found]
