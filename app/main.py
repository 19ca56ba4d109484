"""The server as an object: settings in, ASGI application out. Nothing happens at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from sqlalchemy import event
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from app.activity import routes as activity
from app.annotations import api as annotations_api
from app.annotations import bulk as many
from app.annotations import routes as annotate
from app.api_docs import routes as docs
from app.cards import routes as share
from app.categories import routes as categories
from app.classes.palette import endings
from app.compare import routes as compare
from app.designs import routes as designs
from app.experiments import routes as experiments
from app.export import routes as take_away
from app.field import pages as field
from app.field import routes as pictures
from app.home import routes as home
from app.http import assets, errors, login, static
from app.http import cache as caching
from app.http.access import Access
from app.http.auth import TokenAuth
from app.http.head import HeadAsGet
from app.http.language import Language
from app.http.limits import Impatient, downloads, lifespan, writers
from app.http.origins import here_of
from app.http.proxies import Forwarded, Proxies
from app.http.security import HEADERS, Gate
from app.http.settling import settling, writing_engine
from app.http.state import StoreState
from app.http.viewer import viewer_of
from app.labels import routes as labels
from app.latents import api as latents_api
from app.latents import routes as latents
from app.layers import routes as layers
from app.live import routes as live
from app.live.client import LiveClient
from app.methods import routes as methods
from app.pairs import api as pairs_api
from app.pairs import routes as pairs
from app.rendering import Given, Renderer
from app.report import routes as report
from app.runs import routes as runs
from app.saes import routes as saes
from app.saved_views import routes as views
from app.search import routes as search
from app.settings import Settings
from app.shared.language import _, translated
from app.shared.memory import Memory
from app.shared.page import EmptyPage, ErrorPage
from app.team import routes as team
from migrations.runner import head_revision
from store.changes import Changes
from store.session import database_url, make_engine, session_factory, sqlite_path

API = (
    annotations_api.router,
    search.api,
    runs.api,
    methods.api,
    labels.api,
    experiments.api,
    designs.api,
    latents_api.router,
    pairs_api.router,
    live.api,
    saes.api,
)  # SAEs last: a slug's path would swallow the others'
PAGES = (
    home,
    report,
    layers,
    annotate,
    team,
    activity,
    categories,
    many,
    views,
    compare,
    share,
    take_away,
    latents,
    labels,
    live,
    search,
    designs,
    experiments,
    pictures,
    pairs,
    saes,
    methods,
    docs,
)  # saes after what it would swallow


def create_app(settings: Settings) -> FastAPI:
    """The application over one database."""
    auth, proxies = TokenAuth(settings.token), Proxies.of(settings)
    field.declare()
    app = FastAPI(
        title="Dense Latents",
        version="1",
        description="Latents of sparse autoencoders that fire all the time: the same as the pages, in JSON, and a way"
        " to write annotations.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_life,
        middleware=[
            Middleware(Forwarded, proxies=proxies),
            Middleware(Language),
            Middleware(Gate, settings=settings),
            Middleware(Impatient),
            Middleware(HeadAsGet),
            Middleware(Access, auth=auth, proxies=proxies),
            Middleware(caching.Tags),
            Middleware(GZipMiddleware, 1000, 5, thread_minimum_size=16 * 1024),
        ],
    )
    app.state.settings, app.state.auth, app.state.schema = settings, auth, head_revision()
    app.state.engine = make_engine(settings.db, read_only=True)
    app.state.sessions = session_factory(app.state.engine)
    app.state.sessions.configure(info={"memory": Memory()})
    # connects when somebody writes
    app.state.writing = session_factory(writing_engine(settings.db))
    app.state.writers, app.state.downloads = writers(), downloads()
    app.state.live = LiveClient(settings.live) if settings.live else None
    app.state.assets = assets.load(settings.static, endings())
    app.state.renderer = Renderer(settings, app.state.assets)
    code = assets.code_version([Path(__file__).parent, settings.templates])
    app.state.page_cache = caching.page_cache()
    app.state.store_state = StoreState(Changes(settings.db, app.state.engine), app.state.sessions)
    event.listen(app.state.sessions, "after_begin", app.state.store_state.tell)
    app.state.version = code + app.state.assets.version + settings.public_url + " ".join(settings.embed_origins)
    app.state.version += " live" * bool(settings.live)
    _install(app)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    async with lifespan(app), settling(None if settings.read_only else sqlite_path(database_url(settings.db))):
        yield


def _install(app: FastAPI) -> None:
    app.include_router(static.router, include_in_schema=False)
    app.include_router(login.router, include_in_schema=False)
    for router in API:
        app.include_router(router, prefix="/api/v1")
    for part in PAGES:
        app.include_router(part.router, include_in_schema=False)
    app.add_exception_handler(caching.NotModified, caching.not_modified)
    app.add_exception_handler(caching.Again, caching.again)
    app.add_exception_handler(errors.NothingAnalysed, nothing_analysed)
    errors.install(app, error_page, HEADERS)


def error_page(request: Request, status: int, detail: str, draft: errors.Draft) -> Response:
    """An error for people. It asks no database, which may be the thing that failed."""
    phrase = HTTPStatus(status).phrase
    renderer: Renderer = request.app.state.renderer
    phrase = translated(phrase)
    return renderer(ErrorPage(phrase, "", status, phrase, detail, draft), status)


async def nothing_analysed(request: Request, _error: Exception) -> Response:
    """What to do with an empty store."""
    renderer: Renderer = request.app.state.renderer
    nav = request.url.path.strip("/").partition("/")[0] or "home"
    return renderer(
        EmptyPage(_("Nothing analysed yet"), nav), given=Given(await viewer_of(request), await here_of(request))
    )
