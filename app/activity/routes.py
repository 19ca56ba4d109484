"""Everything that people wrote in the order of writing, as a page and as a feed (RFC 4287)."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from app.activity.page import FEED, PAGE, STEP, activity_page, entries
from app.deps import HereDep, RendererDep, SessionDep
from app.http.cache import Fresh
from app.shared.cursor import MAX_ID
from app.shared.links import link

router = APIRouter(dependencies=[Fresh])
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 can carry no other

Author = Annotated[str, Query(max_length=200, description="Whose versions alone.")]
Slug = Annotated[str, Query(max_length=200, description="Slug of the SAE whose versions alone.")]
Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Id of the last version of the page before.")]


@router.get(PAGE)
def versions(
    session: SessionDep, render: RendererDep, author: Author = "", sae: Slug = "", before: Before = None
) -> HTMLResponse:
    """Versions, newest first."""
    return render(activity_page(session, author, sae, before))


@router.get(FEED)
def feed(session: SessionDep, render: RendererDep, here: HereDep, author: Author = "", sae: Slug = "") -> Response:
    """The newest versions, as Atom."""
    query = {"author": author, "sae": sae}
    text = render.renderer.environment.get_template("activity/feed.xml").render(
        entries=entries(session, author, sae, None, STEP),
        about=", ".join(part for part in (f"by {author}" if author else "", f"of {sae}" if sae else "") if part),
        base=here.base,
        page=link(PAGE, query),
        feed=link(FEED, query),
    )
    return Response(_ILLEGAL.sub("\ufffd", text), media_type="application/atom+xml")
