"""Which page of the server is which file of the site, and what an address becomes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

BROWSE, SEARCH, ANNOTATIONS = "latents.html", "search.html", "annotations.html"
FILTERS = {
    *("sae", "layer", "dense", "min_density", "max_density", "min_antipodality", "max_antipodality", "pair"),
    *("duplicate", "borderline", "detail", "class", "alone", "label", "verdict", "category", "human", "note"),
    *("annotated", "q", "sort", "order"),
}
"""Filters that the list of a site knows too."""
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


@dataclass
class Places:
    """Files of a site by the path of their page. Only what is in here can be linked to.

    Args:
        run: the site's run; links to another one lead nowhere.
        files: path on the server, decoded -> file of the site.
    """

    run: int
    files: dict[str, str] = field(default_factory=dict)

    def add(self, path: str, file: str) -> None:
        """A page that has a file."""
        self.files[path] = file

    def file_of(self, address: str) -> str | None:
        """File, query and fragment that an address of the server becomes, from the site's root; None: there is none."""
        parts = urlsplit(address)
        path, query = unquote(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True))
        if query.pop("run", str(self.run)) != str(self.run):
            return None
        file = self.files.get(path)
        kept = None if file is None else _kept(file, query)
        return None if file is None or kept is None else _joined(file, kept, parts)

    def link(self, address: str, here: str) -> str | None:
        """The same as a relative address from the file `here`; addresses within a page stay as they are."""
        if address.startswith("#") or not address:
            return address
        found = self.file_of(address) if address.startswith("/") and not address.startswith("//") else None
        return None if found is None else relative(found, here)


def relative(file: str, here: str) -> str:
    """From one file of the site to another; a fragment or query may follow."""
    path, sign, rest = _cut(file)
    return posixpath.relpath(path, posixpath.dirname(here) or ".") + sign + rest


def _cut(file: str) -> tuple[str, str, str]:
    place = min((at for at in (file.find("?"), file.find("#")) if at >= 0), default=len(file))
    return file[:place], file[place : place + 1], file[place + 1 :]


def _kept(file: str, query: dict[str, str]) -> dict[str, str] | None:
    """What of a query the file understands; None where it would show something else than was meant."""
    if file == BROWSE:
        return query if set(query) <= FILTERS else None
    if file == SEARCH:
        return query if set(query) <= {"q"} else None
    return query if not query else None


def _joined(file: str, query: dict[str, str], parts: SplitResult) -> str:
    asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
    return file + asked + (f"#{parts.fragment}" if parts.fragment else "")
