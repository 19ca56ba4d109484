"""The way in and out."""

from __future__ import annotations

from dataclasses import dataclass

from app.shared.page import Page


@dataclass(frozen=True)
class LoginPage(Page):
    """The form for the team's token, or the one to leave."""

    template = "login.html"
    next_page: str
    """Where to go once in: an address of this server."""
    problem: str
    """Why the last try failed; empty where there was none."""
    leaving: bool
    """Whether this is the form to leave."""
