"""The process by itself: what it answers on its socket, what it refuses, and how it ends."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.analysis.conftest import Parts
from tests.live_world import TEXT, analysed, directly, holds, wait_until
from tests.root import ROOT


class Process(NamedTuple):
    """One that listens."""

    process: subprocess.Popen[bytes]
    path: str
    folder: Path

    def send(self, line: bytes, seconds: float = 90.0) -> bytes:
        """What comes back for a line; empty where it died."""
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(seconds)
            made.connect(self.path)
            made.sendall(line)
            parts = list[bytes]()
            while part := made.recv(1 << 16):
                parts.append(part)
        return b"".join(parts)

    def ask(self, text: str, **more: Any) -> dict[str, Any]:
        """What is answered for a text on the first SAE."""
        asked = {"text": text, "saes": [[1, self.slug]], **more}
        found: dict[str, Any] = json.loads(self.send(json.dumps(asked).encode() + b"\n"))
        return found

    @property
    def slug(self) -> str:
        """Of the first SAE."""
        return "tiny-llama/l0-resid"


@contextmanager
def started(db: str, folder: Path, **limits: float) -> Iterator[Process]:
    """The process, as a server begins it."""
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "live"))
        listening.listen(64)
        number = listening.fileno()
        command = [sys.executable, "-m", "analysis.live", str(number)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[number], env=environment, stderr=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            settings = {"db": db, "folder": str(folder), "limits": limits}
            process.stdin.write(json.dumps(settings).encode() + b"\n")
            process.stdin.flush()
            try:
                yield Process(process, str(folder / "live"), folder)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def db(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> str:
    return analysed(parts, tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def process(db: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One for the tests that do not end it."""
    with started(db, tmp_path_factory.mktemp("sockets") / "s", wait=60.0) as made:
        yield made


def test_what_it_refuses_costs_no_model(process: Process) -> None:
    begun = time.monotonic()
    megabyte = json.dumps({"text": "a" * 1_000_000, "saes": [[1, process.slug]]}).encode() + b"\n"
    assert json.loads(process.send(megabyte))["error"] == "characters"
    assert process.ask("a" * 20_001)["error"] == "characters"
    assert process.ask("")["error"] == "empty"
    for line in (b"\n", b"[]\n", b"{\n", b'{"text": 3, "saes": 4}\n', b'{"text": "a", "saes": []}\n', b"\xff\n"):
        assert json.loads(process.send(line))["error"] == "request"
    assert time.monotonic() - begun < 10
    assert not holds(process.process.pid, "torch")


def test_it_gives_the_stored_dense_latents_of_an_sae(process: Process, parts: Parts, db: str) -> None:
    found = process.ask(TEXT)
    assert "".join(found["tokens"]) == TEXT
    (sae,) = found["saes"]
    values = np.frombuffer(base64.b64decode(sae["activations"]), "<f4").reshape(len(sae["latents"]), -1)
    assert 5 < len(sae["latents"]) == sae["dense"] < 24
    expected = directly(parts, 0, TEXT)[:, sae["latents"]].numpy()
    np.testing.assert_allclose(values.T, expected, rtol=1e-4, atol=1e-5)


def test_it_gives_the_latents_that_are_named(process: Process) -> None:
    found = process.ask(TEXT, latents={process.slug: [23, 1]})
    assert found["saes"][0]["latents"] == [23, 1]
    assert process.ask(TEXT, latents={process.slug: [24]})["error"] == "request"


def test_half_a_letter_is_replaced(process: Process) -> None:
    assert "".join(process.ask("a\ud800b")["tokens"]) == "a?b"


def test_an_sae_that_is_not_in_the_store_is_said_in_the_log_alone(process: Process) -> None:
    answer = process.ask("the sea", saes=[[1, "no/such"]])
    assert answer == {"error": "failed"}
    assert process.ask("the sea")["tokens"], "and the others are still read"


def test_twenty_at_once_are_all_answered(process: Process) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: process.ask(f"the sea {number}"), range(20)))
    assert {answer.get("error", "") for answer in answers} <= {"", "busy"}
    assert sum("tokens" in answer for answer in answers) >= 16


def test_a_text_that_takes_too_long_ends_the_process(db: str, tmp_path: Path) -> None:
    with started(db, tmp_path / "s", seconds=0.001, wait=60.0) as process:
        assert process.send(json.dumps({"text": TEXT, "saes": [[1, process.slug]]}).encode() + b"\n") == b""
        assert process.process.wait(5) == 1


def test_it_ends_when_its_input_ends_and_takes_its_folder_along(db: str, tmp_path: Path) -> None:
    with started(db, tmp_path / "s") as process:
        assert process.ask("")["error"] == "empty"
        assert process.process.stdin is not None
        process.process.stdin.close()
        assert process.process.wait(5) == 0
        assert wait_until(lambda: not process.folder.exists(), 5)
