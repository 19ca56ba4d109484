"""A capture on disk: `NAME/00000.npy` and on, `rows.csv`, `capture.json`.

`capture.json` is replaced in one step after each shard, and counts what is whole. A process that is killed leaves a
folder whose first `rows` rows are good and that says it is not complete. What this costs: a shard of rows, at most.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.errors import BadFile, UserError

NOTE, TABLE = "capture.json", "rows.csv"
FORMAT = "dense-latents capture 1"
_MOST_ROWS = 2**18  # of a shard: lines of the table take memory, too
_SHARD = re.compile(r"\d{5,}\.npy(\.part)?")

Matrix = npt.NDArray[np.floating[Any]]


def prepare(folder: Path, overwrite: bool) -> None:
    """An empty folder; an earlier capture is removed if that is asked for, and nothing else ever is.

    Raises:
        UserError: there is something in it.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: expected a folder to write to; found a file")
    folder.mkdir(parents=True, exist_ok=True)
    there = sorted(folder.iterdir())
    if not there:
        return
    if not overwrite:
        raise UserError(f"{folder}: expected a new or empty folder; found {_named(there)}; or say overwrite=True")
    other = [path for path in there if not _of_a_capture(path)]
    if other or not (folder / NOTE).exists():
        raise UserError(f"{folder}: only an earlier capture is overwritten; found {_named(other or there)}")
    for path in there:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _of_a_capture(path: Path) -> bool:
    if path.is_symlink():
        return False
    if path.is_dir():
        return all(_SHARD.fullmatch(part.name) for part in path.iterdir())
    return path.name in (NOTE, TABLE, f"{NOTE}.part")


def _named(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


class Shards:
    """Rows of several modules, the same rows in each, written whenever `shard_bytes` are full.

    Args:
        folder: that of the capture.
        folders: module name -> its folder in it.
        dtype: of the files.
        shard_bytes: of the shards of all modules with the same rows, together; so much is held in memory.
    """

    def __init__(self, folder: Path, folders: Mapping[str, str], dtype: str, shard_bytes: int) -> None:
        self.folder, self.folders, self.dtype, self.shard_bytes = folder, dict(folders), np.dtype(dtype), shard_bytes
        self.rows = self.shards = self.table_bytes = self.filled = 0
        self.note: dict[str, Any] = {}
        self._buffers: dict[str, Matrix] = {}
        self._lines: list[str] = []

    def begin(self, note: dict[str, Any]) -> None:
        """Claim the folder: a second process that writes to it is refused.

        Raises:
            UserError: another process did so first.
        """
        try:
            (self.folder / NOTE).touch(exist_ok=False)
        except FileExistsError:
            raise UserError(f"{self.folder}: another capture is writing to it; take another folder") from None
        self._save(note, complete=False)

    def add(self, values: Mapping[str, Matrix], lines: Sequence[Sequence[Any]], note: dict[str, Any]) -> None:
        """Rows of one forward: `[rows, width]` a module, and as many lines of the table. The first time, with its head.

        Args:
            values: module name -> rows.
            lines: cells.
            note: what `capture.json` is to say from now on.
        """
        self.note = note
        if not self._buffers:
            self.table_bytes = self._append_table(_csv(note["columns"]))
            self._allocate({name: rows.shape[1] for name, rows in values.items()})
        written = 0
        while written < len(lines):
            count = min(self._room() - self.filled, len(lines) - written)
            for name, rows in values.items():
                self._buffers[name][self.filled : self.filled + count] = rows[written : written + count]
            self._lines[self.filled :] = map(_csv, lines[written : written + count])
            self.filled += count
            written += count
            if self.filled == self._room():
                self._flush()

    def end(self, note: dict[str, Any], complete: bool) -> None:
        """Write what is left, and whether this is all."""
        self.note = note
        if self.filled:
            self._flush()
        self._save(note, complete)

    def _allocate(self, widths: dict[str, int]) -> None:
        fitting = self.shard_bytes // max(1, sum(widths.values()) * self.dtype.itemsize)
        rows = min(_MOST_ROWS, max(1, fitting))
        self._buffers = {name: np.empty((rows, width), self.dtype) for name, width in widths.items()}

    def _room(self) -> int:
        return len(next(iter(self._buffers.values())))

    def _flush(self) -> None:
        for name, buffer in self._buffers.items():
            _write_array(self.folder / self.folders[name] / f"{self.shards:05}.npy", buffer[: self.filled])
        end = self._append_table("".join(self._lines[: self.filled]))
        # in one step: Ctrl-C comes before or after it
        self.table_bytes, self.rows, self.shards, self.filled = end, self.rows + self.filled, self.shards + 1, 0
        self._save(self.note, complete=False)

    def _append_table(self, text: str) -> int:
        data = text.encode(errors="backslashreplace")
        with (self.folder / TABLE).open("ab") as stream:
            stream.truncate(self.table_bytes)  # what a write that failed left there
            stream.seek(self.table_bytes)
            stream.write(data)
        return self.table_bytes + len(data)

    def _save(self, note: dict[str, Any], complete: bool) -> None:
        counts = {"rows": self.rows, "shards": self.shards, "table_bytes": self.table_bytes}
        text = json.dumps({"format": FORMAT, "complete": complete, **counts, **note}, indent=2, ensure_ascii=False)
        part = self.folder / f"{NOTE}.part"
        part.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        os.replace(part, self.folder / NOTE)


def _write_array(path: Path, values: Matrix) -> None:
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".npy.part")
    with part.open("wb") as stream:
        np.save(stream, values, allow_pickle=False)
    os.replace(part, path)


def _csv(line: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([_cell(cell) for cell in line])
    return text.getvalue()


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


@dataclass(frozen=True)
class Captured:
    """A capture read back.

    Args:
        folder: where it lies.
        note: its `capture.json`.
    """

    folder: Path
    note: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Whether the loop came to its end."""
        return bool(self.note["complete"])

    @property
    def modules(self) -> list[str]:
        """Their names."""
        return list(self.note["modules"])

    def matrix(self, name: str) -> Matrix:
        """`[rows, features]` of a module: all its shards, joined.

        Raises:
            UserError: a module that was not captured.
            BadFile: a shard that is missing or of other sizes than the note says.
        """
        if name not in self.note["modules"]:
            raise UserError(f"{self.folder}: module {name!r} was not captured; choose one of {', '.join(self.modules)}")
        said = self.note["modules"][name]
        inside = self.folder / said["folder"]
        if inside.parent != self.folder:
            raise BadFile(self.folder / NOTE, "folders within the capture's", said["folder"])
        shards = [_shard(inside / f"{number:05}.npy") for number in range(self.note["shards"])]
        joined = np.concatenate(shards) if shards else np.empty((0, said["width"]), self.note["dtype"])
        if joined.shape != (self.note["rows"], said["width"]):
            raise BadFile(inside, f"{self.note['rows']} rows of {said['width']}", f"{list(joined.shape)}")
        return joined

    def table(self) -> list[dict[str, str]]:
        """The lines of `rows.csv`, as they are written."""
        data = (self.folder / TABLE).read_bytes()[: self.note["table_bytes"]]
        return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def _shard(path: Path) -> Matrix:
    try:
        found: Matrix = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadFile(path, "a shard of a capture", " ".join(str(error).split())) from error
    return found


def read_capture(folder: str | Path, incomplete: bool = False) -> Captured:
    """What a capture wrote.

    Args:
        folder: that of the capture.
        incomplete: whether one that was cut off will do: its first rows, as far as they are whole.

    Raises:
        BadFile: no capture, or one that was cut off.
    """
    path = Path(folder) / NOTE
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFile(path, "the note of a capture", " ".join(str(error).split()) or "nothing") from error
    if not isinstance(note, dict) or note.get("format") != FORMAT:
        raise BadFile(path, f"the note of a capture ({FORMAT})", "another file")
    if not note["complete"] and not incomplete:
        found = f"one that was cut off after {note['rows']:,} rows; capture again, or read those with incomplete=True"
        raise BadFile(folder, "a complete capture", found)
    return Captured(Path(folder), note)
