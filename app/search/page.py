"""The search page: what was asked, and what was found, with an address for each hit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.http.errors import BadFilter, NothingAnalysed
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.search import queries as search
from app.search.queries import DEEPEST, KINDS, Group, Scope
from app.search.terms import parse
from app.shared.language import _
from app.shared.links import UNPINNED, Pin, latent_at, link
from app.shared.page import RunPage


@dataclass(frozen=True)
class SearchPage(RunPage):
    """What was found in tokens, contexts, notes and categories."""

    template = "search/search.html"
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
    named: list[tuple[SaeInfo, int]]
    """Latents that go by what was typed: L15/591, 15:591, or 591 of each SAE."""
    asked: bool
    """Whether there is anything to search for in what was typed."""
    groups: list[Group]
    """Hits by kind; kinds without any are left out."""
    all_of: dict[str, str]
    """By kind: the address of all hits, where only the first are shown."""
    after: str
    """Address of the hits that follow, where one kind was asked for."""
    browse: str
    """The list of latents with the same part of a top token."""
    everything: str
    """The same search in all kinds, where one was asked for."""
    first: str
    """Address of the first hits, where these are later ones."""


LIMIT, PREVIEW = 50, 6
"""Hits of a kind shown where only it is asked for, and where all are."""
MAX_LIMIT = 100
_NAME = re.compile(r"(?:[Ll]?(?P<layer>[0-9]{1,3})[/:])?(?P<index>[0-9]{1,9})")


@dataclass(frozen=True)
class Asked:
    """What is searched for, and where."""

    q: str = ""
    kind: str = ""
    """One of KINDS; empty: all."""
    sae: str = ""
    """Slug of one SAE; empty: all of the run."""
    pin: Pin = UNPINNED
    offset: int = 0
    limit: int = PREVIEW


def asked(q: str, kind: str, sae: str, pin: Pin, cursor: str, limit: int | None) -> Asked:
    """What an address asks for.

    Raises:
        BadFilter: an unknown kind, or a cursor that is none of ours or belongs to no kind.
    """
    if kind and kind not in KINDS:
        raise BadFilter(_("unknown kind '%(kind)s'; choose one of %(kinds)s", kind=kind[:60], kinds=", ".join(KINDS)))
    if "\0" in sae:
        raise BadFilter(_("sae holds a NUL character; no slug does"))
    if cursor and not (kind and cursor.isascii() and cursor.isdecimal() and int(cursor) <= DEEPEST):
        raise BadFilter(
            _(
                "cursor '%(cursor)s' is none of this search's; leave it out to start at the first hit",
                cursor=cursor[:60],
            )
        )
    return Asked(q, kind, sae, pin, int(cursor or 0), limit or (LIMIT if kind else PREVIEW))


def find(session: Session, wanted: Asked) -> tuple[RunInfo | None, list[Group]]:
    """The run searched, and the hits by kind; no groups where nothing is asked or analysed.

    Raises:
        BadFilter: more words than are searched for at once.
        NotFound: no such run or SAE.
    """
    terms = parse(wanted.q)
    if wanted.sae:
        run: RunInfo | None = runs.run_of_sae(session, wanted.sae, wanted.pin)
    else:
        run = runs.find_run(session, wanted.pin)
    if run is None:
        return None, []
    held = [saes.find_sae(session, run, wanted.sae)] if wanted.sae else saes.list_saes(session, run)
    scope = Scope(held, everywhere=wanted.pin == UNPINNED and not wanted.sae)
    kinds = [wanted.kind] if wanted.kind else list(KINDS)
    return run, search.search(session, scope, terms, kinds, wanted.offset, wanted.limit)


def named(session: Session, wanted: Asked, run: RunInfo) -> list[tuple[SaeInfo, int]]:
    """Latents of the run that go by what was typed."""
    match = _NAME.fullmatch(wanted.q.strip())
    if match is None:
        return []
    index, layer = int(match["index"]), match["layer"]
    found = [sae for sae in saes.list_saes(session, run) if wanted.sae in {"", sae.slug} and index < sae.n_latents]
    return [(sae, index) for sae in found if layer is None or sae.layer == int(layer)]


def only_named(session: Session, wanted: Asked) -> str:
    """Where a name with its layer leads that one latent alone has; empty for all else that is typed."""
    run = runs.find_run(session, wanted.pin) if "/" in wanted.q or ":" in wanted.q else None
    found = named(session, wanted, run) if run else []
    return latent_at(found[0][0].slug, found[0][1]) if len(found) == 1 else ""


def search_page(session: Session, wanted: Asked) -> SearchPage:
    """The page.

    Raises:
        NothingAnalysed: there is no run to search.
    """
    run, groups = find(session, wanted)
    if run is None:
        raise NothingAnalysed
    return SearchPage(
        title=_("Search"),
        nav="search",
        run=run,
        saes=saes.list_saes(session, run),
        q=wanted.q,
        kind=wanted.kind,
        sae=wanted.sae,
        kinds=list(KINDS.items()),
        named=named(session, wanted, run),
        asked=bool(parse(wanted.q)),
        groups=[group for group in groups if group.hits],
        all_of={} if wanted.kind else {group.kind: _more(wanted, group) for group in groups if group.next},
        after=_more(wanted, groups[0]) if wanted.kind and groups and groups[0].next else "",
        browse=link("/latents", {"q": wanted.q.strip(' "*'), "sae": wanted.sae, "dense": "any"}),
        everything=link("/search", {"q": wanted.q, "sae": wanted.sae}) if wanted.kind else "",
        first=link("/search", _query(wanted, wanted.kind)) if wanted.offset else "",
    )


def _more(wanted: Asked, group: Group) -> str:
    """All hits of a kind; where it alone was asked for, those that follow."""
    return link("/search", _query(wanted, group.kind) | {"cursor": group.next if wanted.kind else None})


def _query(wanted: Asked, kind: str) -> dict[str, object]:
    limit = None if not wanted.kind or wanted.limit == LIMIT else wanted.limit
    return {"q": wanted.q, "kind": kind, "sae": wanted.sae, "limit": limit}
