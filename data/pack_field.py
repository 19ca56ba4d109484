"""Pack the motion sensors of the field demo: `python data/pack_field.py WATCH_DATASET_NPY data/field`.

The package keeps them as a pickle. It is read by an allow-list of four names, so that nothing in it can run.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

_EVERY = 2
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")
        return _ALLOWED[module, name]


def read(path: Path) -> dict[str, Any]:
    """The package's dictionary: `X` (a list of `[rows, 6]` at 50 Hz), `y`, `subject`, `side` and the names."""
    with path.open("rb") as stream:
        np.lib.format.read_magic(stream)
        np.lib.format.read_array_header_1_0(stream)
        found: dict[str, Any] = _Arrays(stream).load().item()
    return found


def lines(data: dict[str, Any]) -> list[list[Any]]:
    """The head, then one line a row: the mean of two neighbouring ones (25 Hz), to two decimals."""
    table: list[list[Any]] = [["recording", "subject", "side", "exercise", *data["X_labels"]]]
    for number, values in enumerate(data["X"]):
        side = "right" if data["side"][number] else "left"
        same = [number, int(data["subject"][number]), side, data["y_labels"][int(data["y"][number])]]
        whole = values[: len(values) // _EVERY * _EVERY]
        halved = whole.reshape(-1, _EVERY, whole.shape[1]).mean(1)
        table += [[*same, *(f"{value:.2f}" for value in row)] for row in halved]
    return table


def main(source: str, folder: str) -> None:
    """Write `watch.csv.gz`; the same input gives the same bytes."""
    table = lines(read(Path(source)))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    packed = gzip.compress(text.getvalue().encode(), 9, mtime=0)
    (Path(folder) / "watch.csv.gz").write_bytes(packed)
    print(f"{len(table) - 1:,} rows, {len(packed):,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
