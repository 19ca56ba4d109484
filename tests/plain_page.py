"""A page that costs nothing but itself: what `tests/load.py` holds the product's pages against."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from app.http.limits import lifespan
from store.session import make_engine


def application(page: str) -> FastAPI:
    """One template without an expression, rendered for each request in a thread, and compressed as ours are."""
    app = FastAPI(lifespan=lifespan, middleware=[Middleware(GZipMiddleware, 1000, 5, thread_minimum_size=16 * 1024)])
    app.state.engine = make_engine("none.db", read_only=True)  # says how many threads; nobody connects
    template = Environment(autoescape=True).from_string("{% raw %}" + Path(page).read_text() + "{% endraw %}")

    @app.get("/")
    def plain() -> HTMLResponse:
        return HTMLResponse(template.render())

    return app
