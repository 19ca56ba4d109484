"""Reading a file of annotations: every line is checked before any counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from app.annotations.file import (
    FORMAT,
    HEADER,
    KINDS,
    NUMBER,
    AnnotationLine,
    AnyLine,
    CategoryLine,
    ViewLine,
)
from app.shared.language import _
from store.errors import StoreError

MAX_LINE = 200_000
"""Bytes; the longest note has 4,000 letters."""
_SHOWN = 80


LINE: TypeAdapter[AnyLine] = TypeAdapter(Annotated[AnyLine, Field(discriminator="kind")])


class BadLineError(StoreError):
    """Why a file is refused: its name, the line, what was expected and what was found."""

    def __init__(self, path: object, line: int, expected: str, found: str) -> None:
        super().__init__(
            _(
                "%(path)s, line %(line)s: expected %(expected)s; found %(value)s. Nothing was taken in",
                path=path,
                line=line,
                expected=expected,
                value=found,
            )
        )


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


def content_of(name: str, lines: Iterable[AnyLine]) -> Content:
    """What another store holds.

    Args:
        name: of that store, for messages.
        lines: as `file.annotation_lines` gives them.
    """
    content = Content(name)
    for number, line in enumerate(lines, start=1):
        if isinstance(line, CategoryLine):
            content.categories[line.key] = number, line
        elif isinstance(line, ViewLine):
            content.views[line.name] = number, line
        else:
            content.annotations.setdefault(line.subject, []).append((number, line))
    return content


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
        raise BadLineError(path, 1, _header_words(), _("an empty file"))
    return content


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as handle:
            number = 0
            while line := handle.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise BadLineError(
                        path, number, _("at most %(max_line)s bytes", max_line=f"{MAX_LINE:,}"), _("a longer line")
                    )
                yield number, line
    except OSError as error:
        raise StoreError(_("%(path)s cannot be read: %(error)s", path=path, error=error.strerror or error)) from error


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    expected = _("one JSON object in UTF-8")
    try:
        found = json.loads(line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise BadLineError(
            path,
            number,
            expected,
            _("byte %(start)s at %(start2)s", start=f"{line[error.start]:#04x}", start2=error.start),
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadLineError(path, number, expected, f"{shown(line.decode('utf-8').strip())} ({error})") from None
    if not isinstance(found, dict):
        raise BadLineError(path, number, expected, shown(found))
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(_("a name stands there twice"))
    return made


def _refuse(text: str) -> NoReturn:
    raise ValueError(_("%(text)s is no number of JSON", text=text))


def shown(value: Any) -> str:
    """A value as a message may show it: short, and without letters that change the rest of the line."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    quoted = ascii(text) if not text.isprintable() else f"'{text}'"
    return quoted if len(quoted) <= _SHOWN else f"{quoted[:_SHOWN]}…"


def _header_words() -> str:
    return _("the head of an export, ") + json.dumps(HEADER, separators=(",", ":"))


def _check_header(path: Path, found: dict[str, Any]) -> None:
    newer = found.get("number")
    if found.get("format") == FORMAT and type(newer) is int and newer > NUMBER:
        raise BadLineError(
            path,
            1,
            _("format %(number)s of %(format)s", number=NUMBER, format=FORMAT),
            _("format %(newer)s: a newer dense-latents wrote it", newer=newer),
        )
    if found != HEADER:
        raise BadLineError(path, 1, _header_words(), shown(found))


def _line(path: Path, number: int, found: dict[str, Any]) -> AnyLine:
    try:
        return LINE.validate_python(found)
    except ValidationError as error:
        raise BadLineError(path, number, *_fault(found, error.errors(include_url=False)[0])) from None


def _fault(found: dict[str, Any], error: Any) -> tuple[str, str]:
    """What was expected, and what was found."""
    kind, *where = error["loc"] or ("", "")
    if not error["loc"]:
        return _("a kind of %(kinds)s", kinds=", ".join(KINDS)), shown(found.get("kind"))
    names = [name for name in KINDS[kind].model_fields if name != "kind"]
    odd = {*names, "kind"} ^ {*found}
    if odd:
        return _("the names %(names)s", names=", ".join(names)), _(
            "%(odd)s too few or too many", odd=shown(sorted(odd)[0])
        )
    return _("%(where)s to be %(msg)s", where=where[0], msg=error["msg"]), shown(found[where[0]])


def _take(content: Content, number: int, line: AnyLine) -> None:
    if isinstance(line, AnnotationLine):
        _take_version(content, number, line)
    elif isinstance(line, CategoryLine):
        _take_one(content, content.categories, number, line)
    else:
        _take_one(content, content.views, number, line)


OneLine = TypeVar("OneLine", CategoryLine, ViewLine)


def _take_one(content: Content, held: dict[str, tuple[int, OneLine]], number: int, line: OneLine) -> None:
    name = line.name
    if name in held:
        raise BadLineError(
            content.path,
            number,
            _("each name once"),
            _("%(name)s of line %(name2)s again", name=shown(name), name2=held[name][0]),
        )
    held[name] = (number, line)


def _take_version(content: Content, number: int, line: AnnotationLine) -> None:
    history = content.annotations.setdefault(line.subject, [])
    if line.version != len(history) + 1:
        raise BadLineError(
            content.path,
            number,
            _("version %(history)s of %(about)s", history=len(history) + 1, about=line.about),
            f"version {line.version}",
        )
    if line.other is not None and line.other <= line.index:
        raise BadLineError(
            content.path, number, _("other to be larger than index %(index)s", index=line.index), str(line.other)
        )
    if line.restores is not None and line.restores >= line.version:
        raise BadLineError(
            content.path,
            number,
            _("restores to be under version %(version)s", version=line.version),
            str(line.restores),
        )
    history.append((number, line))
