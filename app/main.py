"""The application: settings in, an ASGI app out. Nothing happens at import."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from app import errors
from app.assets import code_version, load
from app.pages import ErrorPage, Shell
from app.rendering import make_environment, render, shell
from app.routes import ROUTERS
from app.security import Gate
from app.settings import ROOT, Settings
from store.session import make_engine, session_factory


def create_app(settings: Settings) -> FastAPI:
    """A server over one store; every test makes its own."""
    app = FastAPI(
        title="Dense Latents",
        version="1",
        summary="Latents of sparse autoencoders that fire all the time: the pages' numbers as JSON.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    assets = load(settings.static)
    app.state.assets = assets
    app.state.environment = make_environment(settings, assets)
    app.state.version = code_version([ROOT / "app", settings.templates]) + assets.version
    app.state.engine = make_engine(settings.db, read_only=True)
    app.state.sessions = session_factory(app.state.engine)
    for router in ROUTERS:
        app.include_router(router)
    errors.install(app, _error_page)
    app.add_middleware(Gate, settings=settings)
    return app


def _error_page(request: Request, status: int, detail: str) -> Response:
    page = ErrorPage(_error_shell(request, status), status, HTTPStatus(status).phrase, detail)
    return HTMLResponse(render(request.app.state.environment, page), status)


def _error_shell(request: Request, status: int) -> Shell:
    empty = Shell(active="", run=None, runs=[], pinned=False, explain={})
    if status >= 500:
        return empty  # the store itself may be what failed
    with request.app.state.sessions() as session:
        return shell(session, "", None)
