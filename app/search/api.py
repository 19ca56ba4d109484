"""What search found, in JSON."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.deps import SessionDep
from app.http.cache import Fresh
from app.search.page import address, find
from app.search.queries import Group
from app.search.routes import AskedDep

router = APIRouter(dependencies=[Fresh])


class PartOut(BaseModel):
    """A stretch of text; of tokens, one token."""

    text: str
    hit: bool = Field(description="It is what was searched for")


class FoundOut(BaseModel):
    """What was found: a latent, a pair, or a category. What does not belong to it is null."""

    url: str = Field(description="Its page")
    sae: str | None
    layer: int | None
    index: int | None
    other: int | None = Field(description="Of a pair the larger index")
    density: float | None
    parts: list[PartOut] = Field(description="Of tokens the list's first and all that match, else the text around it")
    document: str | None = Field(description="Where a context comes from")
    example: str | None = Field(description="As which kind of example the latent has the context")
    also: list[int] = Field(description="Further latents of the SAE with the same context among their examples")
    author: str | None
    created: datetime | None
    category: str | None = Field(description="Key of the category found")


class FoundGroupOut(BaseModel):
    """Hits of one kind, the best first. Pass `kind`, and `next` as `cursor`, for those that follow."""

    kind: str = Field(description="token, promoted, context, note or category")
    total: int
    items: list[FoundOut]
    next: str | None


class SearchOut(BaseModel):
    """What was found in each kind; no groups where nothing was asked for."""

    q: str
    run: int | None = Field(description="Whose tokens and contexts were searched; null where nothing is analysed yet")
    groups: list[FoundGroupOut]


@router.get("/search")
def search_in_json(session: SessionDep, wanted: AskedDep) -> SearchOut:
    """Search tokens, contexts, notes and categories of a run."""
    run, groups = find(session, wanted)
    return SearchOut(q=wanted.q, run=run.id if run else None, groups=[_group(group) for group in groups])


def _group(group: Group) -> FoundGroupOut:
    own = ("index", "other", "density", "document", "example", "author", "created", "layer")
    hits = [
        FoundOut(
            sae=hit.slug or None,
            url=address(hit),
            parts=[PartOut(text=part.text, hit=part.hit) for part in hit.parts],
            also=hit.others,
            category=hit.category.key if hit.category else None,
            **{name: getattr(hit, name) or None for name in own if name != "index"},
            index=hit.index,
        )
        for hit in group.hits
    ]
    after = None if group.next is None else str(group.next)
    return FoundGroupOut(kind=group.kind, total=group.total, items=hits, next=after)
