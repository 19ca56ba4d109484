"""Zarr and .h5ad -> arrays of rows and columns, where their packages are installed."""

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
    """`X` of an AnnData file, dense or sparse."""

    def __init__(self, path: Path) -> None:
        try:
            import anndata
            import h5py  # noqa: F401 -- what reads the file
        except ImportError:
            raise _needs(path, "the packages anndata and h5py") from None
        self.path = path
        try:
            self._whole: Any = anndata.read_h5ad(path, backed="r")
        except Exception as error:  # whatever its readers raise
            raise BadFile(path, "an AnnData file", str(error).splitlines()[0] if str(error) else "none") from error
        if self._whole.X is None:
            raise BadFile(path, "an AnnData file with X", "none")
        check_dtype(path, np.dtype(self._whole.X.dtype))
        self.rows, self.width = check_shape(path, tuple(self._whole.X.shape))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop` [n, width]."""
        block = self._whole.X[start:stop]
        return np.asarray(block.toarray() if hasattr(block, "toarray") else block)
