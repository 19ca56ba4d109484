"""Search, as a page and in JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, WithJsonSchema

from app.deps import PinDep, RendererDep, SessionDep
from app.http.cache import Fresh
from app.search.page import MAX_LIMIT, Asked, asked, find, only_named, search_page
from app.search.queries import KINDS, Group
from app.shared.links import at

api = APIRouter(dependencies=[Fresh])
router = APIRouter(dependencies=[Fresh])

Text = Annotated[
    str,
    Query(
        max_length=200,
        description='Words, "phrases in quotes" and beginnings of words*: what has all of them is found, without regard'
        " to case and accents. In notes and categories each also counts as part of a word. At most 16.",
    ),
    WithJsonSchema({"type": "string", "maxLength": 200, "pattern": "^[^\u0000]*$"}),
]
Kind = Annotated[
    str,
    Query(max_length=60, description="Look only among these."),
    WithJsonSchema({"type": "string", "enum": ["", *KINDS]}),
]
Slug = Annotated[
    str,
    Query(max_length=200, description="Slug of one SAE."),
    WithJsonSchema({"type": "string", "maxLength": 200, "pattern": "^[^\u0000]*$"}),
]
Next = Annotated[str, Query(max_length=12, description="`next` of the same search of one kind.")]
Limit = Annotated[int | None, Query(ge=1, le=MAX_LIMIT, description="Hits of a kind; by default 50, of each kind 6.")]


def search_asked(
    pin: PinDep, q: Text = "", kind: Kind = "", sae: Slug = "", cursor: Next = "", limit: Limit = None
) -> Asked:
    """One reading for page and API."""
    return asked(q, kind, sae, pin, cursor, limit)


AskedDep = Annotated[Asked, Depends(search_asked)]


@router.get("/search")
def search(session: SessionDep, render: RendererDep, wanted: AskedDep) -> Response:
    """What was found, or how to search; the name of one latent leads to its page."""
    place = only_named(session, wanted)
    return RedirectResponse(at(place, render.pin), 303) if place else render(search_page(session, wanted))


class Found(BaseModel):
    """What was found in each kind; no groups where nothing was asked for."""

    q: str
    run: int | None = Field(
        description="The run whose tokens and contexts were searched, of several the newest; null where none is"
    )
    groups: list[Group]


@api.get("/search")
def search_in_json(session: SessionDep, wanted: AskedDep) -> Found:
    """Search tokens, contexts, notes and categories of a run."""
    run, groups = find(session, wanted)
    return Found(q=wanted.q, run=run.id if run else None, groups=groups)
