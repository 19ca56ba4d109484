"""Files of SAEs: whether they are whole and what they say they are, before anything loads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from analysis.errors import BadFile
from analysis.hashing import sha256_file

CONFIG = "cfg.json"
HASH = "sha256.txt"
PICKLES = (".pt", ".pkl", ".pickle", ".bin", ".pth", ".ckpt")
_MAX_HEADER = 100_000_000


def read_json(path: Path) -> Any:
    """What a file of JSON holds.

    Raises:
        BadFile: no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadFile(path, "JSON", str(error)) from error


def checked_hash(weights: Path) -> str:
    """The SHA-256 of a file of weights; where one is recorded beside it, they must agree.

    Raises:
        BadFile: they do not.
    """
    digest = sha256_file(weights)
    recorded = weights.parent / HASH
    if recorded.exists() and (expected := _recorded(recorded)) != digest:
        raise BadFile(weights, f"SHA-256 {expected} (from {HASH})", digest)
    return digest


def _recorded(path: Path) -> str:
    """The hash in a file of `sha256sum`'s form."""
    words = path.read_text(encoding="utf-8", errors="replace").lower().split()
    if not words or not re.fullmatch("[0-9a-f]{64}", words[0]):
        raise BadFile(path, "a SHA-256 of 64 hexadecimal digits", repr(" ".join(words)[:80]))
    return words[0]


def check_safetensors(path: Path) -> None:
    """Header within the file, JSON, offsets gapless from 0 to the end: no truncation, no trailing bytes.

    Raises:
        BadFile: anything else.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(8)
        length = int.from_bytes(head, "little") if len(head) == 8 else -1
        if head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or head[:4] == b"PK\x03\x04":
            raise BadFile(path, "a safetensors file", "a pickle or zip archive (refused: it can run code)")
        if length < 2 or length > _MAX_HEADER or 8 + length > size:
            raise BadFile(path, "a safetensors header that fits the file", f"{size} bytes, header length {length}")
        raw = stream.read(length)
    try:
        header = json.loads(raw)
        offsets = (e["data_offsets"] for name, e in header.items() if name != "__metadata__")
        ends = sorted((int(begin), int(end)) for begin, end in offsets)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadFile(path, "a safetensors header of JSON", f"{type(error).__name__}") from error
    position = 0
    for begin, end in ends:
        if begin != position or end < begin:
            raise BadFile(path, "tensors without gaps or overlaps", f"a tensor at {begin}, expected {position}")
        position = end
    if 8 + length + position != size:
        raise BadFile(path, f"{8 + length + position} bytes, as its header says", f"{size} bytes")


def check_tensors(path: Path, config: dict[str, Any]) -> None:
    """Decoder and encoder of the shapes that `cfg.json` gives, of floating-point types.

    Raises:
        BadFile: other shapes or types, or no decoder.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as tensors:
            _check_shapes(path, config, tensors)
    except SafetensorError as error:
        raise BadFile(path, "a safetensors file", str(error)) from error


def _check_shapes(path: Path, config: dict[str, Any], tensors: Any) -> None:
    expected = {"W_dec": [config["d_sae"], config.get("d_out", config["d_in"])]}
    names = set(tensors.keys())
    for name, shape in expected.items():
        if name not in names:
            raise BadFile(path, f"a tensor {name} {shape}", f"only {', '.join(sorted(names)) or 'none'}")
    if "W_enc" in names:
        expected["W_enc"] = [config["d_in"], config["d_sae"]]
    for name, shape in expected.items():
        part = tensors.get_slice(name)
        found = list(part.get_shape())
        if found != shape:
            raise BadFile(path, f"{name} of shape {shape} (from {CONFIG})", f"{found}")
        if not part.get_dtype().startswith(("F", "BF")):
            raise BadFile(path, f"{name} of a floating-point type", part.get_dtype())


def check_finite(tensors: Iterator[tuple[str, Tensor]], source: str) -> None:
    """Weights that are numbers.

    Raises:
        BadFile: NaN or infinity among them.
    """
    for name, tensor in tensors:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = int((~torch.isfinite(tensor)).sum())
            raise BadFile(source, f"finite numbers in {name}", f"{bad} NaN or infinite")
