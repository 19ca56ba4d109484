"""What routes are handed: a session, and the run an address names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.orm import Session

from app.queries.runs import MAX_ID


def _session(request: Request) -> Iterator[Session]:
    with request.app.state.sessions() as session:
        yield session


SessionDep = Annotated[Session, Depends(_session)]
RunId = Annotated[int | None, Query(alias="run", ge=1, le=MAX_ID, description="Pin a run; the newest one otherwise.")]
