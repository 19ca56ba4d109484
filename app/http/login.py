"""In by the token, out again. Where no token is asked for, both lead to the start page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.http.access import ASK, WRONG, local_path, login_page
from app.http.auth import Door
from app.rendering import Renderer

router = APIRouter()
Token = Annotated[str, Form()]  # the gate bounds both; a refusal of ours would repeat what it refuses
To = Annotated[str, Form(alias="next")]


@router.get("/login")
def login_form(request: Request) -> Response:
    """The form."""
    if not _door(request).locked or _door(request).knows(request):
        return RedirectResponse("/", 303)
    return _renderer(request)(login_page("/"))


@router.post("/login")
async def login(request: Request, token: Token = "", to: To = "/") -> Response:
    """A ticket for the token, and back to where one wanted to go."""
    door, to = _door(request), local_path(to)
    if door.locked and not await door.opens(token.strip()):
        answer: Response = _renderer(request)(login_page(to, WRONG), 401)
        answer.headers.update(ASK)
        return answer
    response = RedirectResponse(to, 303)
    if door.locked:
        door.give(response, request)
    return response


@router.get("/logout")
def logout_form(request: Request) -> Response:
    """A button: a link alone could be followed by a page of another site."""
    if not _door(request).knows(request):
        return RedirectResponse("/", 303)
    return _renderer(request)(login_page("/", leaving=True))


@router.post("/logout")
def logout(request: Request) -> Response:
    """Take the ticket back."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(_door(request).cookie, httponly=True, samesite="lax")
    return response


def _door(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


def _renderer(request: Request) -> Renderer:
    found: Renderer = request.app.state.renderer
    return found
