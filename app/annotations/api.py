"""What people say, over the API: read, write, and the history."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo, Subject, history
from app.annotations.schemas import AnnotationIn, AnnotationOut, AnnotationStateOut, CategoryOut
from app.annotations.write import Draft, Stale, author_name, save
from app.categories import queries as categories
from app.deps import Index, SessionDep, Slug, ViewerDep, WritingDep
from app.http.cache import Fresh
from app.http.errors import conflict_response
from app.http.viewer import Viewer
from app.latents import queries as latents
from app.pairs.page import measured_pair
from app.runs import queries as runs
from app.saes import queries as saes

router = APIRouter(prefix="/api/v1")


@router.get("/categories", dependencies=[Fresh])
def list_categories(session: SessionDep) -> list[CategoryOut]:
    """The machine's classes, then the team's own."""
    own = CategoryOut.model_fields
    return [CategoryOut(**{name: getattr(one, name) for name in own}) for one in categories.list_categories(session)]


@router.get("/saes/{slug:path}/latents/{index}/annotation", dependencies=[Fresh])
def get_latent_annotation(session: SessionDep, slug: Slug, index: Index) -> AnnotationStateOut:
    """What is said of a latent, with all versions."""
    return _state(session, slug, _latent(session, slug, index))


@router.put("/saes/{slug:path}/latents/{index}/annotation", response_model=AnnotationStateOut)
def put_latent_annotation(
    session: SessionDep,
    writing: WritingDep,
    viewer: ViewerDep,
    slug: Slug,
    index: Index,
    asked: AnnotationIn,
) -> AnnotationStateOut | Response:
    """Say something of a latent, as a new version."""
    return _put(session, writing, viewer, slug, _latent(session, slug, index), asked)


@router.get("/saes/{slug:path}/pairs/{first}/{second}/annotation", dependencies=[Fresh])
def get_pair_annotation(session: SessionDep, slug: Slug, first: Index, second: Index) -> AnnotationStateOut:
    """What is said of two latents as one signal, with all versions."""
    return _state(session, slug, _pair(session, slug, first, second))


@router.put("/saes/{slug:path}/pairs/{first}/{second}/annotation", response_model=AnnotationStateOut)
def put_pair_annotation(
    session: SessionDep,
    writing: WritingDep,
    viewer: ViewerDep,
    slug: Slug,
    first: Index,
    second: Index,
    asked: AnnotationIn,
) -> AnnotationStateOut | Response:
    """Say something of two latents as one signal, as a new version."""
    return _put(session, writing, viewer, slug, _pair(session, slug, first, second), asked)


def _latent(session: Session, slug: str, index: int) -> Subject:
    sae = saes.find_sae(session, runs.run_of_sae(session, slug, None), slug)
    return Subject(sae.sha256, latents.find_latent(session, sae, index).index)


def _pair(session: Session, slug: str, first: int, second: int) -> Subject:
    sae = saes.find_sae(session, runs.run_of_sae(session, slug, None), slug)
    measured_pair(session, sae, first, second)
    return Subject.pair(sae.sha256, first, second)


def _put(
    session: Session, writing: Session, viewer: Viewer, slug: str, subject: Subject, asked: AnnotationIn
) -> AnnotationStateOut | Response:
    session.rollback()  # the answer is read after the save
    author = author_name(viewer.name if viewer.fixed else asked.author)
    try:
        save(writing, subject, Draft(asked.category, asked.verdict, asked.note), asked.version, author)
    except Stale:
        state = _state(session, slug, subject).model_dump(mode="json")
        return conflict_response("Somebody saved in between; nothing was written.", state)
    return _state(session, slug, subject)


def _state(session: Session, slug: str, subject: Subject) -> AnnotationStateOut:
    versions = [_version(one) for one in history(session, subject)]
    return AnnotationStateOut(
        sae=slug,
        index=subject.index,
        other=subject.other if subject.is_pair else None,
        version=versions[0].version if versions else 0,
        current=versions[0] if versions else None,
        history=versions,
    )


def _version(found: AnnotationInfo) -> AnnotationOut:
    own = asdict(found)
    return AnnotationOut(**{name: own[name] for name in AnnotationOut.model_fields})
