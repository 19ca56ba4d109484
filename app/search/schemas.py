"""What search found."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


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
