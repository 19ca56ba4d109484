"""What people say, over the API: read, write, and the history."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo, Subject, history
from app.annotations.write import MAX_NOTE, Draft, Stale, save
from app.categories import queries as categories
from app.categories.queries import CategoryInfo
from app.deps import Index, SessionDep, Slug, ViewerDep, WritingDep, analysed_sae
from app.http.cache import Fresh
from app.http.errors import conflict_response
from app.http.viewer import Viewer
from app.latents import queries as latents
from app.pairs.record import measured_pair
from app.shared.links import UNPINNED
from app.shared.people import MAX_NAME, author_name
from store.vocabulary import Verdict

router = APIRouter()


class AnnotationState(BaseModel):
    """What is said of one latent or pair, and how it came about."""

    sae: str
    index: int
    other: int | None = Field(description="Of a pair the larger index")
    version: int = Field(description="Send it with a change; 0 where nothing was ever said")
    current: AnnotationInfo | None
    history: list[AnnotationInfo] = Field(description="Newest first")


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


@router.get("/categories", dependencies=[Fresh])
def list_categories(session: SessionDep) -> list[CategoryInfo]:
    """The machine's classes, then the team's own."""
    return categories.list_categories(session)


def latent_of(session: SessionDep, slug: Slug, index: Index) -> Subject:
    """The latent that the path names, whichever run holds it."""
    sae = analysed_sae(session, slug, UNPINNED).sae
    return Subject(sae.sha256, latents.find_latent(session, sae, index).index)


def pair_of(session: SessionDep, slug: Slug, first: Index, second: Index) -> Subject:
    """The pair that the path names."""
    sae = analysed_sae(session, slug, UNPINNED).sae
    measured_pair(session, sae, first, second)
    return Subject.pair(sae.sha256, first, second)


LatentDep = Annotated[Subject, Depends(latent_of)]
PairDep = Annotated[Subject, Depends(pair_of)]


@router.get("/saes/{slug:path}/latents/{index}/annotation", dependencies=[Fresh])
def get_latent_annotation(session: SessionDep, slug: Slug, subject: LatentDep) -> AnnotationState:
    """What is said of a latent, with all versions."""
    return _state(session, slug, subject)


@router.put("/saes/{slug:path}/latents/{index}/annotation", response_model=AnnotationState)
def put_latent_annotation(
    session: SessionDep, writing: WritingDep, viewer: ViewerDep, slug: Slug, subject: LatentDep, asked: AnnotationIn
) -> AnnotationState | Response:
    """Say something of a latent, as a new version."""
    return _put(session, writing, viewer, slug, subject, asked)


@router.get("/saes/{slug:path}/pairs/{first}/{second}/annotation", dependencies=[Fresh])
def get_pair_annotation(session: SessionDep, slug: Slug, subject: PairDep) -> AnnotationState:
    """What is said of two latents as one signal, with all versions."""
    return _state(session, slug, subject)


@router.put("/saes/{slug:path}/pairs/{first}/{second}/annotation", response_model=AnnotationState)
def put_pair_annotation(
    session: SessionDep, writing: WritingDep, viewer: ViewerDep, slug: Slug, subject: PairDep, asked: AnnotationIn
) -> AnnotationState | Response:
    """Say something of two latents as one signal, as a new version."""
    return _put(session, writing, viewer, slug, subject, asked)


def _put(
    session: Session, writing: Session, viewer: Viewer, slug: str, subject: Subject, asked: AnnotationIn
) -> AnnotationState | Response:
    session.rollback()  # the answer is read after the save
    author = author_name(viewer.called(asked.author))
    try:
        save(writing, subject, Draft(asked.category, asked.verdict, asked.note), asked.version, author)
    except Stale:
        state = _state(session, slug, subject).model_dump(mode="json")
        return conflict_response("Somebody saved in between; nothing was written.", state)
    return _state(session, slug, subject)


def _state(session: Session, slug: str, subject: Subject) -> AnnotationState:
    versions = history(session, subject)
    return AnnotationState(
        sae=slug,
        index=subject.index,
        other=subject.other if subject.is_pair else None,
        version=versions[0].version if versions else 0,
        current=versions[0] if versions else None,
        history=versions,
    )
