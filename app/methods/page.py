"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass

from app.methods.queries import Term
from app.shared.page import Page


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
