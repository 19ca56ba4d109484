"""Addresses with filters in the query string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

_NEURONPEDIA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


def pin_of(run: int | None) -> str:
    """The query string that keeps a pinned run; empty where none is."""
    return "" if run is None else f"run={run}"


def link(path: str, query: Mapping[str, Any], pin: str = "") -> str:
    """`path` with the values that are set, and the pinned run's."""
    query = {**query, "run": pin.partition("=")[2]} if pin else query
    kept = {name: _text(value) for name, value in query.items() if value is not None and value != ""}
    return f"{path}?{urlencode(kept)}" if kept else path


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def neuronpedia(name: str | None, index: int | None = None) -> str:
    """The page of an SAE there, or of one of its latents; empty where `name` is none of theirs, MODEL/SAE."""
    if not name or len(name) > 200 or not _NEURONPEDIA.fullmatch(name):
        return ""
    return f"https://www.neuronpedia.org/{name}" + ("" if index is None else f"/{index}")
