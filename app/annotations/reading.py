"""Reading a file of annotations: every line is checked before any counts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from app.annotations.file import FORMAT, HEADER, KINDS, NUMBER, AnnotationLine, CategoryLine, Line, ViewLine, of_moment
from app.annotations.write import MAX_NOTE, plain_text
from app.categories.queries import COLOURS
from app.categories.write import MAX_DESCRIPTION, MAX_TITLE, RESERVED
from app.http.errors import BadFilter
from app.saved_views.write import view_address, view_name
from store.errors import StoreError
from store.vocabulary import VERDICTS

MAX_LINE = 200_000
"""Bytes; the longest note has 4,000 letters."""
_LARGEST = 2**31 - 1
_SHOWN = 80
_SURROGATE = re.compile("[\ud800-\udfff]")

Check = tuple[str, Callable[[Any], bool]]
"""What is expected, in words, and whether a value is that."""


class BadLineError(StoreError):
    """Why a file is refused: its name, the line, what was expected and what was found."""

    def __init__(self, path: object, line: int, expected: str, found: str) -> None:
        super().__init__(f"{path}, line {line}: expected {expected}; found {found}. Nothing was taken in")


@dataclass
class Content:
    """What a sound file holds, with the number of each line."""

    path: str
    categories: dict[str, tuple[int, CategoryLine]] = field(default_factory=dict)
    """By key."""
    annotations: dict[tuple[str, int, int | None], list[tuple[int, AnnotationLine]]] = field(default_factory=dict)
    """The whole history of each latent or pair."""
    views: dict[str, tuple[int, ViewLine]] = field(default_factory=dict)
    """By name."""


def read(path: Path) -> Content:
    """All of a file.

    Raises:
        BadLineError: the first line that is none of ours.
        StoreError: the file cannot be read.
    """
    content, number = Content(str(path)), 0
    for number, line in _lines(path):
        if number == 1:
            _check_header(path, _object(path, 1, line.removeprefix(b"\xef\xbb\xbf")))
        elif line.strip():
            _take(content, number, _line(path, number, _object(path, number, line)))
    if number == 0:
        raise BadLineError(path, 1, _header_words(), "an empty file")
    return content


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as handle:
            number = 0
            while line := handle.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise BadLineError(path, number, f"at most {MAX_LINE:,} bytes", "a longer line")
                yield number, line
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    expected = "one JSON object in UTF-8"
    try:
        found = json.loads(line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise BadLineError(path, number, expected, f"byte {line[error.start]:#04x} at {error.start}") from None
    except (ValueError, RecursionError) as error:
        raise BadLineError(path, number, expected, f"{shown(line.decode('utf-8').strip())} ({error})") from None
    if not isinstance(found, dict):
        raise BadLineError(path, number, expected, shown(found))
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands there twice")
    return made


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def shown(value: Any) -> str:
    """A value as a message may show it: short, and without letters that change the rest of the line."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    quoted = ascii(text) if not text.isprintable() else f"'{text}'"
    return quoted if len(quoted) <= _SHOWN else f"{quoted[:_SHOWN]}…"


def _header_words() -> str:
    return "the head of an export, " + json.dumps(HEADER, separators=(",", ":"))


def _check_header(path: Path, found: dict[str, Any]) -> None:
    newer = found.get("number")
    if found.get("format") == FORMAT and type(newer) is int and newer > NUMBER:
        raise BadLineError(path, 1, f"format {NUMBER} of {FORMAT}", f"format {newer}: a newer dense-latents wrote it")
    if found != HEADER:
        raise BadLineError(path, 1, _header_words(), shown(found))


def _line(path: Path, number: int, found: dict[str, Any]) -> Line:
    kind = found.get("kind")
    made = KINDS.get(kind) if isinstance(kind, str) else None
    if made is None:
        raise BadLineError(path, number, f"a kind of {', '.join(KINDS)}", shown(found.get("kind")))
    names = [one.name for one in fields(made)]
    values = {name: value for name, value in found.items() if name != "kind"}
    if set(values) != set(names):
        odd = sorted(set(values) ^ set(names))
        raise BadLineError(path, number, f"the names {', '.join(names)}", f"{shown(odd[0])} too few or too many")
    for name, (expected, sound) in CHECKS[made].items():
        value = values[name]
        if not sound(value):
            raise BadLineError(path, number, f"{name} to be {expected}", shown(value))
    return made(**values)


def _take(content: Content, number: int, line: Line) -> None:
    if isinstance(line, AnnotationLine):
        _take_version(content, number, line)
    elif isinstance(line, CategoryLine):
        _take_one(content, content.categories, line.key, number, line)
    else:
        _take_one(content, content.views, line.name, number, line)


OneLine = TypeVar("OneLine", CategoryLine, ViewLine)


def _take_one(content: Content, held: dict[str, tuple[int, OneLine]], name: str, number: int, line: OneLine) -> None:
    if name in held:
        raise BadLineError(content.path, number, "each name once", f"{shown(name)} of line {held[name][0]} again")
    held[name] = (number, line)


def _take_version(content: Content, number: int, line: AnnotationLine) -> None:
    history = content.annotations.setdefault(line.subject, [])
    if line.version != len(history) + 1:
        raise BadLineError(
            content.path, number, f"version {len(history) + 1} of {line.about}", f"version {line.version}"
        )
    if line.other is not None and line.other <= line.index:
        raise BadLineError(content.path, number, f"other to be larger than index {line.index}", str(line.other))
    if line.restores is not None and line.restores >= line.version:
        raise BadLineError(content.path, number, f"restores to be under version {line.version}", str(line.restores))
    history.append((number, line))


def _text(longest: int, shortest: int = 0) -> Check:
    words = f"text of {f'{shortest} to ' if shortest else 'at most '}{longest:,} letters, as it is stored: no control"
    words += " characters but line ends and tabs, no lone surrogates, no space at its ends"

    def sound(value: Any) -> bool:
        if not isinstance(value, str) or not shortest <= len(value) <= longest or _SURROGATE.search(value):
            return False
        return plain_text(value).strip() == value

    return words, sound


def _or_null(check: Check) -> Check:
    words, sound = check
    return f"null or {words}", lambda value: value is None or sound(value)


def _whole(lowest: int) -> Check:
    words = f"a whole number from {lowest} to {_LARGEST}"
    return words, lambda value: type(value) is int and lowest <= value <= _LARGEST


def _one_of(names: Collection[str]) -> Check:
    return f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names


def _accepted(words: str, make: Callable[[str], object]) -> Check:
    """What a function of the writers gives back unchanged, or at least takes."""

    def sound(value: Any) -> bool:
        try:
            made = isinstance(value, str) and make(value)
        except (BadFilter, ValueError):
            return False
        return made == value if isinstance(made, str) else made is not False

    return words, sound


_LINE = _text(80, 1)


def _past(text: str) -> datetime:
    """A time that was; clocks of other machines may be a day ahead."""
    when = of_moment(text)
    if when > datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1):
        raise ValueError(text)
    return when


_TIME = _accepted("a time that was, such as 2026-01-31T09:30:00.000000Z", _past)
_KEY: Check = (
    "1 to 60 letters, and no word of the machine's",
    lambda value: _text(60, 1)[1](value) and value not in RESERVED,
)
_FLAG: Check = ("true or false", lambda value: isinstance(value, bool))
_DIGITS: Check = (
    "64 digits 0-9 a-f",
    lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
)
CHECKS = cast(
    dict[type[Line], dict[str, Check]],
    {
        CategoryLine: {
            "key": _KEY,
            "title": _text(MAX_TITLE, 1),
            "colour": _one_of(COLOURS),
            "description": _text(MAX_DESCRIPTION),
            "archived": _FLAG,
            "author": _LINE,
            "changed": _TIME,
        },
        AnnotationLine: {
            "sae_sha256": _DIGITS,
            "index": _whole(0),
            "other": _or_null(_whole(1)),
            "version": _whole(1),
            "category": _or_null(_text(60, 1)),
            "verdict": _or_null(_one_of(VERDICTS)),
            "note": _text(MAX_NOTE),
            "author": _LINE,
            "created": _TIME,
            "restores": _or_null(_whole(0)),
        },
        ViewLine: {
            "name": _accepted("a view's name of 1 to 80 letters", view_name),
            "address": _accepted("a path on this server, such as /latents?dense=any", view_address),
            "author": _LINE,
            "created": _TIME,
        },
    },
)
"""Of every field."""
