"""What the numbers mean, and how to ask for them."""

from __future__ import annotations

from dataclasses import dataclass

from app.pages.base import Page
from app.parts import Operation
from app.queries.statistics import Term


@dataclass(frozen=True)
class MethodsPage(Page):
    """What each value means."""

    template = "methods/methods.html"
    groups: list[tuple[str, list[Term]]]
    """Statistics of latents, pairs and SAEs."""
    grades: dict[str, str]
    """What P, R and O mean."""
    cuts: list[tuple[str, str]]
    """Cuts of the run's classes: name, value."""


@dataclass(frozen=True)
class ApiDocsPage(Page):
    """The API, from its OpenAPI description."""

    template = "api/docs.html"
    operations: list[Operation]
    """Calls in the order of the description."""
    schemas: list[tuple[str, list[tuple[str, str, str]]]]
    """Answers: name, then each field's name, type and description."""
