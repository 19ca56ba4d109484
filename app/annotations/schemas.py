"""What people say of latents and pairs."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.annotations.write import MAX_NAME, MAX_NOTE
from store.vocabulary import Verdict


class AnnotationOut(BaseModel):
    """What a person says, in one version."""

    version: int = Field(description="1, 2, ... of this latent or pair")
    category: str | None = Field(description="A class's name, or the key of a category of the team's own")
    verdict: str | None = Field(description="keep, investigate or prune")
    note: str
    author: str
    created: datetime
    restores: int | None = Field(description="The version whose content an undo brought back; 0: nothing was said")


class AnnotationStateOut(BaseModel):
    """What is said of one latent or pair, and how it came about."""

    sae: str
    index: int
    other: int | None = Field(description="Of a pair the larger index")
    version: int = Field(description="Send it with a change; 0 where nothing was ever said")
    current: AnnotationOut | None
    history: list[AnnotationOut] = Field(description="Newest first")


class AnnotationIn(BaseModel):
    """What to say. A save from an old version is answered by 409, and nothing is lost."""

    model_config = ConfigDict(extra="forbid")
    version: int = Field(ge=0, le=2**31 - 1, description="The version this was made from; 0 where there was none")
    category: str | None = Field(default=None, max_length=60, description="One of /api/v1/categories")
    verdict: Verdict | None = None
    note: str = Field(default="", max_length=MAX_NOTE)
    author: str = Field(
        max_length=MAX_NAME,
        pattern=r"[^\s\x00-\x1f\x7f-\x9f]",
        description="Who says it; a trusted proxy's word goes before it",
    )


class CategoryOut(BaseModel):
    """A category that people may give."""

    key: str
    title: str
    colour: str
    description: str
    own: bool = Field(description="The team's, not one of the machine's classes")
    archived: bool = Field(description="Put away: offered no more")
