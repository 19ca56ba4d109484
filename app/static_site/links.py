"""Which page of the server is which file of the site, and what an address becomes in one of them."""

from __future__ import annotations

import base64
import posixpath
import re
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from markupsafe import Markup

from app.latents.filters import RunList
from app.shared.links import Links

BROWSE, SEARCH, ANNOTATIONS = "latents.html", "search.html", "annotations.html"
BUNDLE = "static/bundle.js"
FILTERS = {field.alias or name for name, field in RunList.model_fields.items()} - {"cursor", "limit", "changed"}
"""Filters that the list of a site knows too."""
UNDERSTOOD = {BROWSE: FILTERS, SEARCH: {"q"}}
"""What a file makes of a query."""
_UNSAFE = re.compile(r"[^a-z0-9._]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # no file of Windows may be called so
_LONGEST = 80


def folder_names(slugs: Iterable[str]) -> dict[str, str]:
    """A folder for each SAE: lower-case letters, digits, dots, dashes; none twice, whatever the file system."""
    made: dict[str, str] = {}
    for slug in slugs:
        name = _UNSAFE.sub("-", slug.lower())[:_LONGEST].strip("-._") or "sae"
        name = f"sae-{name}" if _RESERVED.fullmatch(name) else name
        number, full = 1, name
        while full in made.values():
            number += 1
            full = f"{name}-{number}"
        made[slug] = full
    return made


class SiteLinks(Links):
    """Addresses as they are from one file of a site to another. Only what is in `files` can be linked to.

    Args:
        run: the site's run; links to another one lead nowhere.
        files: path on the server, decoded -> file of the site.
        packed: whether what stands below a page's head is compressed.
    """

    site = True

    def __init__(self, run: int, files: Mapping[str, str], packed: bool = True) -> None:
        self.run, self.files, self.packs = str(run), files, packed
        self.here = "index.html"
        """The file being made."""
        self.assets: set[str] = set()
        """Files of the static folder that the pages made so far load,"""
        self.modules: set[str] = set()
        """and the modules."""
        self._file = lru_cache(100_000)(self.file)

    def where(self, address: str) -> str | None:
        """A relative address; other sites' and those within the page stay as they are."""
        if not address or address.startswith(("#", "https://", "http://")):
            return address
        found = self._file(address)
        return None if found is None else self._relative(found)

    def file(self, address: str) -> str | None:
        """File, query and fragment that an address becomes, from the site's root; None: there is no such page, or the
        query asks it for what it cannot show."""
        if address.startswith("//"):
            return None
        parts = urlsplit(address)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        own = query.pop("run", self.run) == self.run
        found = self.files.get(unquote(parts.path))
        if found is None or not own or not set(query) <= UNDERSTOOD.get(found, set()):
            return None
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return found + asked + (f"#{parts.fragment}" if parts.fragment else "")

    def static_url(self, name: str) -> str:
        """A file of the static folder, which is then part of the site."""
        self.assets.add(name)
        return self._relative(f"static/{name}")

    def module(self, name: str) -> Markup:
        """Browsers load no module from a disk: a classic script holds all of them, and runs those it is asked for."""
        self.modules.add(name)
        made = '<script defer src="{}" data-modules="{}"></script>'
        return Markup(made).format(self._relative(BUNDLE), name)

    def packed(self, html: str) -> str:
        """Compressed, as letters: `unpack.js` puts it in its place. Without a script a page has its head."""
        if not self.packs:
            return html
        made = base64.b64encode(zlib.compress(html.encode("utf-8", "replace"), 9)).decode()
        words = "The rest of this page is packed to save room, and needs JavaScript."
        script = f'<script type="text/plain">{made}</script><noscript><p class="note">{words}</p></noscript>'
        return Markup(f"<div data-packed>{script}</div>")  # letters, digits, and words of ours

    def figure(self, spec: dict[str, Any]) -> dict[str, Any]:
        """A plot whose dots lead to files."""
        return {**spec, "data": [self._trace(trace) for trace in spec["data"]]}

    def _trace(self, trace: dict[str, Any]) -> dict[str, Any]:
        rows = trace.get("customdata")
        return {**trace, "customdata": [self._dot(row) for row in rows]} if isinstance(rows, list) else trace

    def _dot(self, row: Any) -> Any:
        first = row[0] if isinstance(row, list) and row else row
        if not (isinstance(first, str) and first.startswith("/")):
            return row
        found = self.where(first)
        held = None if found is None else f"./{found}"  # never taken for a word
        return [held, *row[1:]] if isinstance(row, list) else held

    def _relative(self, file: str) -> str:
        end = re.search(r"[?#]|$", file).start()  # type: ignore[union-attr]
        return posixpath.relpath(file[:end], posixpath.dirname(self.here) or ".") + file[end:]
