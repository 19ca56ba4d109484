"""Hashes that are the same on every machine and in every process. No torch: the second demo starts at once.

Sampling by hash instead of by a random generator is what makes every choice of the worker
(which contexts, which examples, which group a document is in) independent of the order in
which the text is read, hence resumable and mergeable.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def hash_of(parts: object, *, sort_keys: bool = False) -> str:
    """Hex SHA-256 of plain values, as JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=sort_keys).encode()).hexdigest()


def unit_hash(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2.0**64
