"""A proxy's word: believed where the proxy is listed, refused everywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.http.errors import ServeError
from app.http.proxies import check_width, header_name, network_of, peer_of
from app.main import create_app
from app.settings import Settings
from tests.app.servers import serving
from tests.app.world import build

PROXY, STRANGER = "10.0.0.5", "10.0.0.6"
TOKEN = "correct-horse/battery+staple"
LATENT = "/saes/tiny/l2-resid/latents/0"
USER = "X-Forwarded-User"


def behind(db: str, peer: str = PROXY, base: str = "http://127.0.0.1", **more: object) -> TestClient:
    """A client whose connection comes from `peer`, to a server that lists the proxy."""
    known = {"trusted_proxies": (PROXY, "fd00::/8"), **more}
    application = create_app(Settings(db=db, **known))  # type: ignore[arg-type]
    return TestClient(application, base, raise_server_exceptions=False, follow_redirects=False, client=(peer, 50_000))


def test_the_proxy_says_who_writes_and_nobody_chooses(tmp_path: Path) -> None:
    client = behind(build(tmp_path / "world.db"))
    client.headers[USER] = "Grace Hopper <grace@example.org>"
    assert 'name="name"' not in client.get(LATENT).text
    assert client.post(f"{LATENT}/annotation", data={"note": "a", "version": "0", "name": "Eve"}).status_code == 303
    text = client.get(LATENT).text
    assert "Grace Hopper &lt;grace@example.org&gt;" in text
    assert "Eve" not in text


def test_a_name_in_another_script_is_read(store: str) -> None:
    client = behind(store)
    for name in ("Łukasz 李", "a\u202eb", "x" * 300, "&quot;><script>"):
        assert client.get(LATENT, headers={USER.encode(): name.encode()}).status_code == 200


@pytest.mark.parametrize("token", ["", TOKEN])
@pytest.mark.parametrize("proxies", [(), (PROXY,)])
def test_the_name_is_forged_where_the_peer_is_not_listed(store: str, token: str, proxies: tuple[str, ...]) -> None:
    client = behind(store, STRANGER, trusted_proxies=proxies, token=token)
    for more in ({}, {"X-Forwarded-For": PROXY}, {"Forwarded": f"for={PROXY}"}, {"Authorization": f"Bearer {TOKEN}"}):
        answer = client.get(LATENT, headers={USER: "root", **more})
        assert answer.status_code == 401
        assert "root" not in answer.text
    assert client.get("/api/v1/runs", headers={USER: "root"}).headers["content-type"] == "application/problem+json"


def test_behind_a_proxy_alone_those_it_does_not_name_stay_out(store: str) -> None:
    assert behind(store).get(LATENT).status_code == 401
    assert behind(store, STRANGER).get(LATENT).status_code == 401
    assert behind(store).get(LATENT, headers={USER: "  "}).status_code == 401
    assert behind(store).get(LATENT, headers=[(USER, "ada"), (USER, "root")]).status_code == 401


def test_where_there_is_a_token_too_either_opens(store: str) -> None:
    assert behind(store, token=TOKEN).get(LATENT, headers={USER: "ada"}).status_code == 200
    assert behind(store, STRANGER, token=TOKEN).get(LATENT).status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert behind(store, STRANGER, token=TOKEN).get(LATENT, headers=bearer).status_code == 200


def test_another_header_can_be_the_one(store: str) -> None:
    client = behind(store, user_header="Remote-User")
    assert client.get(LATENT, headers={"Remote-User": "ada"}).status_code == 200
    assert client.get(LATENT, headers={USER: "ada"}).status_code == 401


def test_https_is_believed_of_a_listed_proxy_alone(store: str) -> None:
    said = {"X-Forwarded-Proto": "https"}
    for peer, secure in ((PROXY, True), (STRANGER, False)):
        cookie = behind(store, peer, token=TOKEN).get(f"/?token={TOKEN}".replace("+", "%2B"), headers=said)
        assert ("Secure" in cookie.headers["set-cookie"].split("; ")) == secure


def test_addresses_are_compared_as_addresses(store: str) -> None:
    for peer, status in (("::ffff:10.0.0.5", 200), ("fd12::1", 200), ("fe80::1", 401), ("10.0.0.50", 401), ("", 401)):
        assert behind(store, peer).get(LATENT, headers={USER: "ada"}).status_code == status, peer
    assert peer_of({"client": None}) == ""


@pytest.mark.parametrize("text", ["", "proxy.example", "10.0.0.5/8", "10.0.0.0/33", "*"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ServeError, match="--trusted-proxy"):
        network_of(text)


@pytest.mark.parametrize("text", ["10.0.0.5", "10.0.0.0/8", "fd00::/8", "::1", "8.8.0.0/16", "2a00:1450::/32"])
def test_a_private_network_or_somebodys_range_is_narrow_enough(text: str) -> None:
    check_width(network_of(text))


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "10.0.0.0/7", "8.0.0.0/15", "2a00::/12", "::/8"])
def test_a_range_with_strangers_in_it_is_too_wide(text: str) -> None:
    with pytest.raises(ServeError, match="--insecure"):
        check_width(network_of(text))


def test_a_header_that_is_none_is_refused() -> None:
    with pytest.raises(ServeError, match="--user-header"):
        header_name("X User:")


def test_a_real_server_takes_no_strangers_word_for_the_peer(store: str, tmp_path: Path) -> None:
    """Uvicorn would let any process of this machine say that it is the proxy."""
    with serving(store, tmp_path / "log", "--trusted-proxy", PROXY) as server, server.client() as client:
        forged = {USER: "root", "X-Forwarded-For": PROXY, "X-Real-IP": PROXY}
        assert client.get("/", headers=forged).status_code == 401
        assert client.get("/").status_code == 401
        assert client.get("/healthz").status_code == 200
    with serving(store, tmp_path / "log", "--trusted-proxy", "127.0.0.0/8") as server, server.client() as client:
        assert client.get("/", headers={USER: "ada"}).status_code == 200
