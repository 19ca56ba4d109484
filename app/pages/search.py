"""Search."""

from __future__ import annotations

from dataclasses import dataclass

from app.pages.base import Page
from app.parts import FoundGroup
from app.queries.runs import RunInfo
from app.queries.saes import SaeInfo


@dataclass(frozen=True)
class SearchPage(Page):
    """What was found in tokens, contexts, notes and categories."""

    template = "search/search.html"
    run: RunInfo
    """The run whose tokens and contexts are searched."""
    saes: list[SaeInfo]
    """Its SAEs."""
    q: str
    """What was typed."""
    kind: str
    """The only kind asked for, or empty."""
    sae: str
    """The only SAE asked for, or empty."""
    kinds: list[tuple[str, str]]
    """All kinds with their headings."""
    asked: bool
    """Whether there is anything to search for in what was typed."""
    groups: list[FoundGroup]
    """Hits by kind; kinds without any are left out."""
    browse: str
    """The list of latents with the same part of a top token."""
    everything: str
    """The same search in all kinds, where one was asked for."""
    first: str
    """Address of the first hits, where these are later ones."""
