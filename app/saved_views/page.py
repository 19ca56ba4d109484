"""Saved views."""

from __future__ import annotations

from dataclasses import dataclass

from app.saved_views.queries import ViewInfo
from app.shared.page import Page


@dataclass(frozen=True)
class ViewsPage(Page):
    """All saved views."""

    template = "views/views.html"
    views: list[ViewInfo]
    """Newest first."""
