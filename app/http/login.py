"""In by the token, out again. Where no token is asked for, both lead to the start page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.http.access import ASK, WRONG, local_path, login_page
from app.http.auth import TokenAuth
from app.http.proxies import peer_of
from app.rendering import Renderer

router = APIRouter()
Token = Annotated[str, Form()]  # the gate bounds both; a refusal of ours would repeat what it refuses
To = Annotated[str, Form(alias="next")]


@router.get("/login")
def login_form(request: Request) -> Response:
    """The form."""
    if not _auth(request).required or _auth(request).has_session(request):
        return RedirectResponse("/", 303)
    return _renderer(request)(login_page("/"))


@router.post("/login")
async def login(request: Request, token: Token = "", to: To = "/") -> Response:
    """A session for the token, and back to where one wanted to go."""
    auth, to = _auth(request), local_path(to)
    if auth.required and not await auth.accepts(token.strip(), peer_of(request.scope)):
        answer: Response = _renderer(request)(login_page(to, WRONG), 401)
        answer.headers.update(ASK)
        return answer
    response = RedirectResponse(to, 303)
    if auth.required:
        auth.start_session(response, request)
    return response


@router.get("/logout")
def logout_form(request: Request) -> Response:
    """A button: a link alone could be followed by a page of another site."""
    if not _auth(request).has_session(request):
        return RedirectResponse("/", 303)
    return _renderer(request)(login_page("/", leaving=True))


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session."""
    response = RedirectResponse("/login", 303)
    response.delete_cookie(_auth(request).cookie, httponly=True, samesite="lax")
    return response


def _auth(request: Request) -> TokenAuth:
    found: TokenAuth = request.app.state.auth
    return found


def _renderer(request: Request) -> Renderer:
    found: Renderer = request.app.state.renderer
    return found
