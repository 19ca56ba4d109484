"""Saved views."""

from __future__ import annotations

from dataclasses import dataclass

from app.pages.base import Page
from app.queries.views import ViewInfo


@dataclass(frozen=True)
class ViewsPage(Page):
    """All saved views."""

    template = "views/views.html"
    views: list[ViewInfo]
    """Newest first."""
