"""The API's documentation, drawn here from its description: a page, no 1.7 MB of another's scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.shared.page import Page

Field = tuple[str, str, str]
"""Name, type and description."""


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    method: str
    path: str
    description: str
    parameters: list[tuple[str, str, str, str]]
    """Name, where it stands, type and description."""
    body: str
    """Name of the body's schema; empty where it takes none."""
    answer: str
    """Name of the answer's schema."""


@dataclass(frozen=True)
class ApiDocsPage(Page):
    """The API, from its OpenAPI description."""

    template = "api_docs/api_docs.html"
    operations: list[Operation]
    """Calls in the order of the description."""
    schemas: list[tuple[str, list[Field]]]
    """Bodies and answers: name and fields."""


def api_docs_page(described: dict[str, Any]) -> ApiDocsPage:
    """The page of an OpenAPI document."""
    calls = [(method, path, call) for path, calls in described["paths"].items() for method, call in calls.items()]
    return ApiDocsPage(
        title="API",
        nav="api",
        operations=[_operation(*call) for call in calls],
        schemas=[(name, _fields(schema)) for name, schema in described["components"]["schemas"].items()],
    )


def _operation(method: str, path: str, call: dict[str, Any]) -> Operation:
    return Operation(
        method=method.upper(),
        path=path,
        description=call.get("description", call["summary"]),
        parameters=[
            (one["name"], one["in"], type_name(one["schema"]), one.get("description", ""))
            for one in call.get("parameters", [])
        ],
        body=_content(call["requestBody"]) if "requestBody" in call else "",
        answer=_content(call["responses"]["200"]),
    )


def _content(of: dict[str, Any]) -> str:
    return type_name(of["content"]["application/json"]["schema"])


def _fields(schema: dict[str, Any]) -> list[Field]:
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
