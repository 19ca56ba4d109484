"""The categories page, and the forms on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.categories.page import NEW, Refused, anchor, categories_page
from app.categories.write import CategoryDraft, StaleCategory, change, make, put_away
from app.deps import PinDep, RendererDep, SessionDep, ViewerDep, WritingDep
from app.http.cache import Fresh
from app.http.errors import BadFilter
from app.http.viewer import remember
from app.shared.links import UNPINNED
from app.shared.people import author_name

router = APIRouter()
PAGE = "/categories"

Title = Annotated[str, Form(max_length=1_000)]
Colour = Annotated[str, Form(max_length=60)]
Description = Annotated[str, Form(max_length=10_000)]
Key = Annotated[str, Form(max_length=60)]
Stamp = Annotated[str, Form(max_length=40)]
Name = Annotated[str, Form(max_length=200)]


class Writer:
    """Who sends a form: a dependency of all routes that write."""

    def __init__(self, request: Request, viewer: ViewerDep, session: SessionDep, render: RendererDep, name: Name = ""):
        self.request, self.session, self.render = request, session, render
        self.name = viewer.called(name)

    def answer(self, key: str, draft: CategoryDraft | None, save: Callable[[str], str]) -> Response:
        """Save, and lead back to the category; or show why not, with the draft kept.

        Args:
            key: of the category, or NEW.
            draft: what the form holds; None where it only puts away or brings back.
            save: writes for an author, and returns the category's key.
        """
        author = ""
        try:
            author = author_name(self.name)
            response: Response = RedirectResponse(f"{PAGE}#{anchor(save(author))}", 303)
        except StaleCategory:
            response = self._page(409, key, Refused(draft, stale=True), author)
        except BadFilter as error:
            response = self._page(422, key, Refused(draft, problem=error.detail), author)
        remember(response, author, self.request)
        return response

    def _page(self, status: int, key: str, refused: Refused, author: str) -> HTMLResponse:
        self.session.rollback()  # what is shown was read after the save was refused, not before
        viewer = self.render.viewer
        known = viewer if viewer.fixed or not author else replace(viewer, name=author)
        page = categories_page(self.session, UNPINNED, {key: refused})
        return replace(self.render, viewer=known)(page, status)


WriterDep = Annotated[Writer, Depends()]


@router.get(PAGE, dependencies=[Fresh])
def categories(session: SessionDep, render: RendererDep, pin: PinDep) -> HTMLResponse:
    """All of them."""
    return render(categories_page(session, pin))


@router.post(PAGE)
def make_one(
    writing: WritingDep, writer: WriterDep, title: Title = "", colour: Colour = "", description: Description = ""
) -> Response:
    """Make one."""
    draft = CategoryDraft(title, colour, description)
    return writer.answer(NEW, draft, lambda author: make(writing, draft, author))


@router.post(f"{PAGE}/change")
def change_one(
    writing: WritingDep,
    writer: WriterDep,
    key: Key = "",
    changed: Stamp = "",
    title: Title = "",
    colour: Colour = "",
    description: Description = "",
) -> Response:
    """Change one."""
    draft = CategoryDraft(title, colour, description)
    return writer.answer(key, draft, lambda author: change(writing, key, draft, changed, author))


@router.post(f"{PAGE}/archive")
def archive(
    writing: WritingDep,
    writer: WriterDep,
    key: Key = "",
    changed: Stamp = "",
    archived: Annotated[Literal["true", "false"], Form()] = "true",
) -> Response:
    """Put one away, or bring it back."""
    return writer.answer(key, None, lambda author: put_away(writing, key, archived == "true", changed, author))
