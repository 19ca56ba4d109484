"""Files -> records: what a file of each kind holds, in its own encoding and compression, one record at a time.

Nothing here knows which column holds the text, or what a label is: see `analysis.reading.documents`.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from analysis.errors import BadFile, UserError

LONGEST = 64_000_000
"""Bytes of a line, or of a file that is one document: what is longer is refused before it fills the memory."""
_HEAD = 1 << 16  # bytes from which the encoding is told
_FOREIGN = 8  # bytes beyond ASCII, at least, from which another encoding than UTF-8 is guessed
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_BATCH = 1024  # rows of a table read at once
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_COMMON = (
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "cp1252", "cp1251", "koi8_r", "cp1250", "cp1253", "cp1254"),
    *("cp1255", "cp1256"),
)
"""Encodings that texts are found in, the likelier first; a guess among all that exist is a worse one."""
_UNITS_932 = re.compile(rb"[\x81-\x9f\xe0-\xfc][\x40-\xfc]|[\xa1-\xdf]")  # what cp932 makes of bytes beyond ASCII
_USUAL_932 = re.compile(rb"[\x82\x83].|[\x81\x84\x88-\x97][\x80-\xfc]", re.DOTALL)  # kana, punctuation, usual kanji
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, UnicodeError)


def known_encoding(name: str) -> str:
    """The encoding as Python calls it; nothing where none is asked for.

    Raises:
        UserError: no such encoding of text.
    """
    try:
        "".encode(name or "utf-8")  # `lookup` alone knows ciphers and compressions, too
    except LookupError:
        raise UserError(
            f"--encoding {name}: expected an encoding of text, such as utf-8, cp1252, shift_jis or gb18030; found none"
            " of that name"
        ) from None
    return codecs.lookup(name).name if name else ""


@dataclass
class Reading:
    """What was noticed while a file was read."""

    encoding: str = "utf-8"
    asked: str = ""
    """The encoding that was asked for; else it is told from the bytes."""
    invalid: int = 0
    """Byte sequences that are no characters of the encoding."""


@dataclass(frozen=True)
class Record:
    """One record: `value` is what stands there, of any type; `number` its line or row, 0 for a whole file."""

    number: int
    value: Any


@dataclass(frozen=True)
class Format:
    """A kind of file: its suffix without compression, and how it is read."""

    suffix: str
    read: Callable[[Path, Reading], Iterator[Record]]
    packed: bool = True
    """Whether it may be compressed."""
    typed: bool = True
    """Whether its values have types; else all are strings."""


def _zstd(path: Path) -> IO[bytes]:
    import zstandard

    return io.BufferedReader(zstandard.open(path, "rb"))  # it has no lines by itself


_PACKINGS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _zstd,
}


def _opened(path: Path) -> IO[bytes]:
    packing = _PACKINGS.get(path.suffix.lower())
    opened: IO[bytes] = packing(path) if packing else path.open("rb")
    return opened


def _encoding(path: Path) -> str:
    """Of a file, from its beginning: by its mark, as UTF-8, or else as its bytes look most like a language."""
    with _opened(path) as stream:
        head = stream.read(_HEAD)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    whole = head[: head.rfind(b"\n") + 1] or head if len(head) == _HEAD else head
    read = whole.decode("utf-8", errors="replace")
    wrong = read.count("\ufffd") - whole.count("\ufffd".encode())
    right = sum(letter > "\x7f" for letter in read) - read.count("\ufffd")
    if wrong <= right or sum(byte > 127 for byte in whole) < _FOREIGN:
        return "utf-8"  # some bytes of it may be broken: they are replaced and counted
    if _is_cp932(whole):
        return "cp932"
    from charset_normalizer import from_bytes

    guesses = list(from_bytes(whole, cp_isolation=list(_COMMON)))
    if not guesses:
        return "utf-8"
    # the less mess and the more of a language, the likelier; short texts of any script look tidy in some other
    return min(guesses, key=lambda guess: (guess.chaos - guess.coherence, _COMMON.index(guess.encoding))).encoding


def _is_cp932(whole: bytes) -> bool:
    """Whether it is Japanese in cp932, even where a few words, said again and again, look like no language.

    Its usual characters begin with bytes that other encodings hardly use, but for the quotes and dashes of cp1252;
    these stand before ASCII.
    """
    try:
        whole.decode("cp932")
    except UnicodeDecodeError:
        return False
    units = _UNITS_932.findall(whole)
    return 2 * sum(_USUAL_932.fullmatch(unit) is not None for unit in units) > len(units)


def _lines(path: Path, reading: Reading) -> Iterator[str]:
    """The lines of a text file, without their ends.

    Raises:
        BadFile: it cannot be read, or a line is longer than `LONGEST`.
    """
    try:
        reading.encoding = reading.asked or _encoding(path)
        with _opened(path) as stream:
            if reading.encoding == "utf-8":
                yield from _utf8(path, stream, reading)
            else:
                text = io.TextIOWrapper(stream, encoding=reading.encoding, errors="replace", newline="")
                yield from _wrapped(path, text, reading)
    except _BROKEN as error:
        raise BadFile(path, "a readable text file", str(error)) from error


def _utf8(path: Path, stream: IO[bytes], reading: Reading) -> Iterator[str]:
    first = True
    number = 0
    while raw := stream.readline(LONGEST + 1):
        number += 1
        _check_length(path, number, len(raw))
        if first:
            raw, first = raw.removeprefix(codecs.BOM_UTF8), False
        text = raw.decode("utf-8", errors="replace")
        if "\ufffd" in text:
            reading.invalid += text.count("\ufffd") - raw.count("\ufffd".encode())
        yield text.removesuffix("\n").removesuffix("\r")


def _wrapped(path: Path, stream: IO[str], reading: Reading) -> Iterator[str]:
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        _check_length(path, number, len(line))
        reading.invalid += line.count("\ufffd")
        yield line.removesuffix("\n").removesuffix("\r")


def _check_length(path: Path, number: int, length: int) -> None:
    if length > LONGEST:
        raise BadFile(f"{path}:{number}", f"lines of at most {LONGEST // 1_000_000} MB", "a longer one")


def _text(path: Path, reading: Reading) -> Iterator[Record]:
    """A file that is one document."""
    parts: list[str] = []
    size = 0
    for line in _lines(path, reading):
        parts.append(line)
        size += len(line) + 1
        if size > LONGEST:
            raise BadFile(path, f"a text of at most {LONGEST // 1_000_000} MB; cut a longer one", "more")
    yield Record(0, "\n".join(parts))


def _json_lines(path: Path, reading: Reading) -> Iterator[Record]:
    for number, line in enumerate(_lines(path, reading), start=1):
        if line.strip():
            yield Record(number, _parsed(line))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _name: None)  # NaN and Infinity are not JSON
    except (ValueError, RecursionError):
        return None


def _json(path: Path, reading: Reading) -> Iterator[Record]:
    """A list of objects, the one list in an object, or one object."""
    (whole,) = _text(path, reading)
    found = _parsed(whole.value)
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        found = lists[0] if len(lists) == 1 and all(isinstance(one, dict) for one in lists[0]) else [found]
    if not isinstance(found, list):
        raise BadFile(path, "a list of JSON objects, or lines of them (.jsonl)", "no JSON")
    yield from (Record(number, one) for number, one in enumerate(found, start=1))


SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""What stands between the fields of a table that is text."""


def rows_of_fields(path: Path, reading: Reading, by: str) -> Iterator[tuple[int, list[str]]]:
    """The lines of a table as their fields, with the number of each; the first one's are the names of the columns.

    Raises:
        BadFile: it cannot be read, or a line has more or fewer fields than the first.
    """
    csv.field_size_limit(LONGEST)
    rows = csv.reader((line + "\n" for line in _lines(path, reading)), delimiter=by, strict=True)
    try:
        names = next(rows, [])
        yield rows.line_num, names
        for row in rows:
            if not row:
                continue
            if len(row) != len(names):
                wanted = f"{len(names)} fields, as in its first line"
                raise BadFile(f"{path}:{rows.line_num}", wanted, f"{len(row)}")
            yield rows.line_num, row
    except csv.Error as error:
        raise BadFile(f"{path}:{rows.line_num}", "fields separated as in its first line", str(error)) from error


def _separated(by: str) -> Callable[[Path, Reading], Iterator[Record]]:
    def read(path: Path, reading: Reading) -> Iterator[Record]:
        rows = rows_of_fields(path, reading, by)
        _first, names = next(rows)
        for number, row in rows:
            yield Record(number, dict(zip(names, row, strict=True)))

    return read


def number_or_text(field: str) -> Any:
    """What a field of a file without types holds: a number where it is written as one, None where it is empty.

    `007` and `1_000` stay as they are: they are names.
    """
    if not field:
        return None
    if not _NUMBER.fullmatch(field):
        return field
    return float(field) if set(field) & set(".eE") else int(field)


def _parquet(path: Path, _reading: Reading) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            for batch in table.iter_batches(_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield Record(number, row)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadFile(path, "a Parquet file", str(error).splitlines()[0]) from error


def _arrow(path: Path, _reading: Reading) -> Iterator[Record]:
    import pyarrow

    number = 0
    try:
        with pyarrow.memory_map(str(path)) as source, pyarrow.ipc.open_stream(source) as stream:
            for batch in stream:
                for row in batch.to_pylist():
                    number += 1
                    yield Record(number, row)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadFile(path, "an Arrow file as `datasets` saves it", str(error).splitlines()[0]) from error


FORMATS = {
    each.suffix: each
    for each in (
        Format(".jsonl", _json_lines),
        Format(".ndjson", _json_lines),
        Format(".json", _json),
        Format(".csv", _separated(SEPARATORS[".csv"]), typed=False),
        Format(".tsv", _separated(SEPARATORS[".tsv"]), typed=False),
        Format(".txt", _text),
        Format(".md", _text),
        Format(".parquet", _parquet, packed=False),
        Format(".arrow", _arrow, packed=False),
    )
}
KINDS = f"{', '.join(FORMATS)}, or a text of these kinds packed as {', '.join(_PACKINGS)}"
"""What can be read, for messages."""
WHOLE = {".txt", ".md"}
"""Kinds of which a file is one document."""
_ABOUT = {"README", "LICENSE", "LICENCE", "NOTICE", "CHANGELOG", "PROVENANCE", "CITATION", "AUTHORS"}
"""Files that say what a folder holds; named alone, they are read."""
_OF_DATASETS = {"dataset_info.json", "state.json", "dataset_dict.json"}
"""What `datasets` saves beside its tables."""


def stem(path: Path) -> str:
    """The file's name without its kind and compression."""
    return path.name.removesuffix(_packing(path)).removesuffix(_kind(path) or "")


def _packing(path: Path) -> str:
    return path.suffix if path.suffix.lower() in _PACKINGS else ""


def _kind(path: Path) -> str | None:
    """The suffix that says how it is read, as it stands in the name; None for another kind of file."""
    packing = _packing(path)
    suffix = Path(path.name.removesuffix(packing)).suffix
    found = FORMATS.get(suffix.lower())
    return suffix if found and (found.packed or not packing) else None


def is_known(path: Path) -> bool:
    """Whether it is named as a kind that is read."""
    return _kind(path) is not None


def format_of(path: Path) -> Format:
    """How a file that `find` gave is read."""
    return FORMATS[(_kind(path) or "").lower()]


@dataclass(frozen=True)
class Found:
    """The files of a corpus in the order of their names, and what was passed over: name -> why."""

    files: list[Path]
    passed_over: dict[str, str]


def find(path: Path) -> Found:
    """A file, or the files of a folder.

    Raises:
        UserError: nothing there, or no file of a kind that is read.
        BadFile: a file of another kind.
    """
    if path.is_dir():
        found = _walked(path)
        if not found.files:
            raise UserError(f"{path}: expected files ending in {KINDS}; found none{_others(found.passed_over)}")
        return found
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; --corpus takes {KINDS}, or a folder of those")
    if _kind(path) is None:
        raise BadFile(path, f"a file ending in {KINDS}", f"'{path.suffix}'")
    return Found([path], {})


def _walked(folder: Path) -> Found:
    files: list[Path] = []
    passed: dict[str, str] = {}
    root = folder.resolve()
    for here, folders, names in os.walk(folder):
        for name in sorted(folders):
            if why := _why_not(Path(here, name), root):
                passed[f"{Path(here, name).relative_to(folder)}/"] = why
        folders[:] = sorted(name for name in folders if not _why_not(Path(here, name), root))
        for name in sorted(names):
            path = Path(here, name)
            if name in _OF_DATASETS:
                continue
            why = _why_not(path, root) or ("" if _kind(path) else "not a kind that is read")
            if not why:
                files.append(path)
            else:
                passed[str(path.relative_to(folder))] = why
    return Found(sorted(files), passed)


def _why_not(path: Path, root: Path) -> str:
    if path.name.startswith("."):
        return "hidden"
    if path.stem.upper() in _ABOUT:
        return "about the folder, not of it"
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        return "a link that leads out of the folder"
    if path.is_symlink() and path.is_dir():
        return "a link to another of its folders"
    return ""


def _others(passed: dict[str, str]) -> str:
    return f", but {', '.join(list(passed)[:3])}{' ...' if len(passed) > 3 else ''}" if passed else ""
