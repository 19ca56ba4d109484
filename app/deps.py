"""What a route may ask for in its signature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from sqlalchemy.orm import Session

from app.rendering import Renderer

MAX_ID = 2**31 - 1  # PostgreSQL's integer; a larger number names nothing in any store


def session_of(request: Request) -> Iterator[Session]:
    """A session for this request; SQLite opens the file read-only."""
    with request.app.state.sessions() as session:
        yield session


def renderer_of(request: Request) -> Renderer:
    """The templates."""
    renderer: Renderer = request.app.state.renderer
    return renderer


SessionDep = Annotated[Session, Depends(session_of)]
RendererDep = Annotated[Renderer, Depends(renderer_of)]
Index = Annotated[int, Path(ge=0, le=MAX_ID, description="Index of the latent in its SAE, from 0.")]
Number = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the experiment.")]
Slug = Annotated[str, Path(max_length=200, description="The SAE's name, e.g. smollm2-135m-instruct/l15-resid.")]
RunId = Annotated[
    int | None, Query(alias="run", ge=1, le=MAX_ID, description="Run id; without it the newest complete run.")
]
