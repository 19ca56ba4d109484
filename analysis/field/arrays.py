"""Files -> arrays of rows and columns, a few rows at a time: .npy, .npz, .safetensors, and what `opened` knows besides.

Choice: nothing stays open between two reads of a mapped file, so that thousands of shards need no thousand handles.
Nothing is ever unpickled.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BadFile

MOST_IN_MEMORY = 2_000_000_000
"""Bytes of an array that cannot be mapped: a larger one is refused."""
ARRAY = "an array [rows, columns] of numbers"
_PICKLE = "Python objects (pickle), which are never read"


class Array(Protocol):
    """Rows and columns in a file; `read` gives rows `start` to `stop` in the file's own type, or float32."""

    path: Path
    rows: int
    width: int

    def read(self, start: int, stop: int) -> NDArray[Any]: ...  # noqa: D102 -- said above


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def check_shape(where: object, shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns.

    Raises:
        BadFile: another number of dimensions, or none of either.
    """
    if len(shape) != 2:
        raise BadFile(where, f"{ARRAY}, 2 dimensions", f"{len(shape)}: {list(shape)}")
    rows, width = shape
    if not rows or not width:
        raise BadFile(where, "at least one row and one column", f"{rows} rows, {width} columns")
    return rows, width


def check_dtype(where: object, dtype: np.dtype[Any]) -> None:
    """Raise BadFile where the values are no real numbers."""
    if dtype.hasobject:
        raise BadFile(where, "numbers", _PICKLE)
    if dtype.kind not in "biuf":
        kinds = {"c": "complex numbers", "U": "strings", "S": "strings", "V": "records", "M": "dates", "m": "durations"}
        raise BadFile(where, "numbers", f"{kinds.get(dtype.kind, 'other values')} ({dtype})")


def as_float32(block: NDArray[Any], where: object, first: int) -> NDArray[np.float32]:
    """C-contiguous float32; `first` is the number of the block's first row.

    Raises:
        BadFile: a finite value beyond the range of float32.
    """
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(block, dtype=np.float32)
    if block.dtype.kind == "f" and block.dtype.itemsize > 4:
        beyond = np.isinf(cast) & np.isfinite(block)
        if beyond.any():
            row, column = (int(each) for each in np.argwhere(beyond)[0])
            found = f"{float(block[row, column]):.3g} in row {first + row}, column {column}"
            raise BadFile(where, "numbers within float32's range, ±3.4e38", found)
    return cast


class NpyArray:
    """A .npy file, mapped: any type of number, rows or columns first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as stream:
            header = _header(stream, path)
            begin = stream.tell()
        check_dtype(path, header.dtype)
        self.rows, self.width = check_shape(path, header.shape)
        needed = begin + self.rows * self.width * header.dtype.itemsize
        if (found := path.stat().st_size) != needed:
            raise BadFile(path, f"{needed:,} bytes, as its header says", f"{found:,}")

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop` [n, width]."""
        try:
            mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BadFile(self.path, "the array that was there when it was opened", str(error)) from error
        if mapped.shape != (self.rows, self.width):
            raise BadFile(self.path, f"[{self.rows}, {self.width}], as when it was opened", str(list(mapped.shape)))
        return np.array(mapped[start:stop])


class NpzArray:
    """An array of a .npz file: it is packed, so all of it is held once it is read."""

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as packed:
                names = [name.removesuffix(".npy") for name in packed.namelist() if name.endswith(".npy")]
                self.key = pick(path, key, names, _only(packed, path, names) if not key else names)
                with packed.open(f"{self.key}.npy") as stream:
                    header = _header(stream, self._where)
        except (zipfile.BadZipFile, OSError) as error:
            raise BadFile(path, "a .npz file", str(error)) from error
        check_dtype(self._where, header.dtype)
        self.rows, self.width = check_shape(self._where, header.shape)
        check_memory(self._where, self.rows * self.width * header.dtype.itemsize)
        self._held: NDArray[Any] | None = None

    @property
    def _where(self) -> str:
        return f"{self.path}:{self.key}"

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop` [n, width]."""
        if self._held is None:
            try:
                with np.load(self.path, allow_pickle=False) as packed:
                    self._held = packed[self.key]
            except (zipfile.BadZipFile, OSError, ValueError, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
                raise BadFile(self._where, "an array that can be unpacked", str(error)) from error
        return self._held[start:stop]


def _only(packed: zipfile.ZipFile, path: Path, names: list[str]) -> list[str]:
    """Names of the arrays of two dimensions."""
    found = []
    for name in names:
        with packed.open(f"{name}.npy") as stream:
            if len(_header(stream, f"{path}:{name}").shape) == 2:
                found.append(name)
    return found if found or len(names) != 1 else names  # its dimensions are then what is wrong


class SafetensorsArray:
    """A tensor of a .safetensors file, read by slices."""

    def __init__(self, path: Path, key: str) -> None:
        from safetensors import safe_open

        self.path = path
        try:
            with safe_open(path, framework="pt") as tensors:
                names = list(tensors.keys())
                flat = [name for name in names if len(tensors.get_slice(name).get_shape()) == 2]
                self.key = pick(path, key, names, names if key or len(names) == 1 else flat)
                part = tensors.get_slice(self.key)
                shape, dtype = tuple(part.get_shape()), str(part.get_dtype())
        except BadFile:
            raise
        except Exception as error:  # SafetensorError derives from Exception alone
            raise BadFile(path, "a .safetensors file", str(error)) from error
        if dtype.startswith("C"):
            raise BadFile(f"{path}:{self.key}", "numbers", f"complex numbers ({dtype})")
        self.rows, self.width = check_shape(f"{path}:{self.key}", shape)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop` [n, width]."""
        import torch
        from safetensors import safe_open

        with safe_open(self.path, framework="pt") as tensors:
            block = tensors.get_slice(self.key)[start:stop]
        wide = block.dtype == torch.float64 or not block.is_floating_point()
        found: NDArray[Any] = (block if wide else block.float()).numpy()
        return found


def pick(path: Path, key: str, names: list[str], candidates: list[str]) -> str:
    """The array that is meant among those of a file.

    Raises:
        BadFile: none of that name; or none was named, and not just one can be meant.
    """
    listed = ", ".join(sorted(names)[:6]) + (" ..." if len(names) > 6 else "") or "no array"
    if key:
        if key not in names:
            raise BadFile(path, f"an array '{key}'", listed)
        return key
    if len(candidates) != 1:
        raise BadFile(path, f"one array of 2 dimensions, or its name ({path.name}:NAME)", listed)
    return candidates[0]


def check_memory(where: object, size: int) -> None:
    """Raise BadFile where an array that is held as a whole is too large for it."""
    if size > MOST_IN_MEMORY:
        limit = f"at most {MOST_IN_MEMORY / 1e9:g} GB, since it has to be held in memory"
        raise BadFile(where, limit, f"{size / 1e9:.1f} GB; save it as .npy, which is read in parts")


def _opened(path: Path) -> Any:
    try:
        return path.open("rb")
    except OSError as error:
        raise BadFile(path, "a file that can be read", error.strerror or str(error)) from error


def _header(stream: Any, where: object) -> _Header:
    """Shape and type of an array, from its first bytes."""
    try:
        version = np.lib.format.read_magic(stream)
        reads = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _columns_first, dtype = reads(stream)
    except (ValueError, EOFError, OSError) as error:
        raise BadFile(where, "a .npy array", _as_found(stream) or str(error)) from error
    return _Header(tuple(shape), dtype)


def _as_found(stream: Any) -> str:
    """Whether what is no array is a pickle, which people save under any name."""
    stream.seek(0)
    begin = stream.read(2)
    return _PICKLE if begin[:1] == b"\x80" else "" if begin else "an empty file"
