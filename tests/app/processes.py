"""Commands as a person runs them: a process, its exit status, what it says."""

from __future__ import annotations

import atexit
import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from tests.forked import Ended, Forked, forking


def command(*arguments: str | Path) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "dense_latents", *map(str, arguments)]


@cache
def _forked() -> Forked:
    stack = ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return stack.enter_context(forking(folder, "server"))


def run(*arguments: str | Path) -> Ended:
    """Its end."""
    return _forked().run(*arguments)


def done(*arguments: str | Path) -> bytes:
    """What a command prints that must end well."""
    found = run(*arguments)
    assert found.status == 0, found.err
    return found.out.encode()


def refused(*arguments: str | Path) -> str:
    """The one line of a command that must not end well."""
    return run(*arguments).line
