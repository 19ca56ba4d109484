"""Saving an annotation from the page of a latent or a pair: by a plain form, or by a script that wants the panel."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.annotations.panel import AnnotationPanel, annotation_panel
from app.annotations.queries import Subject
from app.annotations.write import Draft, Stale, restore, save
from app.deps import Analysed, Index, Render, RendererDep, SaeDep, SessionDep, ViewerDep, WritingDep
from app.http.errors import NOT_SAVED, RETRY, BadFilter, reason, trouble
from app.http.origins import NOWHERE
from app.http.viewer import remember
from app.latents import queries as latents
from app.pairs.record import measured_pair
from app.shared.cursor import MAX_ID
from app.shared.links import at
from app.shared.page import Page
from app.shared.people import author_name

router = APIRouter()
log = logging.getLogger("dense_latents")
PART = "x-part"
"""The header with which a script asks for the panel alone."""

Category = Annotated[str, Form(max_length=60)]
Verdict = Annotated[str, Form(max_length=12)]
Note = Annotated[str | None, Form(max_length=20_000)]
Version = Annotated[int, Form(ge=0, le=MAX_ID)]
Name = Annotated[str, Form(max_length=200)]
Back = Annotated[str, Form(max_length=12, pattern=r"^\d*$")]


@dataclass(frozen=True)
class AnnotationPart(Page):
    """The panel alone, put in its place by a script."""

    template = "annotations/part.html"
    annotation: AnnotationPanel
    """The panel."""


@dataclass(frozen=True)
class AnnotationPage(Page):
    """The panel as a page: where a save was refused, and no script is there."""

    template = "annotations/annotation.html"
    annotation: AnnotationPanel
    """The panel."""


class Asked:
    """A save as the form sends it: a dependency of both routes."""

    def __init__(
        self,
        request: Request,
        viewer: ViewerDep,
        category: Category = "",
        verdict: Verdict = "",
        note: Note = None,
        version: Version = 0,
        name: Name = "",
        back: Back = "",
    ) -> None:
        self.request, self.viewer, self.version = request, viewer, version
        self.draft = Draft(category or None, verdict or None, note or "")
        self.typed = note is not None
        """Whether it came from the form: a button of the history sends no draft."""
        self.name = viewer.called(name)
        self.back = min(int(back), MAX_ID) if back else None
        """The version to bring back, where this is no save."""

    @property
    def part(self) -> bool:
        """Whether only the panel is wanted."""
        return PART in self.request.headers


AskedDep = Annotated[Asked, Depends()]


@router.post("/saes/{slug:path}/latents/{index}/annotation")
def annotate_latent(
    session: SessionDep,
    writing: WritingDep,
    render: RendererDep,
    asked: AskedDep,
    found: SaeDep,
    index: Index,
) -> Response:
    """Say something of a latent."""
    latents.find_latent(session, found.sae, index)
    return _answer(session, writing, render, asked, found, Subject(found.sae.sha256, index))


@router.post("/saes/{slug:path}/pairs/{first}/{second}/annotation")
def annotate_pair(
    session: SessionDep,
    writing: WritingDep,
    render: RendererDep,
    asked: AskedDep,
    found: SaeDep,
    first: Index,
    second: Index,
) -> Response:
    """Say something of two latents as one signal."""
    measured_pair(session, found.sae, first, second)
    return _answer(session, writing, render, asked, found, Subject.pair(found.sae.sha256, first, second))


def _answer(
    session: Session, writing: Session, render: Render, asked: Asked, found: Analysed, subject: Subject
) -> Response:
    session.rollback()  # what follows is read after the save, not as it was before
    status, stale, problem, draft, author = 200, False, "", None, ""
    try:
        author = author_name(asked.name)
        if asked.back is None:
            save(writing, subject, asked.draft, asked.version, author)
        else:
            restore(writing, subject, asked.back, asked.version, author)
    except Stale:
        status, stale, draft = 409, True, asked.draft if asked.typed else None
    except BadFilter as error:
        status, problem, draft = 422, error.detail, asked.draft
    except OperationalError as error:  # a worker writes for longer than one waits
        log.warning("%s: %s", asked.request.url.path, reason(error))
        writing.rollback()
        (status, problem), draft = trouble(error), asked.draft
    response: Response
    if status == 200 and not asked.part:
        response = RedirectResponse(at(f"{subject.page(found.sae.slug)}#annotation", render.pin), 303)
    else:
        panel = annotation_panel(session, *found, subject, render.pin, draft=draft, stale=stale, problem=problem)
        viewer = render.viewer if render.viewer.fixed or not author else replace(render.viewer, name=author)
        kind = AnnotationPart if asked.part else AnnotationPage
        page = kind(f"What people say of {panel.about}", "latents", panel)
        response = replace(render, viewer=viewer, here=NOWHERE)(page, status)
    if status in NOT_SAVED:
        response.headers.update(RETRY)
    remember(response, author, asked.request)
    return response
