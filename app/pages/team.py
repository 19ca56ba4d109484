"""What people write."""

from __future__ import annotations

from dataclasses import dataclass

from app.compose.annotation import AnnotationPanel
from app.pages.base import Page


@dataclass(frozen=True)
class AnnotationPart(Page):
    """The panel alone, put in its place by a script."""

    template = "annotations/part.html"
    annotation: AnnotationPanel
    """The panel."""


@dataclass(frozen=True)
class AnnotationPage(Page):
    """The panel as a page: where a save was refused, and no script is there."""

    template = "annotations/annotation.html"
    annotation: AnnotationPanel
    """The panel."""
