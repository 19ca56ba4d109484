"""The file of annotations: JSON lines, one a version, category or saved view; written in one way only.

The same content is the same bytes: keys, order and spelling are fixed, so an export of an import is the file
itself, and a version control system shows what people changed. Nothing in it names a run or a row of the
database: a latent goes by the SHA-256 of its SAE's weights and its index.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, PlainSerializer, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.annotations.write import MAX_NOTE
from app.categories.queries import COLOURS
from app.categories.write import MAX_DESCRIPTION, MAX_TITLE, RESERVED
from app.http.errors import BadFilter
from app.saved_views.write import view_address, view_name
from app.shared.people import plain_text
from store.tables import Annotation, Base, Category, SavedView
from store.tables.team import ALONE
from store.vocabulary import VERDICTS

FORMAT = "dense-latents annotations"
NUMBER = 1
"""Of the format; a larger one is a newer version's."""
HEADER = {"format": FORMAT, "number": NUMBER}
# letters that a reader could take for the end of a line, or that change how the rest of it looks
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_BATCH = 1_000


@dataclass(frozen=True)
class Expected:
    """What a field must be, in words for the message that it is not, and whether a value is."""

    words: str
    sound: Callable[[Any], object]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type and this, with one message for both."""
        return core_schema.no_info_wrap_validator_function(self._checked, handler(source))

    def _checked(self, value: Any, typed: Callable[[Any], Any]) -> Any:
        try:
            made = typed(value)
            sound = self.sound(made)
        except ValidationError:
            sound = False
        if not sound:
            raise PydanticCustomError("expected", "{words}", {"words": self.words})
        return made

    @property
    def or_null(self) -> Expected:
        """This, or null."""
        return Expected(f"null or {self.words}", lambda value: value is None or self.sound(value))


def _text(longest: int, shortest: int = 0) -> Expected:
    words = f"text of {f'{shortest} to ' if shortest else 'at most '}{longest:,} letters, as it is stored: no control"
    words += " characters but line ends and tabs, no lone surrogates, no space at its ends"
    return Expected(words, lambda text: shortest <= len(text) <= longest and plain_text(text).strip() == text)


def _whole(lowest: int) -> Expected:
    return Expected(f"a whole number from {lowest} to {2**31 - 1}", lambda value: lowest <= value < 2**31)


def _made(words: str, make: Callable[[str], object]) -> Expected:
    """What a function of the writers gives back unchanged."""

    def sound(value: str) -> bool:
        try:
            return make(value) == value
        except (BadFilter, ValueError):
            return False

    return Expected(words, sound)


def _moment(value: Any) -> datetime:
    """As the store holds it, UTC without a zone; clocks of other machines may be a day ahead."""
    when = datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S.%fZ")
    if _stamp(when) != value or when > datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1):
        raise ValueError(value)
    return when


def _stamp(when: datetime) -> str:
    return when.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


_DIGITS = Expected("64 digits 0-9 a-f", lambda text: re.fullmatch("[0-9a-f]{64}", text))
_KEY = Expected(
    "1 to 60 letters, and no word of the machine's", lambda key: _text(60, 1).sound(key) and key not in RESERVED
)
_COLOUR = Expected(f"one of {', '.join(COLOURS)}", COLOURS.__contains__)
_VERDICT = Expected(f"one of {', '.join(VERDICTS)}", VERDICTS.__contains__)
_FLAG = Expected("true or false", lambda _value: True)
_TIME = Expected("a time that was, such as 2026-01-31T09:30:00.000000Z", lambda _value: True)
Time = Annotated[datetime, BeforeValidator(_moment), PlainSerializer(_stamp, when_used="json"), _TIME]
Author = Annotated[str, _text(80, 1)]


class Line(BaseModel):
    """What a line of the file holds."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CategoryLine(Line):
    """A category of the team's own."""

    kind: Literal["category"] = "category"
    key: Annotated[str, _KEY]
    title: Annotated[str, _text(MAX_TITLE, 1)]
    colour: Annotated[str, _COLOUR]
    description: Annotated[str, _text(MAX_DESCRIPTION)]
    archived: Annotated[bool, _FLAG]
    author: Author
    changed: Time

    @property
    def name(self) -> str:
        """What no two have."""
        return self.key


class AnnotationLine(Line):
    """One version of what is said about a latent or a pair."""

    kind: Literal["annotation"] = "annotation"
    sae_sha256: Annotated[str, _DIGITS]
    index: Annotated[int, _whole(0)]
    other: Annotated[int | None, _whole(1).or_null]
    """Of a pair the larger index."""
    version: Annotated[int, _whole(1)]
    category: Annotated[str | None, _text(60, 1).or_null]
    verdict: Annotated[str | None, _VERDICT.or_null]
    note: Annotated[str, _text(MAX_NOTE)]
    author: Author
    created: Time
    restores: Annotated[int | None, _whole(0).or_null]

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
    def content(self) -> tuple[Any, ...]:
        """What makes it the same wherever it stands in a history."""
        return self.category, self.verdict, self.note, self.author, self.created


class ViewLine(Line):
    """A saved view."""

    kind: Literal["view"] = "view"
    name: Annotated[str, _made("a view's name of 1 to 80 letters", view_name)]
    address: Annotated[str, _made("a path on this server, such as /latents?dense=any", view_address)]
    author: Author
    created: Time


AnyLine = CategoryLine | AnnotationLine | ViewLine
KINDS: dict[str, type[AnyLine]] = {"category": CategoryLine, "annotation": AnnotationLine, "view": ViewLine}
L = TypeVar("L", CategoryLine, AnnotationLine, ViewLine)


def written(lines: Iterable[Line]) -> Iterator[str]:
    """The file, line by line."""
    yield _json(HEADER)
    for line in lines:
        yield _json(line.model_dump(mode="json"))


def _json(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSEEN.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text) + "\n"


def annotation_lines(session: Session) -> Iterator[AnyLine]:
    """All that people wrote: categories by key, versions by SAE, latent and number, views by name; all of one state
    of the store."""
    hold_still(session)
    yield from sorted(stored(CategoryLine, session.scalars(select(Category))), key=lambda line: line.key)
    order = (Annotation.sae_sha256, Annotation.index, Annotation.other, Annotation.version)
    rows = session.scalars(select(Annotation).order_by(*order).execution_options(yield_per=_BATCH))
    yield from stored(AnnotationLine, rows)
    yield from sorted(stored(ViewLine, session.scalars(select(SavedView))), key=lambda line: line.name)


def stored(kind: type[L], rows: Iterable[Base]) -> Iterator[L]:
    """Rows as lines. They are not checked: whatever the store holds can be taken out of it."""
    for row in rows:
        values = {name: getattr(row, name) for name in kind.model_fields if name != "kind"}
        if values.get("other") == ALONE:
            values["other"] = None
        yield kind.model_construct(**values)


def hold_still(session: Session) -> None:
    """What follows in this session is of one state; SQLite's transactions are so by themselves."""
    session.rollback()
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
