"""Packages of npm that a test needs and nobody ships: fetched for it, or the test is skipped with the reason."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest


def fetched(package: str, into: Path, instead: str) -> Path:
    """The package's files, in `into`.

    Args:
        package: name@version.
        instead: how a person gives them by hand.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{package} cannot be fetched: no npm; {instead}")
    try:
        subprocess.run([npm, "pack", "--silent", package], cwd=into, check=True, capture_output=True, timeout=60)
    except subprocess.SubprocessError as error:
        pytest.skip(f"{package} cannot be fetched: {error}; {instead}")
    with tarfile.open(next(into.glob("*.tgz"))) as archive:
        archive.extractall(into, filter="data")
    return into
