"""Addresses: of a noun's page, with filters in the query string, and what a link to one becomes in a page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from markupsafe import Markup, escape

from app.shared.language import PARAMETER, kept

_NEURONPEDIA = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


class Pin(NamedTuple):
    """What of the store is asked for, where it is not the newest: one run, or a suite. A run goes before a suite."""

    run: int | None = None
    suite: str | None = None

    @property
    def query(self) -> str:
        """The query string that keeps it: "run=3"; empty where nothing is pinned."""
        if self.run is not None:
            return f"run={self.run}"
        return "" if self.suite is None else f"suite={self.suite}"


UNPINNED = Pin()


def link(path: str, query: Mapping[str, Any], pin: str = "") -> str:
    """`path` with the values that are set, and what is pinned."""
    query = {**query, **dict([pin.split("=", 1)])} if pin else query
    kept = {name: _text(value) for name, value in query.items() if value is not None and value != ""}
    return f"{path}?{urlencode(kept)}" if kept else path


def at(address: str, pin: str = "") -> str:
    """`address` with what is pinned; a fragment stays last."""
    path, sign, fragment = address.partition("#")
    return path + ("&" if "?" in path else "?") * bool(pin) + pin + sign + fragment


def in_language(address: str) -> str:
    """`address`, saying the language of the page it stands on where that page's own says it; the API has none."""
    keep = kept()
    if not keep or not address.startswith("/") or address.startswith(("//", "/api/")) or f"{PARAMETER}=" in address:
        return address
    return at(address, keep)


def sae_at(slug: str) -> str:
    """An SAE's page."""
    return f"/saes/{slug}"


def latent_name(layer: int, index: int) -> str:
    """What a latent is called everywhere: L15/1024."""
    return f"L{layer}/{index}"


def latent_at(slug: str, index: int) -> str:
    """A latent's page."""
    return f"/saes/{slug}/latents/{index}"


def pair_at(slug: str, positive: int, negative: int) -> str:
    """A pair's page."""
    return f"/saes/{slug}/pairs/{positive}/{negative}"


Later = Callable[[str], str]
"""Name of a part of a page -> the address at which it comes when it is asked for; empty where it stands on the page."""


WHOLE = "all"
"""The part that is the whole page, with nothing to come."""


def parts_at(page: str, pin: str) -> Later:
    """Addresses of the parts of a page."""
    return lambda name: at(f"{page}/parts/{name}", pin)


def nowhere(_name: str) -> str:
    """No part comes later."""
    return ""


class Links:
    """Where what a page refers to is found from it: on the server, under its own address.

    Everything a template leads to or loads goes through one of these, so that pages can be rendered for another
    place, such as files on a disk.
    """

    site = False
    """Whether the page stands on a disk: what asks the server is left out then."""

    def __init__(self, static_url: Callable[[str], str]) -> None:
        self.static_url = static_url

    def where(self, address: str) -> str | None:
        """Where an address of ours is found; None: nowhere."""
        return in_language(address)

    def to(self, address: str, pin: str = "", name: str = "href") -> Markup:
        """The attribute of a link to `address`, run kept; none where it leads nowhere, and the link is plain text."""
        found = self.where(at(address, pin) if pin else address)
        return Markup("") if found is None else Markup(f'{name}="{escape(found)}"')  # a page has a hundred

    def module(self, name: str) -> Markup:
        """The element that loads a script of ours."""
        return Markup('<script type="module" src="{}"></script>').format(self.static_url(name))

    def packed(self, html: str) -> str:
        """What a page holds below its head, in as few bytes as its place asks for."""
        return html

    def figure(self, spec: dict[str, Any]) -> dict[str, Any]:
        """A plot whose dots lead somewhere: the first of their `customdata` is an address."""
        return spec


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def neuronpedia(name: str | None, index: int | None = None) -> str:
    """The page of an SAE there, or of one of its latents; empty where `name` is none of theirs, MODEL/SAE."""
    if not name or len(name) > 200 or not _NEURONPEDIA.fullmatch(name):
        return ""
    return f"https://www.neuronpedia.org/{name}" + ("" if index is None else f"/{index}")


def is_local(address: str) -> bool:
    """Whether a browser stays on this server: one slash first, nothing that it drops or reads as a slash."""
    if not address.startswith("/") or address.startswith("//") or "\\" in address:
        return False
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in address):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc
