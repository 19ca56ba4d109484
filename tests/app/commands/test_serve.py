"""Starting the server: what it refuses, in one line; and a real process that answers."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.commands.serve import check_address, check_database, is_loopback, listen, serve
from app.http.errors import ServeError
from migrations.runner import head_revision, upgrade
from store.errors import StoreError
from tests.app.servers import Server, refused, serving
from tests.app.world import SLUGS
from tests.root import ROOT


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "gpu-box", "127.0.0.1.evil.example", "", "1.127.0.0"])
def test_an_address_others_reach_is_refused_unless_asked_for(host: str) -> None:
    with pytest.raises(ServeError, match="--insecure"):
        check_address(host, insecure=False)
    check_address(host, insecure=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_needs_no_leave(host: str) -> None:
    assert is_loopback(host)


def test_a_missing_file_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=r"none\.db does not exist; .*analyze"):
        serve(str(tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 2\0" + b"\0" * 100])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"text\.db is no SQLite database"):
        check_database(str(tmp_path / "text.db"))


def test_a_damaged_database_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises(ServeError, match=r"bad\.db cannot be read"):
        check_database(str(tmp_path / "bad.db"))
    with pytest.raises(StoreError, match="is no file"):
        check_database(str(tmp_path))


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE song (id)")
    with pytest.raises(ServeError, match="holds no dense-latents store"):
        check_database(str(tmp_path / "other.db"))


@pytest.mark.parametrize(("revision", "mend"), [("0000", "db upgrade"), ("9999", "update dense-latents")])
def test_another_schema_names_both_revisions(tmp_path: Path, revision: str, mend: str) -> None:
    upgrade(str(tmp_path / "a.db"))
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    with pytest.raises(ServeError, match=f"schema {revision}, this server expects {head_revision()}; .*{mend}"):
        check_database(str(tmp_path / "a.db"))


def test_a_wrong_url_is_refused_without_its_password() -> None:
    with pytest.raises(ServeError) as refusal:
        check_database("nosuch://me:secret@host/x")
    assert "secret" not in str(refusal.value)


def test_a_taken_port_is_named(store: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServeError, match=f"127.0.0.1:{port}: Address already in use; choose another --port"):
            serve(store, port=port)


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(ServeError, match="port 70000"):
        listen("127.0.0.1", 70_000)


@pytest.fixture
def process(store: str) -> Iterator[tuple[str, float]]:
    """A real server: its address, and seconds from the process's start to the first page."""
    code = f"from app.commands.serve import serve; serve({store!r}, port=0)"
    begun = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = server.stdout.readline().split()[2]
        assert httpx.get(f"{address}/api/v1/saes").status_code == 200
        yield address, time.monotonic() - begun
        server.terminate()
        assert server.wait(timeout=10) in {0, -15}


def test_a_started_server_answers_soon_and_bounds_what_it_reads(process: tuple[str, float]) -> None:
    address, seconds = process
    assert seconds < 6  # 1.5 on an idle machine; the suite shares two cores
    assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}
    assert 400 <= _raw(address, b"GET /?q=" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") < 500
    assert _raw(address, b"GET /healthz HTTP/1.1\r\n\r\n") == 400
    assert _raw(address, b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n") == 400
    assert _raw(address, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n") == 400
    assert httpx.post(f"{address}/healthz", content=iter([b"a" * 65536] * 16)).status_code in {405, 413}


def _raw(address: str, request: bytes) -> int:
    port = int(address.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        return int(connection.recv(100).split()[1])


@pytest.mark.parametrize("signal", ["kill", "terminate"])
def test_several_processes_answer_and_end_together(store: str, tmp_path: Path, signal: str) -> None:
    with serving(store, tmp_path / "log", "--processes", "2") as server:
        with server.client() as client:
            assert [client.get("/healthz").status_code for _ in range(6)] == [200] * 6
            assert client.get(f"/saes/{SLUGS[1]}/latents/0").status_code == 200
        getattr(server.process, signal)()
        server.process.wait(30)
        _closes(server.port)


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not deal connections out")
def test_each_of_several_processes_gets_readers(store: str, tmp_path: Path) -> None:
    """At a shared socket one of them takes nearly all: whichever wakes first takes all that wait."""
    with serving(store, tmp_path / "log", "--processes", "2") as server:
        half = [server.raw(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n") for _reader in range(40)]
        for _try in range(200):
            found = _connections(server)
            if sum(found) >= 40:
                break
            time.sleep(0.1)
        assert min(found) >= 10
        for one in half:
            one.sendall(b"\r\n")
            assert one.recv(100).split()[1] == b"200"
            one.close()
        assert "Address already in use" in refused(store, "--processes", "2", "--port", str(server.port))


def _connections(server: Server) -> list[int]:
    """How many each process that answers has open."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    opened = [map(_target, Path(f"/proc/{child}/fd").iterdir()) for child in children]
    found = [sum(name.startswith("socket:") for name in names) for names in opened]
    return sorted(found)[-2:]  # multiprocessing has one child of its own, that tracks resources


def _target(descriptor: Path) -> str:
    """What a descriptor is of; nothing once it is closed."""
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""


def _closes(port: int) -> None:
    """Nobody listens there any more, within ten seconds: the others end when the first does."""
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.1)
    pytest.fail(f"somebody still listens at port {port}")
