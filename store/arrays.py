"""Arrays in rows: little-endian bytes, zstandard, with dtype and shape in front.

Chosen over npz and pickle: no code runs on reading, the server needs no numpy, and the same
numbers give the same bytes (which the digest of a run relies on).
"""

from __future__ import annotations

import array
import json
import math
import struct
import sys
from collections.abc import Sequence
from typing import Any

import zstandard

# our name -> array module's type code; all are 4 or 8 bytes on every platform we run on
_CODES = {"f4": "f", "f8": "d", "i4": "i", "i8": "q"}


def pack(values: Any, dtype: str, shape: Sequence[int] | None = None) -> bytes:
    """Flat `values` (or anything with `tolist`) -> bytes.

    Args:
        values: a flat sequence, or an array whose `tolist` gives nested lists.
        dtype: one of f4, f8, i4, i8.
        shape: defaults to one dimension, or to the array's own shape.

    Raises:
        ValueError: unknown dtype, or a shape that does not hold the values.
    """
    if dtype not in _CODES:
        raise ValueError(f"unknown dtype '{dtype}'; choose one of {', '.join(_CODES)}")
    if shape is None:
        shape = list(getattr(values, "shape", [len(values)]))
    flat = values.reshape(-1).tolist() if hasattr(values, "reshape") else list(values)
    if math.prod(shape) != len(flat):
        raise ValueError(f"shape {list(shape)} does not hold {len(flat)} values")
    data = array.array(_CODES[dtype], flat)
    if sys.byteorder == "big":
        data.byteswap()
    head = json.dumps([dtype, list(shape)]).encode()
    return struct.pack("<H", len(head)) + head + zstandard.compress(data.tobytes(), 3)


def unpack(blob: bytes) -> Any:
    """Bytes from `pack` -> nested lists of Python numbers.

    Raises:
        ValueError: the bytes are not what `pack` wrote.
    """
    try:
        (length,) = struct.unpack_from("<H", blob)
        dtype, shape = json.loads(blob[2 : 2 + length])
        data = array.array(_CODES[dtype], zstandard.decompress(blob[2 + length :]))
        if min(shape, default=1) < 0 or math.prod(shape) != len(data):
            raise ValueError(f"shape {shape} does not hold {len(data)} values")
    except (struct.error, ValueError, KeyError, TypeError, zstandard.ZstdError) as error:
        raise ValueError(f"not an array of the store: {error}") from error
    if sys.byteorder == "big":
        data.byteswap()
    return _nest(data.tolist(), shape)


def _nest(flat: list[Any], shape: list[int]) -> Any:
    if len(shape) <= 1:
        return flat
    step = math.prod(shape[1:])
    return [_nest(flat[row * step : (row + 1) * step], shape[1:]) for row in range(shape[0])]
