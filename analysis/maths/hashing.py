"""Hashes that are the same on every machine and in every process.

Sampling by hash instead of by a random generator is what makes every choice of the worker
(which contexts, which examples, which group a document is in) independent of the order in
which the text is read, hence resumable and mergeable.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor

_CHUNK = 1 << 20


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def unit_hash(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2.0**64


def mix(key: Tensor, salt: int) -> Tensor:
    """Bit-mix int64 keys into floats in [0, 1) (splitmix64, top 24 bits).

    Args:
        key: int64 tensor of any shape.
        salt: which of the independent hashes.

    Returns:
        float32 tensor of the same shape; 24 bits, so exact in float32.
    """
    return _shift(mix_bits(key, salt), 40).to(torch.float32) / 2.0**24


def mix_bits(key: Tensor, salt: int) -> Tensor:
    """All 64 bits of the same hash, as int64: different keys never collide (splitmix64 is a bijection)."""
    z = key + _signed(0x9E3779B97F4A7C15 * (2 * salt + 1))
    z = (z ^ _shift(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shift(z, 27)) * _signed(0x94D049BB133111EB)
    return z ^ _shift(z, 31)


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def _shift(z: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64 (torch's own is arithmetic)."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
