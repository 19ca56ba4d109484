"""The API's description: FastAPI's own, with errors as they really look."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from app.http.errors import PROBLEM_TYPE


class Problem(BaseModel):
    """An error (RFC 9457): `detail` says what was wrong and what there is instead."""

    type: str
    title: str
    status: int
    detail: str


ERRORS = {
    "400": "The Host header is not one of this server's, or the request cannot be read",
    "401": "The server asks for its team's token, as Authorization: Bearer, or for the word of a listed proxy",
    "404": "There is no such run, SAE, latent, pair or experiment",
    "503": "The database is busy; Retry-After says when to ask again",
    "413": "The body is too large",
    "414": "The address is too long",
    "422": "A filter, sort or cursor means nothing",
}
WRITING = {
    "403": "A page of another site asked, or the server is read-only",
    "409": "Somebody saved in between; `current` is what they saved, and nothing was written",
}


def description(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = made["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Problem"] = Problem.model_json_schema()
        for path in made["paths"].values():
            for method, operation in path.items():
                known = ERRORS if method == "get" else {**ERRORS, **WRITING}
                operation["responses"].update({status: _error(text) for status, text in known.items()})
        app.openapi_schema = made
    return app.openapi_schema


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
