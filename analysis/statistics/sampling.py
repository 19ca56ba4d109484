"""What is drawn by a hash of its place, so that no cut of the stream and no merge of shards matters."""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.statistics.base import Step, context_keys

_DRAWN = 41  # salt


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


def drawn(step: Step, share: float, seed: int) -> Tensor:
    """[n] bool: tokens of contexts drawn by a hash of their place, so that no cut of the stream matters."""
    return (mix(context_keys(step.batch), seed * 64 + _DRAWN) < share)[step.counted.row]
