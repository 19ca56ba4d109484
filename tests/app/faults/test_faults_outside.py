"""Faults from outside: open doors, secrets, clients that send too much or too slowly, a machine without a network."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.engine import make_url

from app.http.security import SAFE_METHODS
from app.main import create_app
from app.settings import ROOT, Settings
from store.session import make_engine, session_factory
from store.tables import Annotation, Category, Sae, SavedView
from tests.app.servers import Server, addresses, all_routes, filled, refused, serving
from tests.app.world import HOSTILE, build
from tests.postgres import execute

TOKEN, IN_LINK = "correct-horse/battery+staple", "correct-horse%2Fbattery%2Bstaple"
PASSWORD = "hunter2-of-the-database"
SLUG = "tiny/l2-resid"
LATENT = f"/saes/{SLUG}/latents/0"
KINDS = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json")


@pytest.fixture
def server(store: str, tmp_path: Path) -> Iterator[Server]:
    with serving(store, tmp_path / "log") as made:
        yield made


# 19: hostile text


def test_what_people_wrote_is_text_on_every_page(tmp_path: Path) -> None:
    db = build(tmp_path / "world.db")
    engine, now = make_engine(db), datetime(2026, 1, 1)
    with session_factory(engine)() as session:
        sha256 = session.query(Sae).where(Sae.slug == SLUG).one().sha256
        for index, words in enumerate(HOSTILE[:3]):
            own = f"own-{index}"
            session.add(
                Category(
                    key=own, title=words, colour="teal", description=words, archived=False, author=words, changed=now
                )
            )
            session.add(SavedView(name=words, address=f"/latents?q={index}", author=words, created=now))
            said = {"category": own, "verdict": "keep", "note": words, "author": words, "created": now}
            for other, place in ((-1, 0), (-1, index + 1), (1, 0)):
                version = index + 1 if place == 0 else 1
                latest = place != 0 or index == 2
                session.add(
                    Annotation(
                        **said,
                        sae_sha256=sha256,
                        index=place,
                        other=other,
                        version=version,
                        latest=latest,
                        restores=None,
                    )
                )
        session.commit()
    engine.dispose()
    application = create_app(Settings(db=db))
    client = TestClient(application, base_url="http://127.0.0.1")
    shown = set()
    for address in addresses(application):
        answer = client.get(address)
        if "html" in answer.headers["content-type"]:
            lowered = answer.text.lower()
            assert "<script>alert" not in lowered, address
            assert "<img src=x" not in lowered, address
            shown |= {address} if "&lt;script&gt;alert(1)" in lowered else set()
    assert {LATENT, "/annotations", "/categories", "/views"} <= shown
    application.state.engine.dispose()


# 20: an address that others reach


def test_an_open_door_to_other_machines_is_not_opened(store: str) -> None:
    for host in ("0.0.0.0", "::"):
        said = refused(store, "--host", host, DENSE_LATENTS_TOKEN="")
        assert f"{host} can be reached by other machines" in said
        assert "--token" in said
        assert "--insecure" in said


def test_a_token_that_is_too_short_is_not_repeated(store: str) -> None:
    said = refused(store, "--host", "0.0.0.0", DENSE_LATENTS_TOKEN="swordfish")
    assert "9 characters; expected 16" in said
    assert "swordfish" not in said
    assert "--trusted-proxy proxy.example" in refused(store, "--trusted-proxy", "proxy.example")


# 36: everybody a trusted proxy


@pytest.mark.parametrize(
    "ranges", [("0.0.0.0/0",), ("::/0",), ("10.0.0.5", "128.0.0.0/1"), ("2000::/3",), ("8.0.0.0/8",)]
)
def test_a_range_in_which_strangers_are_is_no_trusted_proxy(store: str, ranges: tuple[str, ...]) -> None:
    options = [word for one in ranges for word in ("--trusted-proxy", one)]
    said = refused(store, "--host", "0.0.0.0", *options)
    assert f"--trusted-proxy {ranges[-1]} has" in said
    assert "--insecure" in said


def test_everybody_is_a_trusted_proxy_only_where_that_was_asked_for(store: str, tmp_path: Path) -> None:
    options = ("--trusted-proxy", "0.0.0.0/0", "--insecure")
    with serving(store, tmp_path / "log", *options) as server, server.client() as client:
        assert client.get("/", headers={"X-Forwarded-User": "ada"}).status_code == 200


def test_with_a_token_other_machines_may_ask_and_are_asked(store: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    options = ("--host", "0.0.0.0", "--token-file", str(file), "--read-only")
    with serving(store, tmp_path / "log", *options) as server, server.client() as client:
        assert client.get("/").status_code == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/", headers=bearer).status_code == 200
        assert client.get("/", headers={**bearer, "Host": "192.168.1.5"}).status_code == 200
        assert client.get("/", headers={**bearer, "Host": "evil.example"}).status_code == 400
        assert client.post(f"{LATENT}/annotation", headers=bearer, data={"name": "Ada"}).status_code == 403
        assert 'name="note"' not in client.get(LATENT, headers=bearer).text


def status(connection: socket.socket) -> int:
    with connection:
        return int(connection.recv(100).split()[1])


# 37: one peer's wrong tokens


def ask(server: Server, token: str, peer: str) -> socket.socket:
    head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    return server.raw(f"{head}Authorization: Bearer {token}\r\n\r\n".encode(), peer=peer)


def test_one_peers_wrong_tokens_lock_nobody_out(store: str, tmp_path: Path) -> None:
    slowly = "import app.http.auth; app.http.auth.WAIT_S = 10"
    with serving(store, tmp_path / "log", code=slowly, DENSE_LATENTS_TOKEN=TOKEN) as server:
        begun = time.monotonic()
        guesses = [ask(server, f"guess-number-{number:04}", "127.0.0.2") for number in range(80)]
        assert [status(ask(server, TOKEN, peer)) for peer in ("127.0.0.1", "127.0.0.2")] == [200, 200]
        assert time.monotonic() - begun < 10  # the guesses wait still, and the right ones did not
        assert status(ask(server, "a-slip-of-the-pen", "127.0.0.1")) == 401  # waited, and was no try too many
        statuses = [status(one) for one in guesses]
    assert statuses.count(401) == 50
    assert statuses.count(429) == 30


# 22: secrets


def answers(client: httpx.Client, paths: list[str]) -> Iterator[httpx.Response]:
    """What the server says on all its addresses, and to what it must refuse."""
    for path in paths:
        yield client.get(path)
    for path in (f"/latents?sort=x&token={IN_LINK}", f"/nowhere?token={IN_LINK}", f"{LATENT}?run=x&token={IN_LINK}"):
        first = client.get(path)
        yield first
        yield client.get(first.headers["location"])
    yield client.get(f"/?token={IN_LINK}x")
    yield client.get(f"/{'a' * 9000}?token={IN_LINK}")
    yield client.get(f"/?token={IN_LINK}", headers={"Host": "evil.example"})
    yield client.post(f"/latents?token={IN_LINK}")
    yield client.post("/login", data={"token": TOKEN, "next": f"/latents?token={IN_LINK}"})
    yield client.post("/login", data={"token": TOKEN + "x"})
    yield client.post("/login", data={"token": TOKEN * 50})
    yield client.post("/login", content=TOKEN.encode(), headers={"Content-Type": "multipart/form-data"})
    yield client.get("/api/v1/runs", headers={"Authorization": f"Bearer {TOKEN}x"})
    yield client.get("/api/v1/runs", headers={"Authorization": f"Basic {TOKEN}"})
    yield client.get("/", headers={"X-Forwarded-User": TOKEN})


def test_no_secret_is_in_any_answer_or_in_the_log(postgres: str, postgres_db: str, tmp_path: Path) -> None:
    url = make_url(build(postgres_db))
    secret = url.set(password=PASSWORD).render_as_string(hide_password=False)
    paths = addresses(create_app(Settings(db=postgres_db)))
    with serving(secret, tmp_path / "log", DENSE_LATENTS_TOKEN=TOKEN) as server, server.client() as client:
        assert client.get(f"/?token={IN_LINK}").status_code == 303
        found = list(answers(client, paths))
        with gone(postgres, str(url.database)):
            found += [client.get(path) for path in (LATENT, "/api/v1/runs", "/healthz")]
            assert [answer.status_code for answer in found[-3:]] == [503, 503, 503]
        assert client.get(LATENT).status_code == 200
    assert {200, 303, 400, 401, 404, 414, 422, 503} <= {answer.status_code for answer in found}
    assert not [answer.url for answer in found if answer.status_code == 500]
    for answer in found:
        everything = f"{answer.headers}\n{answer.text}"
        for word in (TOKEN, IN_LINK, PASSWORD):
            assert word not in everything, (word, answer.url)
    for word in (TOKEN, IN_LINK, PASSWORD, "horse"):
        assert word not in server.said()
    assert server.said().count("\n") > 1  # the log says that the database was gone


class gone:  # noqa: N801 -- read as a word
    """A database that nobody reaches for a while."""

    def __init__(self, server: str, name: str) -> None:
        self.server, self.name = server, name

    def __enter__(self) -> None:
        execute(self.server, f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        execute(self.server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")

    def __exit__(self, *_error: object) -> None:
        execute(self.server, f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")


# 23: too much, too slowly


def test_a_body_of_100_mb_is_refused_unread(server: Server) -> None:
    head = f"POST {LATENT}/annotation HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000000\r\n\r\n"
    with server.raw(head.encode()) as connection:
        assert connection.recv(100).split()[1] == b"413"


def test_a_body_of_unknown_length_is_cut_off(server: Server) -> None:
    head = f"POST {LATENT}/annotation HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
    chunk, sent = b"10000\r\n" + b"a" * 0x10000 + b"\r\n", 0
    kind = "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    with server.raw((head + kind).encode()) as connection:
        with suppress(OSError):
            while sent < 100_000_000:
                connection.sendall(chunk)
                sent += len(chunk)
            assert connection.recv(100).split()[1] == b"413"
        assert sent < 20_000_000  # what the buffers between us hold
    assert httpx.get(f"{server.address}/healthz", trust_env=False).status_code == 200


def test_a_head_without_an_end_is_cut_off(server: Server) -> None:
    sent = 0
    with server.raw(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ") as connection, suppress(OSError):
        while sent < 100_000_000:
            connection.sendall(b"a" * 0x10000)
            sent += 0x10000
    assert sent < 20_000_000  # what the buffers between us hold


def test_no_form_takes_more_than_its_limit(client: TestClient) -> None:
    cut = set()
    for method, path in all_routes(client.app):  # type: ignore[arg-type]
        for kind in KINDS if method not in SAFE_METHODS else ():
            headers = {"Content-Type": kind}
            answer = client.request(method, filled(path), content=b"a" * 300_000, headers=headers)
            assert answer.status_code == 413, (method, path, kind)
            answer = client.request(
                method, filled(path), content=iter([b"a" * 65536] * 8), headers=headers
            )  # no length
            assert answer.status_code < 500, (method, path, kind)  # some read no body, or not of this kind
            cut |= {path} if answer.status_code == 413 else set()
    assert {"/saes/{slug:path}/latents/{index}/annotation", "/categories", "/views", "/login"} <= cut
    assert "/api/v1/saes/{slug:path}/latents/{index}/annotation" in cut


@pytest.mark.parametrize("part", ["0-", "{0}-{0}", "-1"])
def test_a_thousand_ranges_give_no_more_than_the_file(server: Server, part: str) -> None:
    application = create_app(Settings(db="unused.db"))
    name = "vendor/plotly-cartesian.min.js"
    size = (ROOT / "static" / name).stat().st_size
    asked = "bytes=" + ",".join(part.format(2 * number) for number in range(1000))
    begun = time.monotonic()
    with server.client() as client:
        answer = client.get(application.state.assets.url(name), headers={"Range": asked})
    assert answer.status_code in {200, 206, 400, 416}
    assert len(answer.content) <= size + 200_000
    assert time.monotonic() - begun < 10


def drip(connections: list[socket.socket], over: threading.Event) -> None:
    """One byte a second on each."""
    while not over.wait(1):
        for one in connections:
            with suppress(OSError):
                one.send(b"a")


def test_slow_clients_hold_nobody_up(server: Server) -> None:
    head = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: a"
    post = (
        f"POST {LATENT}/annotation HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    )
    body = f"{post}Content-Length: 1000\r\n\r\nnote=".encode()
    large = create_app(Settings(db="unused.db")).state.assets.url("vendor/plotly-cartesian.min.js")
    whole = f"GET {large} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    senders = [server.raw(text) for text in [head, body] * 50]
    readers = [server.raw(whole, receive_buffer=4096) for _reader in range(50)]  # they read nothing
    over = threading.Event()
    dripping = threading.Thread(target=drip, args=(senders, over))
    dripping.start()
    try:
        with server.client() as client:
            begun = time.monotonic()
            assert {client.get(path).status_code for path in ("/", LATENT, "/latents", large, "/healthz")} == {200}
            form = {"note": "", "version": "0", "name": "Ada"}  # says nothing, and so writes nothing
            assert client.post(f"{LATENT}/annotation", data=form).status_code == 303
            assert time.monotonic() - begun < 15  # 0.3 s on an idle machine
    finally:
        over.set()
        dripping.join()
        for one in senders + readers:
            one.close()


# 24: no network

LISTEN_IN = """
import sys
NAMES = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
sys.addaudithook(lambda event, args: print("network:", event, args, flush=True) if event in NAMES else None)
"""


def test_no_request_leaves_the_machine(store: str, tmp_path: Path) -> None:
    paths = addresses(create_app(Settings(db=store)))
    with serving(store, tmp_path / "log", code=LISTEN_IN) as server, server.client() as client:
        statuses = [client.get(path).status_code for path in paths]
        assert statuses.count(200) > 20
        assert "network:" not in server.said()
    asking = f"{LISTEN_IN}\nimport socket\nsocket.getaddrinfo('127.0.0.1', 80)"
    done = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True)
    assert "network:" in done.stdout  # it would have been heard


def test_our_scripts_and_styles_name_no_other_server() -> None:
    own = [path for path in (ROOT / "static").rglob("*") if path.suffix in {".js", ".css", ".svg"}]
    assert len(own) > 5
    for path in own:
        if path.parent.name != "vendor":
            found = set(re.findall(r"https?://[^\s\"'`)]+", path.read_text())) - {"http://www.w3.org/2000/svg"}
            assert not found, path
