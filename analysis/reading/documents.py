"""Files -> documents: text with its labels, cleaned, and a count of all that had to be cleaned.

Choice: documents stream. One block of up to 64 MB of text is held and put in a hashed order,
so that the first tokens read are a fair sample of the corpus; a corpus larger than a block is
shuffled block by block. Cost: in a larger corpus, the order of the blocks is that of the files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.errors import BadFile, UserError
from analysis.hashing import unit_hash
from analysis.reading import formats
from analysis.reading.chat import COLUMN as CONVERSATION
from analysis.reading.chat import Chat, Span, is_chat
from analysis.reading.formats import Reading, Record
from analysis.reading.hub_data import hub_data, is_hub_data

BLOCK_CHARACTERS = 64_000_000
_DEEPEST = 8  # levels of lists and objects in a label
_FEW = 3  # files of a folder that are named one by one
_SURROGATES = re.compile("[\ud800-\udfff]")
# C0 and C1 controls but tab, newline, return; NUL among them
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Document:
    """One text. `index` counts documents over all files, in file order; `labels` are the other columns."""

    index: int
    name: str
    text: str
    labels: dict[str, Any]
    repeats: bool = False
    """Whether an earlier document has the very same text: it counts, but is no example."""
    template: tuple[Span, ...] = ()
    """Spans of the text that a conversation's template put there."""


@dataclass
class ReadingReport:
    """What was read and what had to be mended, all counts of the whole corpus."""

    documents: int = 0
    empty_documents: int = 0
    null_rows: int = 0
    repeated_documents: int = 0
    characters: int = 0
    invalid_utf8: int = 0
    lone_surrogates: int = 0
    control_characters: int = 0
    bad_lines: int = 0
    first_bad_line: str = ""
    first_bad_found: str = ""
    label_columns: Counter[str] = field(default_factory=Counter)
    encodings: Counter[str] = field(default_factory=Counter)
    passed_over: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the run's row."""
        counts = {name: dict(sorted(getattr(self, name).items())) for name in ("label_columns", "encodings")}
        return {**self.__dict__, **counts}


class Corpus:
    """A folder of texts, one file, or a data set of the hub.

    Args:
        path: a table (`.jsonl`, `.csv`, `.parquet` ...: a text field a row, every other column a label), a text
            (`.txt`, `.md`: one document a file), either compressed, a folder of those, or `owner/name` on the hub; see
            `formats` and `hub_data`.
        text_field: the column that holds the text.
        chat: renders a row without it that has a conversation in `messages`; None refuses such rows.
        encoding: of the text files; told from their bytes without one.

    Raises:
        UserError: nothing at `path`, no such file in the folder, no document in it, or no such encoding.
        BadFile: a file of another kind, a broken one, a row without the text field.
    """

    def __init__(
        self, path: str | Path, text_field: str = "text", chat: Chat | None = None, encoding: str = ""
    ) -> None:
        self.path = Path(path)
        self.text_field, self.chat, self.encoding = text_field, chat, formats.known_encoding(encoding)
        self.hub = hub_data(str(path)) if is_hub_data(str(path)) else None
        found = self.hub or formats.find(self.path)
        self.files = found.files
        self.report = ReadingReport(passed_over=found.passed_over)
        self._kept: list[Document] | None = []  # all of them, where they fit in one block
        self.sha256 = self._inspect()
        if self.report.documents == 0:
            raise UserError(f"{self.path}: expected at least one document; found none")

    @property
    def source(self) -> str:
        """What gives the same again: the path, or a data set of the hub with its revision."""
        return str(self.path) if self.hub is None else self.hub.name

    @property
    def name(self) -> str:
        """The file's name without its suffixes; of a folder, its files' names where they are few, else its own; of a
        data set of the hub, its name and the beginning of its revision.
        """
        if self.hub is not None:
            return self.hub.title
        few = self.files if len(self.files) <= _FEW else [self.path.resolve()]
        return " + ".join(map(formats.stem, few))

    def documents(self) -> Iterator[Document]:
        """All non-empty documents in file order."""
        if self._kept is not None:
            yield from self._kept
            return
        index, seen = 0, set[int]()
        for path in self.files:
            for name, raw, labels, template in self._records(path, None):
                text = _clean(raw, None)
                if text.strip():
                    yield Document(index, name, text, labels, _repeats(text, seen), template)
                index += 1

    def shuffled(self, seed: int) -> Iterator[Document]:
        """All non-empty documents, block by block, each block in an order that `seed` alone fixes."""
        block: list[Document] = []
        size = 0
        for document in self.documents():
            block.append(document)
            size += len(document.text)
            if size >= BLOCK_CHARACTERS:
                yield from _in_hashed_order(block, seed)
                block, size = [], 0
        yield from _in_hashed_order(block, seed)

    def _inspect(self) -> str:
        """One reading that counts, checks every line and hashes the cleaned records."""
        digest, seen = hashlib.sha256(), set[int]()
        report = self.report
        for path in self.files:
            for name, raw, labels, template in self._records(path, report):
                text = _clean(raw, report)
                report.documents += bool(text.strip())
                report.empty_documents += not text.strip()
                report.characters += len(text)
                report.label_columns.update(labels.keys())
                said = [name, text, labels, *([template] if template else [])]
                digest.update(json.dumps(said, sort_keys=True, default=str).encode())
                repeats = bool(text.strip()) and _repeats(text, seen)
                report.repeated_documents += repeats
                index = report.documents + report.empty_documents - 1
                self._keep(Document(index, name, text, labels, repeats, template))
        if report.bad_lines:
            raise BadFile(
                report.first_bad_line,
                f"a JSON object with a string field '{self.text_field}'",
                f"{report.first_bad_found}; {report.bad_lines} such line(s) in all",
            )
        return digest.hexdigest()

    def _keep(self, document: Document) -> None:
        if self.report.characters >= BLOCK_CHARACTERS:
            self._kept = None
        elif self._kept is not None and document.text.strip():
            self._kept.append(document)

    def _records(
        self, path: Path, report: ReadingReport | None
    ) -> Iterator[tuple[str, str, dict[str, Any], tuple[Span, ...]]]:
        """(name, raw text, labels, what a template put into the text) of every record of one file."""
        reading, kind, stem = Reading(asked=self.encoding), formats.format_of(path), formats.stem(path)
        for record in kind.read(path, reading):
            if kind.suffix in formats.WHOLE:
                yield stem, record.value, {}, ()
            elif (value := self._row(path, record, report)) is not None:
                text, template = self._said(value, f"{path}:{record.number}")
                labels = value if kind.typed else {name: formats.number_or_text(one) for name, one in value.items()}
                yield f"{stem}:{record.number}", text, _moved(_plain(labels), text), template
        if report is not None:
            report.invalid_utf8 += reading.invalid
            report.encodings[reading.encoding] += 1

    def _row(self, path: Path, record: Record, report: ReadingReport | None) -> dict[str, Any] | None:
        """The row, if it has a text; what has none is counted."""
        row = record.value
        if isinstance(row, dict) and (isinstance(row.get(self.text_field), str) or self._is_chat(row)):
            return row
        if report is not None and isinstance(row, dict) and self.text_field in row and row[self.text_field] is None:
            report.null_rows += 1
        elif report is not None:
            report.bad_lines += 1
            if not report.first_bad_line:
                report.first_bad_line, report.first_bad_found = f"{path}:{record.number}", self._found(row)
        return None

    def _is_chat(self, row: dict[str, Any]) -> bool:
        return self.chat is not None and self.text_field not in row and is_chat(row.get(CONVERSATION))

    def _said(self, row: dict[str, Any], where: str) -> tuple[str, tuple[Span, ...]]:
        """Take the text out of a row, and what a template put into it."""
        if self.text_field in row:
            return row.pop(self.text_field), ()
        assert self.chat is not None
        messages = [{**one, "content": _plain(one.get("content"))} for one in row.pop(CONVERSATION)]
        found = self.chat(messages, where)
        return found.text, tuple(found.template)

    def _found(self, record: Any) -> str:
        """What a bad line holds, in words."""
        if not isinstance(record, dict):
            return "a line that is not one"
        if self.text_field in record:
            return f"'{self.text_field}' of type {type(record[self.text_field]).__name__}"
        return f"only {_some(list(map(repr, record))) or 'an empty object'}; --text-field names another"


def _some(names: list[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _repeats(text: str, seen: set[int]) -> bool:
    """Whether the text was seen; it is from now on. 64 bits of a hash are kept of each."""
    mark = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    known = mark in seen
    seen.add(mark)
    return known


def _clean(text: str, report: ReadingReport | None) -> str:
    """Replace lone surrogates by U+FFFD, drop control characters, make line ends newlines."""
    text, surrogates = _SURROGATES.subn("\ufffd", text)
    text, controls = _CONTROLS.subn("", text)
    if report is not None:
        report.lone_surrogates += surrogates
        report.control_characters += controls
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _plain(value: Any, depth: int = 0) -> Any:
    """Labels whose strings are text: cleaned like the documents, since pages and exports show them.

    What is nested too deep to be a label is left out.
    """
    if depth > _DEEPEST:
        return None
    if isinstance(value, str):
        return _clean(value, None)
    if isinstance(value, dict):
        return {_clean(key, None): _plain(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry, depth + 1) for entry in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)  # dates, and whatever else a table holds


def _moved(labels: dict[str, Any], raw: str) -> dict[str, Any]:
    """Character spans in labels, counted in the text as it came, counted in the text as it is cleaned."""
    if len(raw) == len(_clean(raw, None)):
        return labels
    return {name: [_span(item, raw) for item in v] if isinstance(v, list) else v for name, v in labels.items()}


def _span(item: Any, raw: str) -> Any:
    """One span, as `{"start", "end", "label"}` or `[start, end, label]`; anything else as it is."""
    if isinstance(item, dict):
        return item | {key: _place(item[key], raw) for key in ("start", "end") if key in item}
    if isinstance(item, list) and len(item) == 3:
        return [*(_place(value, raw) for value in item[:2]), item[2]]
    return item


def _place(value: Any, raw: str) -> Any:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return value
    # a cut between the two halves of a line end counts it as one already
    return len(_clean(raw[:value].removesuffix("\r") + ("\n" if raw[:value].endswith("\r") else ""), None))


def _in_hashed_order(block: list[Document], seed: int) -> list[Document]:
    return sorted(block, key=lambda document: unit_hash("order", seed, document.index))
