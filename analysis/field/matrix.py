"""What a user names -> matrices of the same rows: a file, a folder of files, or a folder of shards a layer.

Choice: shards are named 00000.npy, 00001.npy ...: five digits or more, without a gap. Anything else in a folder is a
layer by itself, so `0.npy` and `1.npy` are two layers and no matrix in two parts.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BadFile, UserError
from analysis.field.arrays import Array, NpyArray, NpzArray, SafetensorsArray, as_float32
from analysis.field.parquet import ParquetArray
from analysis.field.scverse import H5adArray, ZarrArray
from analysis.hashing import hash_of, sha256_file

_OPENERS: dict[str, Callable[[Path, str], Array]] = {
    ".npy": lambda path, _key: NpyArray(path),
    ".npz": NpzArray,
    ".safetensors": SafetensorsArray,
    ".parquet": lambda path, _key: ParquetArray(path),
    ".zarr": ZarrArray,
    ".h5ad": lambda path, _key: H5adArray(path),
}
_KEYED = {".npz", ".safetensors", ".zarr"}
KINDS = f"{', '.join(_OPENERS)}, or a folder of those"
"""What can be read, for messages."""
_SHARD = re.compile(r"\d{5,}", re.ASCII)
_NUMBERED = re.compile(r"\d+", re.ASCII)
_ROWS_FILE = "rows"  # the table beside a capture's layers


class Matrix:
    """Activations of one layer: rows, and a column for each unit.

    Args:
        name: a slug, no two the same.
        layer: its number.
        path: the file, or the folder of shards.
        parts: the file, or the shards in their order; as wide as one another.

    Raises:
        BadFile: a shard of another width.
    """

    def __init__(self, name: str, layer: int, path: Path, parts: list[Array]) -> None:
        self.name, self.layer, self.path = name, layer, path
        self._parts = parts
        self.width = parts[0].width
        for part in parts:
            if part.width != self.width:
                raise BadFile(part.path, f"{self.width} columns, as in {parts[0].path.name}", str(part.width))
        self._begins = [0, *accumulate(part.rows for part in parts)]
        self.rows = self._begins[-1]

    def __repr__(self) -> str:
        return (
            f"Matrix({self.name!r}, layer={self.layer}, rows={self.rows}, width={self.width}, path={str(self.path)!r})"
        )

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Rows `start` to `stop`, [stop - start, width] float32, C-contiguous. Memory: a copy or two of these rows.

        Raises:
            ValueError: no such rows.
            BadFile: a value that float32 cannot hold, or a file that is broken or changed further on.
        """
        if not 0 <= start <= stop <= self.rows:
            raise ValueError(f"rows {start} to {stop} of {self.rows}")
        found = np.empty((stop - start, self.width), np.float32)
        at = start
        while at < stop:
            place = bisect_right(self._begins, at) - 1
            begin, end = self._begins[place], min(stop, self._begins[place + 1])
            part = self._parts[place]
            found[at - start : end - start] = as_float32(part.read(at - begin, end - begin), part.path, at - begin)
            at = end
        return found

    @cached_property
    def sha256(self) -> str:
        """Of the file's bytes; of several files, of their hashes in order."""
        hashes = [_sha256(part.path) for part in self._parts]
        return hashes[0] if len(hashes) == 1 else hash_of(hashes)


class _Named(NamedTuple):
    name: str
    number: int | None
    path: Path
    parts: list[Array]


def open_matrices(spec: str | list[str]) -> list[Matrix]:
    """The matrices that are meant, by their layers.

    Args:
        spec: `PATH` or `LAYER=PATH`, or several; a layer is a number or a name. A path is a file (`FILE.npz:NAME` and
            `FILE.safetensors:NAME` name an array of it), or a folder: of files, each a layer; or of folders of shards,
            as a capture writes them.

    Raises:
        UserError: nothing there, two layers of one name or number, or of different numbers of rows.
        BadFile: a file that cannot be used.
    """
    specs = [spec] if isinstance(spec, str) else list(spec)
    found = [each for one in specs for each in _of_spec(one)]
    if not found:
        raise UserError("activations: expected at least one file or folder; found none")
    matrices = [
        Matrix(each.name, number, each.path, each.parts) for each, number in zip(found, _numbers(found), strict=True)
    ]
    _check_apart(matrices)
    _check_rows(matrices)
    return sorted(matrices, key=lambda matrix: matrix.layer)


def rows_file(spec: str) -> Path | None:
    """The table that lies beside the layers of a capture, `rows.csv` or of another kind; None where there is none."""
    _layer, path = _layer_and_path(spec)
    for folder in (path, path.parent):
        found = [each for each in sorted(folder.glob(f"{_ROWS_FILE}.*")) if each.is_file()] if folder.is_dir() else []
        if found:
            return found[0]
    return None


def _layer_and_path(spec: str) -> tuple[str, Path]:
    layer, equals, rest = spec.partition("=")
    if not equals or Path(spec).exists() or "/" in layer:
        return "", Path(spec).expanduser()
    if not layer.strip() or not rest:
        raise UserError(f"{spec}: expected LAYER=PATH; found {'no path' if layer.strip() else 'no layer'}")
    return layer.strip(), Path(rest).expanduser()


def _of_spec(spec: str) -> list[_Named]:
    layer, path = _layer_and_path(spec)
    key = ""
    if not path.exists():
        whole, colon, name = str(path).rpartition(":")
        if not colon or not Path(whole).exists():
            raise UserError(f"{path}: no such file or folder; expected {KINDS}")
        path, key = Path(whole), name
        if _kind(path) not in _KEYED:
            raise UserError(f"{path}:{key}: expected an array's name after {', '.join(sorted(_KEYED))} alone")
    if path.is_dir() and _kind(path) != ".zarr":
        found = _of_folder(path)
    elif _kind(path) in _OPENERS:
        found = [_named(path.stem, path, [_OPENERS[_kind(path)](path, key)])]
    else:
        raise BadFile(path, KINDS, f"'{path.suffix}'")
    if layer and len(found) > 1:
        raise UserError(f"{spec}: expected one layer; found {len(found)}: {', '.join(each.name for each in found[:6])}")
    return [_named(layer, found[0].path, found[0].parts)] if layer else found


def _named(label: str, path: Path, parts: list[Array]) -> _Named:
    """A name for a layer: a slug of what it is called; of a number alone, `layer3`."""
    numbers = _NUMBERED.findall(label)
    name = f"layer{int(label)}" if label.isascii() and label.isdecimal() else re.sub(r"[^\w.]+", "-", label).strip("-.")
    return _Named(name or "layer", int(numbers[-1]) if numbers else None, path, parts)


def _of_folder(folder: Path) -> list[_Named]:
    """Files, each a layer; folders of shards, each a layer; or shards, all one layer."""
    entries = _entries(folder)
    files = [each for each in entries if _is_array(each)]
    if files and all(_SHARD.fullmatch(each.stem) for each in files):
        return [_named(folder.resolve().name, folder, _shards(folder, files))]
    found = [_named(each.stem, each, [_OPENERS[_kind(each)](each, "")]) for each in files]
    for inner in entries:
        if inner.is_dir() and _kind(inner) != ".zarr":
            shards = [each for each in _entries(inner) if _is_array(each)]
            if shards:
                found.append(_named(inner.name, inner, _shards(inner, shards)))
    if not found:
        raise UserError(f"{folder}: expected {KINDS}; found none")
    return found


def _entries(folder: Path) -> list[Path]:
    """What a folder holds, `layer2` before `layer10`, without hidden ones.

    Raises:
        UserError: a link that leads out of it: what is read is what is named.
    """
    found = [each for each in folder.iterdir() if not each.name.startswith(".")]
    for each in found:
        if each.is_symlink() and not each.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{each}: a link that leads out of the folder is not followed; name the file it leads to")
    return sorted(found, key=lambda each: [int(p) if p.isdecimal() else p for p in re.split(r"([0-9]+)", each.name)])


def _kind(path: Path) -> str:
    return path.suffix.lower()


def _is_array(path: Path) -> bool:
    return _kind(path) in _OPENERS and path.stem != _ROWS_FILE


def _shards(folder: Path, files: list[Path]) -> list[Array]:
    if len(files) > 1 or _SHARD.fullmatch(files[0].stem):
        for place, path in enumerate(files):
            if not _SHARD.fullmatch(path.stem):
                raise BadFile(folder, "one file, or shards named 00000.npy, 00001.npy ...", path.name)
            if int(path.stem) != place:
                raise BadFile(folder, f"a shard {place:05d}{path.suffix}", f"{path.name} in its place")
    return [_OPENERS[_kind(path)](path, "") for path in files]


def _numbers(found: list[_Named]) -> list[int]:
    """The number in each name where all have one and no two the same; else their places."""
    numbers = [each.number for each in found if each.number is not None]
    if len(numbers) == len(found) == len(set(numbers)):
        return numbers
    return list(range(len(found)))


def _check_apart(matrices: list[Matrix]) -> None:
    seen: dict[str, Matrix] = {}
    for matrix in matrices:
        other = seen.setdefault(matrix.name, matrix)
        if other is not matrix:
            both = f"{other.path} and {matrix.path}"
            raise UserError(f"two layers are called '{matrix.name}': {both}; name them as LAYER=PATH")


def _check_rows(matrices: list[Matrix]) -> None:
    first = matrices[0]
    for matrix in matrices[1:]:
        if matrix.rows != first.rows:
            raise BadFile(matrix.path, f"{first.rows:,} rows, as in {first.path}", f"{matrix.rows:,}")


def _sha256(path: Path) -> str:
    if path.is_dir():  # a Zarr store
        files = sorted(each for each in path.rglob("*") if each.is_file())
        return hash_of([(str(each.relative_to(path)), sha256_file(each)) for each in files])
    return sha256_file(path)
