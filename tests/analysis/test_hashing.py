"""Hashes that choose contexts and examples: the same everywhere, even, and independent of each other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from analysis.hashing import sha256_file, unit_hash
from analysis.statistics.sampling import mix
from tests.analysis.slow_reference import unit

torch.set_num_threads(1)

SERIALS = (torch.arange(200)[:, None] * 2**32 + torch.arange(1000)).flatten()


@pytest.mark.parametrize("salt", [0, 1, 16, 1_000_003])
def test_mix_is_splitmix64(salt: int) -> None:
    keys = [0, 1, -1, 2**63 - 1, -(2**63), 12345678901234567, *SERIALS[::9973].tolist()]
    found = mix(torch.tensor(keys), salt).tolist()
    assert found == [unit(key % 2**64, salt) for key in keys]


@pytest.mark.parametrize("salt", [0, 1, 2, 16, 17])
def test_neighbouring_tokens_get_even_and_unrelated_numbers(salt: int) -> None:
    found = mix(SERIALS, salt).double().numpy()
    assert found.min() >= 0
    assert found.max() < 1
    assert stats.kstest(found, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.01


def test_salts_are_independent() -> None:
    columns = np.stack([mix(SERIALS, salt).numpy() for salt in range(6)])
    correlation = np.corrcoef(columns) - np.eye(6)
    assert abs(correlation).max() < 0.01


def test_mix_keeps_the_shape_and_is_exact_in_float32() -> None:
    found = mix(SERIALS[:12].view(3, 4), 3)
    assert found.shape == (3, 4)
    assert (found.double() * 2**24 == (found.double() * 2**24).round()).all()


def test_unit_hash_is_the_same_in_every_process() -> None:
    """Python's own hash of a string is not: a resumed run would read other contexts."""
    assert unit_hash("chunk", 0, 17, 3) == 0.19958095015338137
    assert unit_hash("ab", "c") != unit_hash("a", "bc")
    found = [unit_hash("group", number) for number in range(20_000)]
    assert stats.kstest(found, "uniform").pvalue > 1e-4


def test_a_file_hash_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789abcdef" * 200_000)  # several pieces
    assert sha256_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()
