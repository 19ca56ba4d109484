"""Commands as a person runs them: a process, its exit status, what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.root import ROOT


def command(*arguments: str | Path) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "dense_latents", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Its end."""
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, timeout=300, check=False)


def done(*arguments: str | Path) -> bytes:
    """What a command prints that must end well."""
    found = run(*arguments)
    assert found.returncode == 0, found.stderr.decode()
    return found.stdout


def refused(*arguments: str | Path) -> str:
    """The one line of a command that must not end well."""
    found = run(*arguments)
    said = found.stderr.decode()
    assert (found.returncode, said.count("\n")) == (2, 1), said
    assert said.startswith("dense-latents: ")
    return said
