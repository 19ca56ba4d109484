"""Who is asked, who asks, how much; what pages may load; what static files there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.http.security import SAFE_METHODS
from app.main import create_app
from app.settings import ROOT, Settings
from tests.app.servers import all_routes, filled
from tests.app.world import SLUGS

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:9000"},
    {"Origin": "https://127.0.0.1"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Origin": ""},
]
"""What browsers send with a request that another site's page asked for."""


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "[::1]:8000", "LOCALHOST"])
def test_loopback_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "localhost.",
        "127.0.0.1@evil.example",
        "127.0.0.1:80:80",
        "192.168.1.5",
        "[::1].evil.example",
        "localhost evil.example",
        "127.0.0.1:",
    ],
)
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 400


def test_an_allowed_name_is_answered_and_addresses_only_if_asked_for(store: str) -> None:
    app = create_app(Settings(db=store, allowed_hosts=("gpu-box",), any_address=True))
    client = TestClient(app, base_url="http://gpu-box:8000")
    assert client.get("/healthz").status_code == 200
    assert client.get("/healthz", headers={"Host": "192.168.1.5:8000"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_writes_from_other_sites_are_refused(client: TestClient, method: str, headers: dict[str, str]) -> None:
    assert client.request(method, "/api/v1/runs", headers=headers).status_code == 403


def test_no_route_that_writes_obeys_another_site(application: FastAPI, client: TestClient) -> None:
    writing = [(method, filled(path)) for method, path in all_routes(application) if method not in SAFE_METHODS]
    assert len(writing) > 5
    for method, path in writing:
        for headers in FOREIGN:
            assert client.request(method, path, headers=headers).status_code == 403, (method, path, headers)
            hosted = {**headers, "Host": "127.0.0.1.evil.example"}
            assert client.request(method, path, headers=hosted).status_code == 400


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://127.0.0.1"}, {}])
def test_writes_of_our_own_reach_the_route(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/api/v1/runs", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_a_long_address_is_414_and_a_large_body_413(client: TestClient) -> None:
    assert client.get("/api/v1/runs?q=" + "a" * 60_000).status_code == 414
    assert client.post("/api/v1/runs", content=b"a" * 1_000_000).status_code == 413
    assert client.post("/api/v1/runs", headers={"Content-Length": "1e9"}, content=b"a").status_code == 413


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/runs", "/nowhere", "/api/v1/nowhere", "/api/v1/saes/x"])
def test_every_answer_carries_the_policy(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "private, no-cache"


def test_a_refused_host_gets_the_policy_too(client: TestClient) -> None:
    assert "content-security-policy" in client.get("/", headers={"Host": "evil.example"}).headers


@pytest.fixture
def folder(tmp_path: Path, store: str) -> tuple[FastAPI, TestClient]:
    """A server whose static folder holds one file and two links out."""
    static = tmp_path / "static"
    (static / "inside").mkdir(parents=True)
    (static / "a.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    (static / "inside" / "up").symlink_to(tmp_path)
    app = create_app(Settings(db=store, static=static, templates=ROOT / "templates"))
    return app, TestClient(app, base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    "name",
    [
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "%252e%252e%252fsecret.txt",
        "..\\secret.txt",
        "..%5csecret.txt",
        "link.txt",
        "inside/up/secret.txt",
        "a.js/..%2f..%2fsecret.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "a.js%00",
        "",
        "inside",
    ],
)
def test_nothing_outside_the_static_folder_is_served(folder: tuple[FastAPI, TestClient], name: str) -> None:
    app, client = folder
    answer = client.get(f"/static/{app.state.assets.version}/{name}")
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace(name, "")


def test_a_static_file_may_be_kept_for_ever_under_its_hash_only(folder: tuple[FastAPI, TestClient]) -> None:
    app, client = folder
    answer = client.get(app.state.assets.url("a.js"))
    assert answer.text == "1"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/javascript")
    assert client.get("/static/0000000000000000/a.js").status_code == 404


def test_an_unchanged_answer_is_304_and_another_address_is_not(client: TestClient) -> None:
    first = client.get(f"/api/v1/saes/{SLUGS[0]}")
    tag = first.headers["etag"]
    again = client.get(f"/api/v1/saes/{SLUGS[0]}", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(f"/api/v1/saes/{SLUGS[1]}", headers={"If-None-Match": tag}).status_code == 200
