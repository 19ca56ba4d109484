"""Real server processes for tests: started as people start them, asked over HTTP, killed if need be."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.settings import ROOT

START_S = 60.0
"""A start takes 1.5 s on an idle machine; the suite shares two cores."""


@dataclass(frozen=True)
class Server:
    """A process that listens."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rsplit(":", 1)[1])

    def client(self, **options: object) -> httpx.Client:
        """A client without redirects and without the machine's proxies."""
        return httpx.Client(base_url=self.address, timeout=60, trust_env=False, **options)  # type: ignore[arg-type]

    def raw(self, request: bytes, receive_buffer: int | None = None, peer: str = "127.0.0.1") -> socket.socket:
        """A connection on which `request` was sent, from an address of this machine."""
        made = socket.socket()
        made.bind((peer, 0))
        if receive_buffer is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.settimeout(30)
        made.connect(("127.0.0.1", self.port))
        made.sendall(request)
        return made

    def kill(self) -> None:
        """`kill -9`."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def said(self) -> str:
        """All that it printed, on either stream."""
        return self.log.read_text()


def all_routes(application: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every route of an application, however it was included."""
    waiting, found = [("", one) for one in application.routes], list[tuple[str, str]]()
    while waiting:
        before, one = waiting.pop()
        if isinstance(one, APIRoute):
            found += [(method, before + one.path) for method in sorted(one.methods or ())]
        prefix = before + getattr(getattr(one, "include_context", None), "prefix", "")
        waiting += [(prefix, inner) for inner in getattr(getattr(one, "original_router", None), "routes", [])]
    assert len(found) > 20
    return found


def addresses(application: FastAPI) -> list[str]:
    """An address of every route that is read."""
    known = {"slug": "tiny/l2-resid", "index": "0", "first": "0", "second": "1"}
    return [filled(path, known) for method, path in all_routes(application) if method == "GET"]


def filled(path: str, known: Mapping[str, str] | None = None) -> str:
    """A route's path with its parameters filled in; 1 where nothing is known."""
    return re.sub(r"\{(\w+)(:path)?\}", lambda match: (known or {}).get(match[1], "1"), path)


@contextmanager
def serving(db: str, log: Path, *options: str, code: str = "", **environment: str) -> Iterator[Server]:
    """`dense-latents serve` on a free port.

    Args:
        log: file for what it prints.
        options: of the command.
        code: Python to run in the process first.
    """
    command = [sys.executable, "-c", f"{code}\nfrom dense_latents import main; main()", "serve", "--db", db]
    with log.open("ab") as written:
        begun = written.tell()
        process = subprocess.Popen(
            [*command, "--port", "0", *options],
            cwd=ROOT,
            stdout=written,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
        )
    try:
        yield Server(process, _address(process, log, begun), log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def refused(db: str, *options: str, **environment: str) -> str:
    """What `serve` says where it does not start; it must say it in one line, with exit status 2."""
    command = [sys.executable, "dense_latents.py", "serve", "--db", db, "--port", "0", *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=START_S, env=os.environ | environment
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    return done.stderr


def _address(process: subprocess.Popen[bytes], log: Path, begun: int) -> str:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        words = log.read_bytes()[begun:].decode().split()
        found = [word for word in words if word.startswith("http://")]
        if found:
            return found[0].replace("0.0.0.0", "127.0.0.1")
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text()}")
