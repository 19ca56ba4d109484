"""Arrays come out of a row as they went in; bytes that are no array are refused, never run."""

from __future__ import annotations

import array
import json
import pickle
import struct
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from store.arrays import pack, unpack

LIMITS = {"i4": 2**31, "i8": 2**63}


@given(st.sampled_from(["i4", "i8"]), st.data())
def test_whole_numbers_come_back(dtype: str, data: st.DataObject) -> None:
    limit = LIMITS[dtype]
    values = data.draw(st.lists(st.integers(-limit, limit - 1)))
    assert unpack(pack(values, dtype)) == values


@given(st.lists(st.floats(allow_nan=False)))
def test_float64_comes_back_to_the_bit(values: list[float]) -> None:
    assert [struct.pack("d", v) for v in unpack(pack(values, "f8"))] == [struct.pack("d", v) for v in values]


@given(st.lists(st.floats(width=32, allow_nan=False)))
def test_float32_comes_back_to_the_bit(values: list[float]) -> None:
    assert unpack(pack(values, "f4")) == values


def test_nan_stays_nan() -> None:
    first, second = unpack(pack([float("nan"), 1.0], "f8"))
    assert first != first
    assert second == 1.0


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (2, 3, 4), (1, 1, 1, 2), (0, 3), (2, 0)])
def test_shapes_come_back_as_nested_lists(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    assert unpack(pack(values, "i8")) == values.tolist()
    assert unpack(pack(values.flatten().tolist(), "i8", shape)) == values.tolist()


def test_the_same_numbers_give_the_same_bytes() -> None:
    """The digest of a run rests on it."""
    values = np.linspace(0, 1, 1000)
    assert pack(values, "f8") == pack(values.tolist(), "f8") == pack(tuple(values), "f8", (1000,))


def test_numbers_are_little_endian() -> None:
    blob = pack([1, 2], "i4")
    (length,) = struct.unpack_from("<H", blob)
    assert json.loads(blob[2 : 2 + length]) == ["i4", [2]]
    assert zstandard.decompress(blob[2 + length :]) == bytes([1, 0, 0, 0, 2, 0, 0, 0])


@pytest.mark.parametrize("dtype", ["f2", "float32", "", "O"])
def test_an_unknown_type_is_named(dtype: str) -> None:
    with pytest.raises(ValueError, match=f"unknown dtype '{dtype}'; choose one of f4, f8, i4, i8"):
        pack([1], dtype)


def test_a_shape_that_does_not_hold_the_values_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[2, 2\] does not hold 3 values"):
        pack([1, 2, 3], "i4", (2, 2))


def blob_of(head: Any, data: bytes) -> bytes:
    """As `pack` writes it, with any head."""
    raw = json.dumps(head).encode()
    return struct.pack("<H", len(raw)) + raw + zstandard.compress(data)


FOUR = array.array("i", [1]).tobytes()
BAD = {
    "nothing": b"",
    "one byte": b"\x05",
    "a pickle": pickle.dumps([1, 2]),
    "no JSON": struct.pack("<H", 4) + b"abcd" + zstandard.compress(FOUR),
    "a number": blob_of(3, FOUR),
    "null": blob_of(None, FOUR),
    "unknown type": blob_of(["f2", [2]], FOUR),
    "half a number": blob_of(["i4", [1]], FOUR[:3]),
    "too few numbers": blob_of(["i4", [2]], FOUR),
    "too many numbers": blob_of(["i4", [1]], FOUR * 2),
    "too few in a matrix": blob_of(["i4", [2, 2]], FOUR * 3),
    "a shape of words": blob_of(["i4", ["a"]], FOUR),
    "a negative shape": blob_of(["i4", [-1, -1]], FOUR),
    "a shape of 0 columns": blob_of(["i4", [2, 0]], FOUR),
    "no shape": blob_of(["i4"], FOUR),
    "a number for a shape": blob_of(["i4", 1], FOUR),
    "no zstandard": pack([1], "i4")[:-3],
    "a list for a type": blob_of([["i4"], [1]], FOUR),
}


@pytest.mark.parametrize("blob", BAD.values(), ids=BAD.keys())
def test_bytes_that_are_no_array_are_refused(blob: bytes) -> None:
    with pytest.raises(ValueError, match="not an array of the store"):
        unpack(blob)


def test_a_head_that_claims_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="not an array of the store"):
        unpack(b"\xff\xff" + pack([1], "i4"))
