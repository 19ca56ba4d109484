"""Pages and JSON out, with an ETag that is known before anything is rendered.

What a page shows depends on the newest run (runs never change once complete), on the address, and
on our own code: a hash of these three is the tag, and a match costs one small query.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import formats
from app.assets import Assets
from app.pages import TEMPLATES, Shell
from app.queries.runs import find_run, list_runs
from app.queries.statistics import explanations
from app.settings import Settings
from store.tables import Run

CACHING = {"Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}


def make_environment(settings: Settings, assets: Assets) -> Environment:
    """Jinja with our filters; a name a template does not get is an error, never an empty string."""
    environment = Environment(
        loader=FileSystemLoader(settings.templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    plain = inspect.getmembers(formats, inspect.isfunction)
    environment.filters.update({name: function for name, function in plain if not name.startswith("_")})
    environment.filters["to_json"] = to_json
    environment.globals.update(
        asset=assets.url, link=link, latent_url=latent_url, pair_url=pair_url, sae_url=sae_url
    )
    return environment


def shell(session: Session, active: str, run_id: int | None, shown: int | None = None) -> Shell:
    """What is around a page.

    Args:
        run_id: the run the address names, or None.
        shown: the run the page shows, where that is not simply the newest.

    Raises:
        NotFound: no such run.
    """
    return Shell(
        active=active,
        run=find_run(session, shown or run_id),
        runs=list_runs(session),
        pinned=run_id is not None,
        explain=explanations(session),
    )


def respond(request: Request, session: Session, build: Callable[[], Any]) -> Response:
    """A page, or 304 where the browser has it already."""
    tag = etag(request, session)
    if _matches(request, tag):
        return Response(status_code=304, headers=CACHING | {"ETag": tag})
    return HTMLResponse(render(request.app.state.environment, build()), headers=CACHING | {"ETag": tag})


def respond_json(request: Request, session: Session, build: Callable[[], Any]) -> Response:
    """The same for the API. A NaN would raise here: it is no JSON."""
    tag = etag(request, session)
    if _matches(request, tag):
        return Response(status_code=304, headers=CACHING | {"ETag": tag})
    body = json.dumps(jsonable_encoder(build()), allow_nan=False, ensure_ascii=False)
    return Response(body.encode("utf-8", "replace"), media_type="application/json", headers=CACHING | {"ETag": tag})


def render(environment: Environment, page: Any) -> str:
    """A page's dataclass -> HTML; its fields are the template's variables."""
    variables = {field.name: getattr(page, field.name) for field in fields(page)}
    return environment.get_template(TEMPLATES[type(page)]).render(variables)


def etag(request: Request, session: Session) -> str:
    """Weak tag of newest run, number of runs, address and code."""
    newest, runs = session.execute(
        select(func.max(Run.id), func.count(Run.id)).where(Run.status == "complete")
    ).one()
    parts = [newest, runs, request.url.path, request.url.query, request.app.state.version]
    return f'W/"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]}"'


def _matches(request: Request, tag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    return tag in [part.strip() for part in given.split(",")]


def to_json(value: Any) -> Markup:
    """JSON for a <script type="application/json"> block: no character in it can end the block."""
    text = json.dumps(jsonable_encoder(value), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704 -- escaped above, and JSON has no other way out of a script element


def link(around: Shell, path: str, **parameters: Any) -> str:
    """`path` with a query; keeps the run where the address pins one."""
    given = {name: value for name, value in parameters.items() if value is not None}
    if around.pinned and around.run is not None:
        given["run"] = around.run.id
    words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    return path + (f"?{urlencode(words)}" if words else "")


def sae_url(around: Shell, slug: str) -> str:
    """Address of an SAE's page."""
    return link(around, f"/saes/{quote(slug)}")


def latent_url(around: Shell, slug: str, index: int) -> str:
    """Address of a latent's page."""
    return link(around, f"/saes/{quote(slug)}/latents/{index}")


def pair_url(around: Shell, slug: str, i: int, j: int) -> str:
    """Address of a pair's page."""
    return link(around, f"/saes/{quote(slug)}/pairs/{i}/{j}")
