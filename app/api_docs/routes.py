"""The API's documentation, drawn here from its description: a page, no 1.7 MB of another's scripts."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from app.api_docs.openapi import description
from app.api_docs.page import ApiDocsPage, Operation
from app.deps import RendererDep
from app.http.cache import Fresh

router = APIRouter(dependencies=[Fresh])


@router.get("/api/v1/openapi.json")
def openapi(request: Request) -> JSONResponse:
    """The description of the API."""
    return JSONResponse(description(request.app))


@router.get("/api/docs")
def api_docs(request: Request, render: RendererDep) -> HTMLResponse:
    """Calls, their parameters and answers."""
    made = description(request.app)
    calls = [_operation(path, call["get"]) for path, call in made["paths"].items()]
    schemas = [(name, _fields(schema)) for name, schema in made["components"]["schemas"].items()]
    return render(ApiDocsPage("API", "api", calls, schemas))


def _operation(path: str, call: dict[str, Any]) -> Operation:
    parameters = [
        {"name": one["name"], "where": one["in"], "type": type_name(one["schema"]), "text": one.get("description", "")}
        for one in call.get("parameters", [])
    ]
    answer = type_name(call["responses"]["200"]["content"]["application/json"]["schema"])
    return Operation(path, call["summary"], call.get("description", ""), parameters, answer)


def _fields(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(name, type_name(one), one.get("description", "")) for name, one in schema.get("properties", {}).items()]


def type_name(schema: dict[str, Any]) -> str:
    """A schema's type in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_name(one) for one in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {type_name(schema.get('items', {}))}"
    if "enum" in schema:
        return ", ".join(repr(value) for value in schema["enum"])
    return str(schema.get("type", "any"))
