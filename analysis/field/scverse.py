"""Zarr and AnnData (.h5ad) -> arrays of rows and columns, where zarr and h5py are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BadFile, UserError
from analysis.field.arrays import check_dtype, check_shape, pick

EXTRA = "arrays"


def _needs(path: Path, packages: str) -> UserError:
    return UserError(f"{path}: expected {packages} to read it; found none. pip install 'dense-latents[{EXTRA}]'")


class ZarrArray:
    """An array of a Zarr store; of a group, the one of two dimensions, or the named one."""

    def __init__(self, path: Path, key: str) -> None:
        try:
            import zarr
        except ImportError:
            raise _needs(path, "the package zarr") from None
        self.path = path
        try:
            found = zarr.open(str(path), mode="r")
            if not hasattr(found, "shape"):
                arrays = {name: each for name, each in found.arrays()}  # noqa: C416 -- of either version's pairs
                flat = [name for name, each in arrays.items() if len(each.shape) == 2]
                found = arrays[pick(path, key, list(arrays), flat)]
        except BadFile:
            raise
        except Exception as error:  # its own kinds differ between its versions
            raise BadFile(path, "a Zarr array", str(error).splitlines()[0] if str(error) else "none") from error
        self._array: Any = found
        check_dtype(path, np.dtype(found.dtype))
        self.rows, self.width = check_shape(path, tuple(found.shape))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop` [n, width]."""
        return np.asarray(self._array[start:stop])


class H5adArray:
    """`X` of an AnnData file, dense or sparse by rows; read by h5py alone."""

    def __init__(self, path: Path) -> None:
        try:
            import h5py
        except ImportError:
            raise _needs(path, "the package h5py") from None
        self.path = path
        try:
            self._file: Any = h5py.File(path, "r")
            self._x: Any = self._file["X"]
            self._sparse = isinstance(self._x, h5py.Group)
            values = self._x["data"] if self._sparse else self._x
            shape = tuple(int(each) for each in self._x.attrs["shape"]) if self._sparse else tuple(values.shape)
        except (OSError, KeyError, AttributeError) as error:
            raise BadFile(path, "an AnnData file with X", str(error).splitlines()[0].strip("'\"")) from error
        encoding = self._x.attrs.get("encoding-type", "csr_matrix")
        if self._sparse and encoding != "csr_matrix":
            raise BadFile(path, "X by rows: dense, or a csr_matrix", str(encoding))
        check_dtype(path, np.dtype(values.dtype))
        self.rows, self.width = check_shape(path, shape)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop` [n, width]."""
        if not self._sparse:
            return np.asarray(self._x[start:stop])
        begins = self._x["indptr"][start : stop + 1]
        data, columns = (self._x[name][begins[0] : begins[-1]] for name in ("data", "indices"))
        block = np.zeros((stop - start, self.width), data.dtype)
        np.add.at(block, (np.repeat(np.arange(stop - start), np.diff(begins)), columns), data)
        return block
