"""Saved views."""

from __future__ import annotations

from dataclasses import dataclass

from app.saved_views.queries import ViewInfo
from app.shared.page import Page


@dataclass(frozen=True)
class ViewsPage(Page):
    """All saved views."""

    template = "saved_views/saved_views.html"
    views: list[ViewInfo]
    """Newest first."""
