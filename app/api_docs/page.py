"""..."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.shared.page import Page


@dataclass(frozen=True)
class ApiDocsPage(Page):
    """The API, from its OpenAPI description."""

    template = "api/docs.html"
    operations: list[Operation]
    """Calls in the order of the description."""
    schemas: list[tuple[str, list[tuple[str, str, str]]]]
    """Answers: name, then each field's name, type and description."""


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    path: str
    summary: str
    description: str
    parameters: list[dict[str, Any]]
    answer: str
    """Name of the answer's schema."""
