"""Many at once: downloads that nobody reads, writers that wait. Readers are not kept waiting by either."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.app.faults.lock import held
from tests.app.servers import Server, serving
from tests.app.world import build
from tests.multiply_store import multiply

LATENT = "/saes/tiny/l2-resid/latents/0"
PAGES = ("/", LATENT, "/latents", "/healthz", "/api/v1/runs")


def soon(client: httpx.Client, path: str) -> bool:
    """Whether an answer comes within 2 s. Of three tries one is enough: other tests share the machine."""
    for _try in range(3):
        begun = time.monotonic()
        assert client.get(path).status_code == 200, path
        if time.monotonic() - begun < 2:
            return True
    return False


def memory(server: Server) -> int:
    """Bytes that the process holds."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096


@contextmanager
def asking(server: Server, request: str, number: int) -> Iterator[list[socket.socket]]:
    """So many connections that sent `request`, and read nothing yet."""
    opened = [server.raw(request.encode(), receive_buffer=4096) for _client in range(number)]
    yield opened
    for one in opened:
        one.close()


def head(connection: socket.socket) -> bytes:
    """What comes first: the status and headers."""
    return connection.recv(2000)


def freed(client: httpx.Client) -> None:
    """There is a place for a download, within two minutes: the machine is shared, and buffers are filled first."""
    end = time.monotonic() + 120
    while client.head("/latents.csv?dense=any").status_code == 503:
        assert time.monotonic() < end


# 30: downloads that nobody reads


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its list is longer than what lies between two sockets."""
    folder = tmp_path_factory.mktemp("large")
    multiply(Path(build(folder / "world.db")), folder / "large.db", 12_000, dense=1)
    return str(folder / "large.db")


def test_downloads_that_nobody_reads_keep_nobody_waiting(large: str, tmp_path: Path) -> None:
    request = "GET /latents.csv?dense=any HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with serving(large, tmp_path / "log") as server, server.client() as client:
        assert all(soon(client, path) for path in PAGES)
        before = memory(server)
        with asking(server, request, 60) as crowd:
            assert all(soon(client, path) for path in PAGES)
            heads = [head(one) for one in crowd]
            assert sum(one.startswith(b"HTTP/1.1 200") for one in heads) == 4
            refused = [one.lower() for one in heads if one.startswith(b"HTTP/1.1 503")]
            assert len(refused) == 56
            assert all(b"retry-after: 5" in one for one in refused)
            assert memory(server) - before < 100_000_000
        freed(client)  # those who left gave their places back
        assert "Traceback" not in server.said()


def test_a_download_that_nobody_reads_is_given_up(large: str, tmp_path: Path) -> None:
    request = "GET /latents.csv?dense=any HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    hurried = "import app.http.limits; app.http.limits.STALL_S = 1"
    with serving(large, tmp_path / "log", code=hurried) as server, server.client() as client:
        with asking(server, request, 4) as crowd:
            assert {head(one)[:12] for one in crowd} == {b"HTTP/1.1 200"}
            freed(client)
        assert "Traceback" not in server.said()


# 32: writers that wait


def test_writers_that_wait_for_a_lock_keep_no_reader_waiting(tmp_path: Path) -> None:
    db = build(tmp_path / "world.db")
    body = "note=meanwhile&version=0&name=Ada"
    kind = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}"
    request = f"POST {LATENT}/annotation HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}\r\n\r\n{body}"
    with serving(db, tmp_path / "log") as server, server.client() as client:
        assert all(soon(client, path) for path in PAGES)
        with held(db, 10), asking(server, request, 80) as crowd:
            time.sleep(0.5)
            assert all(soon(client, path) for path in PAGES)
            begun = time.monotonic()
            statuses = {head(one).split()[1] for one in crowd}
            assert time.monotonic() - begun < 12
        assert statuses == {b"503"}
        assert "meanwhile" not in server.said()
        assert client.post(f"{LATENT}/annotation", data={"note": "after", "name": "Ada"}).status_code == 303
        assert "after" in client.get(LATENT).text
