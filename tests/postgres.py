"""A PostgreSQL of the test run's own: Debian's server over a folder that is thrown away, on a Unix socket alone."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

INSTALL = "PostgreSQL's tests are skipped: "
_DEBIAN = Path("/usr/lib/postgresql")
_HASTE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # the machine's crash is not what is tested
_SETTINGS = (*_HASTE, "listen_addresses=", "max_connections=200", "shared_buffers=32MB", "timezone=Asia/Kathmandu")
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of the server; skips where it cannot be had."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip(INSTALL + "install the server (apt-get install postgresql, or sh tests/find-postgres.sh)")
    pytest.importorskip("psycopg", reason=INSTALL + "pip install -c constraints.txt '.[postgres]'")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # short: a socket's path may have 107 bytes
    try:
        with _running(binaries, folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_db(postgres: str) -> Iterator[str]:
    """URL of an empty database that goes when the test ends."""
    with database(postgres) as url:
        yield url


@contextmanager
def database(server: str) -> Iterator[str]:
    """An empty database of `server`."""
    name = f"dense_{next(_numbers)}"
    execute(server, f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, statement: str) -> None:
    """One statement outside any transaction."""
    import psycopg

    with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:"), autocommit=True) as connection:
        connection.execute(statement.encode())


def _binaries() -> Path | None:
    """The newest of Debian's, or the one that PATH has."""
    found = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    named = shutil.which("postgres")
    return Path(named).resolve().parent if named else None


def _person() -> dict[str, Any]:
    """Whom the server runs as: it refuses to run as root."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def _running(binaries: Path, folder: Path) -> Iterator[str]:
    person = _person()
    if person:
        os.chown(folder, person["user"], person["group"])
    data, log = folder / "data", folder / "log"
    made = subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "dense", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
        capture_output=True,
        text=True,
        cwd=folder,
        **person,
    )
    assert made.returncode == 0, made.stderr
    settings = [word for setting in (*_SETTINGS, f"unix_socket_directories={folder}") for word in ("-c", setting)]
    with log.open("wb") as written:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *settings], cwd=folder, stdout=written, stderr=written, **person
        )
    url = f"postgresql+psycopg://dense@/postgres?host={folder}"
    try:
        _wait(url, server, log)
        yield url
    finally:
        _stop(server)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    end = time.monotonic() + 60
    while True:
        try:
            return execute(url, "SELECT 1")
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # "fast": ends its connections first
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
