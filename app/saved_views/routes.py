"""Saved views: the list, one by its name, saving and removing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.deps import RendererDep, SessionDep, ViewerDep, WritingDep
from app.http.cache import Fresh
from app.http.errors import BadFilter, NotFound
from app.http.viewer import remember
from app.saved_views.queries import ViewInfo, find_view, list_views
from app.saved_views.write import VIEWS, remove_view, save_view, view_address
from app.shared.cursor import MAX_ID
from app.shared.language import _
from app.shared.page import Page
from app.shared.people import author_name


@dataclass(frozen=True)
class ViewsPage(Page):
    """All saved views."""

    template = "saved_views/saved_views.html"
    views: list[ViewInfo]
    """Newest first."""


router = APIRouter()

Title = Annotated[str, Form(max_length=400, description="What the view is called.")]
Address = Annotated[str, Form(max_length=8_000, description="Path and query on this server.")]
Author = Annotated[str, Form(max_length=200, description="Who saves it; asked once.")]
Named = Annotated[str, Path(max_length=200)]
Number = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.get("/views", dependencies=[Fresh])
def views(session: SessionDep, render: RendererDep) -> HTMLResponse:
    """All saved views."""
    return render(ViewsPage(_("Saved views"), "latents", list_views(session)))


@router.get("/views/{name:path}")
def view(session: SessionDep, name: Named) -> Response:
    """Leads to the address under a name."""
    found = find_view(session, name)
    if found is None:
        raise NotFound(_("There is no saved view '%(name)s'; all are listed at %(views)s.", name=name, views=VIEWS))
    try:
        return RedirectResponse(view_address(found.address), 303)
    except BadFilter as error:  # not every writer of a store is this server
        raise NotFound(
            _(
                "The saved view '%(name)s' leads nowhere: %(detail)s. Remove it at %(views)s.",
                name=name,
                detail=error.detail,
                views=VIEWS,
            )
        ) from None


@router.post("/views")
def save(
    request: Request,
    writing: WritingDep,
    viewer: ViewerDep,
    name: Title = "",
    address: Address = "",
    author: Author = "",
) -> Response:
    """Save an address under a name."""
    who = author_name(viewer.called(author))
    made = save_view(writing, name, address, who)
    response = RedirectResponse(f"{VIEWS}#view-{made}", 303)
    remember(response, who, request)
    return response


@router.post("/views/{number}/remove")
def remove(writing: WritingDep, number: Number) -> Response:
    """Take a view off the list."""
    remove_view(writing, number)
    return RedirectResponse(VIEWS, 303)
