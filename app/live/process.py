"""The process that holds the model: begun with the server, begun anew when it dies, ended with the server.

It is told nothing but where the store is. The socket on which it listens is made here and stays here: while one process
takes another's place, who asks waits in it. That process ends when its input ends, which is also how a killed server is
noticed; it takes the folder with it then.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from app.http.errors import ServeError
from app.settings import ROOT

NEEDED = ("torch", "transformers", "sae_lens")
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""Threads that wait for each other sleep: where others want the cores too, as the server does, threads that spin took
14 s for 200 tokens of a small model in place of 0.4 s."""
_BACKLOG = 64
_LONGEST = 100
"""Bytes that a socket's path may have, about."""
_SOON = 5.0
"""A process that ends sooner is not begun again at once."""


def check_installed() -> None:
    """Whether the worker's libraries are here.

    Raises:
        ModuleNotFoundError: one is not.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise ServeError("--live needs Unix sockets, which this system has none of")
    for name in NEEDED:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"--live needs {name}", name=name)


class LiveProcess:
    """The process, kept alive while the server is.

    Args:
        db: the store.
        limits: of one text, where others are wanted than it has by itself.
    """

    def __init__(self, db: str, limits: dict[str, float] | None = None) -> None:
        self._settings: dict[str, Any] = {"db": db, "limits": limits or {}}
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LiveProcess:
        folder = _folder()
        self.folder, self.path = folder, str(folder / "live")
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(self.path)
        self._listening.listen(_BACKLOG)
        self._settings["folder"] = str(folder)
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ending.set()
        process = self._process
        if process is not None:
            _end(process)
        self._keeper.join(10)
        self._listening.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self) -> None:
        pause = 1.0
        while not self._ending.is_set():
            begun = time.monotonic()
            self._process = process = self._begin()
            if self._ending.is_set():
                _end(process)
            status = process.wait()
            if self._ending.is_set():
                return
            _log(f"the model process ended ({status}); another takes its place")
            if time.monotonic() - begun > _SOON:
                pause = 1.0
                continue
            self._ending.wait(pause)
            pause = min(30.0, 2 * pause)

    def _begin(self) -> subprocess.Popen[bytes]:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        number = self._listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "analysis.live", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[number],
            env=PATIENT | os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        assert process.stdin is not None
        with suppress(OSError):  # it died at once: who waits for it will see
            process.stdin.write(json.dumps(self._settings).encode() + b"\n")
            process.stdin.flush()
        return process


def _folder() -> Path:
    """For this user alone."""
    folder = Path(tempfile.mkdtemp(prefix="dense-latents-"))
    if len(os.fsencode(folder)) < _LONGEST - len("/live"):
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="dense-latents-", dir="/tmp"))


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()


def _log(words: str) -> None:
    print(f"dense-latents live: {words}", file=sys.stderr, flush=True)  # noqa: T201 - the server's log
