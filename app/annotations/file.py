"""The file of annotations: JSON lines, one a version, category or saved view; written in one way only.

The same content is the same bytes: keys, order and spelling are fixed, so an export of an import is the file
itself, and a version control system shows what people changed. Nothing in it names a run or a row of the
database: a latent goes by the SHA-256 of its SAE's weights and its index.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

FORMAT = "dense-latents annotations"
NUMBER = 1
"""Of the format; a larger one is a newer version's."""
HEADER = {"format": FORMAT, "number": NUMBER}
# letters that a reader could take for the end of a line, or that change how the rest of it looks
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class CategoryLine:
    """A category of the team's own."""

    key: str
    title: str
    colour: str
    description: str
    archived: bool
    author: str
    changed: str


@dataclass(frozen=True)
class AnnotationLine:
    """One version of what is said about a latent or a pair."""

    sae_sha256: str
    index: int
    other: int | None
    """Of a pair the larger index."""
    version: int
    category: str | None
    verdict: str | None
    note: str
    author: str
    created: str
    restores: int | None

    @property
    def subject(self) -> tuple[str, int, int | None]:
        """What it is about."""
        return self.sae_sha256, self.index, self.other

    @property
    def about(self) -> str:
        """The same in words."""
        what = f"latent {self.index}" if self.other is None else f"pair {self.index}, {self.other}"
        return f"{what} of SAE {self.sae_sha256[:12]}…"

    @property
    def said(self) -> tuple[Any, ...]:
        """What makes it the same wherever it stands in a history."""
        return self.category, self.verdict, self.note, self.author, self.created


@dataclass(frozen=True)
class ViewLine:
    """A saved view."""

    name: str
    address: str
    author: str
    created: str


Line = CategoryLine | AnnotationLine | ViewLine
KINDS: dict[str, type[Line]] = {"category": CategoryLine, "annotation": AnnotationLine, "view": ViewLine}


def written(lines: Iterable[Line]) -> Iterator[str]:
    """The file, line by line."""
    yield _json(HEADER)
    for line in lines:
        yield _json({"kind": kind_of(line), **asdict(line)})


def kind_of(line: Line) -> str:
    """As it stands in the file."""
    return next(kind for kind, made in KINDS.items() if isinstance(line, made))


def _json(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSEEN.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text) + "\n"


def moment(when: datetime) -> str:
    """A time of the store, UTC, to the microsecond."""
    return when.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def of_moment(text: str) -> datetime:
    """As the store holds it: UTC without a zone.

    Raises:
        ValueError: it is not written as `moment` writes.
    """
    when = datetime.strptime(text, _MOMENT)
    if moment(when) != text:
        raise ValueError(text)
    return when
