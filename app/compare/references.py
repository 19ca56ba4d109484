"""Latents as an address names them: SLUG:INDEX, or SLUG:INDEX@RUN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from app.http.errors import BadFilter
from app.shared.language import _

MOST = 4


LETTERS = "abcd"
LARGEST = 2**31 - 1
_REFERENCE = re.compile(r"(?P<slug>[^\x00-\x20\x7f]{1,200}):(?P<index>\d{1,10})(?:@(?P<run>\d{1,10}))?", re.ASCII)
_CHOSEN = re.compile(r"(?P<slug>[^\x00-\x20\x7f]{1,200}?)(?:@(?P<run>\d{1,10}))?", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """One latent, in the newest run that holds it or in one that is named."""

    slug: str
    index: int
    run: int | None = None

    def __str__(self) -> str:
        return f"{self.slug}:{self.index}" + ("" if self.run is None else f"@{self.run}")


def reference_of(text: str, name: str = "latent") -> Reference:
    """What `text` names.

    Raises:
        BadFilter: it names nothing; says how to write it.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise BadFilter(
            _(
                "%(name)s '%(text)s' names no latent; write SLUG:INDEX or SLUG:INDEX@RUN, as model/l15:1024.",
                name=name,
                text=text[:80],
            )
        )
    return Reference(match["slug"], _small(match["index"], name), _small(match["run"], name) if match["run"] else None)


def chosen(sae: str, index: str) -> Reference:
    """What the form names: an SAE, perhaps with a run, and an index.

    Raises:
        BadFilter: one of the two is missing, or is no such thing.
    """
    match = _CHOSEN.fullmatch(sae)
    if match is None:
        raise BadFilter(_("sae '%(sae)s' is no name of an SAE.", sae=sae[:80]))
    if not re.fullmatch(r"\d{1,10}", index.strip(), re.ASCII):
        raise BadFilter(
            _(
                "index '%(index)s' is no number; give the index of a latent of %(slug)s, from 0.",
                index=index[:20],
                slug=match["slug"],
            )
        )
    run = _small(match["run"], "sae") if match["run"] else None
    return Reference(match["slug"], _small(index.strip(), "index"), run)


def _small(digits: str, name: str) -> int:
    if int(digits) > LARGEST:
        raise BadFilter(_("%(name)s: %(digits)s is larger than any index or run.", name=name, digits=digits))
    return int(digits)


def address(references: list[Reference], pin: str = "") -> str:
    """Where these are compared."""
    pairs = zip(LETTERS, references, strict=False)
    parts = [f"{letter}={quote(str(one), safe='/:@')}" for letter, one in pairs]
    return "/compare" + ("?" if parts or pin else "") + "&".join([*parts, *([pin] if pin else [])])
