"""What can go wrong with a site."""

from __future__ import annotations

from app.http.errors import ServeError


class SiteError(ServeError):
    """The site cannot be made; one line says why, and nothing was changed."""
