"""Saying the same of many latents at once, from a list: a plain form, which works without a script."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from app.annotations.queries import Subject
from app.annotations.write import Stale, change_many
from app.compare.references import MOST as FEW
from app.compare.references import address, reference_of
from app.deps import SessionDep, ViewerDep, WritingDep
from app.http.errors import BadFilter
from app.http.viewer import remember
from app.latents.queries import widths
from app.shared.language import _
from app.shared.links import is_local
from app.shared.people import author_name
from app.vocabulary import NONE

router = APIRouter()
MOST = 500
LIST = "/latents"
CHANGED = "changed"
COMPARE = "compare"

Chosen = Annotated[list[str], Form(default_factory=list, description="slug:index of each latent.")]
Choice = Annotated[str, Form(max_length=60, description="Empty: as it is; none: taken away.")]
Shown = Annotated[str, Form(max_length=200_000, description="All latents of the page, one a line.")]
All = Annotated[str, Form(alias="all", max_length=8, description="Not empty: all that are shown.")]
Name = Annotated[str, Form(max_length=200)]
Act = Annotated[str, Form(max_length=12, description="compare: change nothing, but lay them side by side.")]
Back = Annotated[str, Form(max_length=8_000, description="The list's address.")]


@router.post("/annotations/many")
def annotate_many(
    request: Request,
    session: SessionDep,
    writing: WritingDep,
    viewer: ViewerDep,
    latent: Chosen,
    category: Choice = "",
    verdict: Choice = "",
    every: All = "",
    shown: Shown = "",
    name: Name = "",
    back: Back = LIST,
    act: Act = "",
) -> Response:
    """Give the chosen latents a category or a verdict, and go back to the list; or lay them side by side."""
    asked = list(dict.fromkeys([*latent, *(shown.split() if every else [])]))
    place = list_address(back)
    if act == COMPARE:
        return RedirectResponse(side_by_side(asked), 303)
    if not category and not verdict:
        raise BadFilter(_("choose a category or a verdict for them; nothing was changed"))
    subjects = subjects_of(session, asked)
    author = author_name(viewer.called(name))
    try:
        changed = change_many(writing, subjects, author, category=choice(category), verdict=choice(verdict))
    except Stale:
        raise HTTPException(
            409, _("Others are saving the same latents at this moment; nothing was changed. Try again.")
        ) from None
    response = RedirectResponse(with_count(place, changed), 303)
    remember(response, author, request)
    return response


def side_by_side(asked: list[str]) -> str:
    """The address of the comparison.

    Raises:
        BadFilter: too many, or one that names no latent.
    """
    if len(asked) > FEW:
        raise BadFilter(
            _(
                "%(few)s latents are compared at most, and %(asked)s are chosen; go back and take some out",
                few=FEW,
                asked=f"{len(asked):,}",
            )
        )
    return address([reference_of(text[:240], "latent") for text in asked])


def choice(value: str) -> str | None:
    """As `change_many` takes it: None leaves, "" takes away."""
    return None if not value else "" if value == NONE else value


def subjects_of(session: Session, asked: list[str]) -> list[Subject]:
    """slug:index of each -> what an annotation is about.

    Raises:
        BadFilter: none, too many, or one that is no latent of this store.
    """
    if not asked:
        raise BadFilter(_("no latent is chosen; choose some in the first column of the list"))
    if len(asked) > MOST:
        raise BadFilter(
            _("%(asked)s latents are chosen; the limit is %(most)s at once", asked=f"{len(asked):,}", most=MOST)
        )
    named = [_named(text) for text in asked]
    known = widths(session, {slug for slug, _index in named})
    for slug, index in named:
        if slug not in known:
            raise BadFilter(_("'%(slug)s' is no SAE of this store; nothing was changed", slug=slug[:200]))
        if index >= known[slug][1]:
            raise BadFilter(_("SAE '%(slug)s' has no latent %(index)s; nothing was changed", slug=slug, index=index))
    return [Subject(known[slug][0], index) for slug, index in named]


def _named(text: str) -> tuple[str, int]:
    slug, _colon, index = text.rpartition(":")
    if not (slug and "\0" not in text and index.isascii() and index.isdecimal() and len(index) < 10):
        raise BadFilter(
            _("'%(text)s' names no latent; it should be an SAE's slug, a colon, and an index", text=text[:80])
        )
    return slug, int(index)


def list_address(back: str) -> str:
    """The list's address, as the form says it.

    Raises:
        BadFilter: another page's, or another server's.
    """
    if not is_local(back) or urlsplit(back).path != LIST:
        raise BadFilter(
            _("'%(back)s' is no address of the list %(list)s; nothing was changed", back=back[:80], list=LIST)
        )
    return back


def with_count(address: str, changed: int) -> str:
    """The address, which tells how many changed."""
    asked = parse_qsl(urlsplit(address).query, keep_blank_values=True)
    return f"{LIST}?{urlencode([*((key, value) for key, value in asked if key != CHANGED), (CHANGED, changed)])}"
