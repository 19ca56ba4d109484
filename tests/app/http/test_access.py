"""Who may come in by the team's token: every way in, and every way that must stay shut."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.http import auth
from app.http.access import local_path
from app.http.auth import SESSION_S, TokenAuth, TooManyTries, token_of
from app.http.errors import ServeError
from app.main import create_app
from app.settings import Settings
from tests.app.servers import all_routes, filled
from tests.app.world import SLUGS

TOKEN = "correct-horse/battery+staple"
IN_LINK = "correct-horse%2Fbattery%2Bstaple"
WITHOUT = {"/static/{version}/{name:path}", "/healthz", "/login", "/logout"}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "WAIT_S", 0.01)


@pytest.fixture
def guarded(store: str) -> FastAPI:
    return create_app(Settings(db=store, token=TOKEN, allowed_hosts=("gpu-box",)))


@pytest.fixture
def stranger(guarded: FastAPI) -> TestClient:
    """A client that knows nothing."""
    return at(guarded)


@pytest.fixture
def member(guarded: FastAPI) -> TestClient:
    """One who has come in."""
    client = at(guarded)
    assert client.post("/login", data={"token": TOKEN}).status_code == 303
    return client


def at(application: FastAPI, base: str = "http://127.0.0.1", **options: object) -> TestClient:
    return TestClient(
        application,
        base_url=base,
        raise_server_exceptions=False,
        follow_redirects=False,
        **options,  # type: ignore[arg-type]
    )


def everywhere(application: FastAPI) -> list[tuple[str, str]]:
    """Method and an address of every route that is not open."""
    return [(method, filled(path)) for method, path in all_routes(application) if path not in WITHOUT]


def test_without_the_token_no_route_answers(stranger: TestClient, guarded: FastAPI) -> None:
    real = [("GET", f"/saes/{SLUGS[1]}/latents/0"), ("GET", f"/api/v1/saes/{SLUGS[1]}"), ("GET", "/nowhere")]
    for method, path in everywhere(guarded) + real:
        answer = stranger.request(method, path)
        assert (answer.status_code, answer.headers["cache-control"]) == (401, "no-store"), path
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "content-security-policy" in answer.headers
        assert "tiny/" not in answer.text.replace(path, "")
        form = 'action="/login"' in answer.text
        assert form == (not path.startswith("/api") or path == "/api/docs"), path
        assert form or answer.json()["status"] == 401


def test_what_the_form_needs_and_the_health_check_are_open(stranger: TestClient) -> None:
    page = stranger.get("/").text
    for link in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert stranger.get(link).status_code == 200
    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert stranger.get("/login").status_code == 200


def test_a_link_with_the_token_is_swapped_once_for_a_cookie(stranger: TestClient) -> None:
    answer = stranger.get(f"/latents?sort=max&token={IN_LINK}&q=a%20b%26c")
    assert (answer.status_code, answer.headers["location"]) == (303, "/latents?sort=max&q=a%20b%26c")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert IN_LINK not in cookie
    assert stranger.get(answer.headers["location"]).status_code == 200


def test_over_https_the_cookie_is_for_https_alone(guarded: FastAPI) -> None:
    answer = at(guarded, "https://gpu-box").get(f"/?token={IN_LINK}")
    assert "Secure" in answer.headers["set-cookie"].split("; ")


@pytest.mark.parametrize("query", [f"%74oken={IN_LINK}", f"a=1&token={IN_LINK}&token=b"])
def test_the_token_leaves_the_address_however_it_is_written(stranger: TestClient, query: str) -> None:
    to = stranger.get(f"/latents?{query}").headers["location"]
    assert to in {"/latents", "/latents?a=1"}


def test_one_who_is_in_loses_the_token_of_an_old_link_and_stays_in(member: TestClient) -> None:
    answer = member.get("/layers?token=the-token-of-last-year")
    assert (answer.status_code, answer.headers["location"]) == (303, "/layers")


@pytest.mark.parametrize("path", ["//evil.example/", "//evil.example", "/\\evil.example/"])
def test_no_link_leads_to_another_server(stranger: TestClient, path: str) -> None:
    answer = stranger.get(f"http://127.0.0.1{path}?token={IN_LINK}")
    assert answer.headers.get("location", "/") in {"/", "/%5Cevil.example/"}


@pytest.mark.parametrize(
    "text", ["", "evil", "//evil.example", "/\\evil", "\\\\evil", "https://evil", "/\t/evil", "/a\nb", " /a", "/é"]
)
def test_only_an_address_of_this_server_is_gone_back_to(stranger: TestClient, text: str) -> None:
    assert local_path(text) == "/"
    assert stranger.post("/login", data={"token": TOKEN, "next": text}).headers["location"] == "/"


def test_a_wrong_token_in_a_link_is_asked_again_and_is_nowhere_in_the_page(stranger: TestClient) -> None:
    answer = stranger.get("/latents?sort=max&token=not-the-token-at-all")
    assert answer.status_code == 401
    assert 'name="next" value="/latents?sort=max"' in answer.text
    assert "not-the-token" not in answer.text + str(answer.headers)


def test_the_form_leads_in_and_back(stranger: TestClient) -> None:
    wrong = stranger.post("/login", data={"token": "wrong-wrong-wrong", "next": "/latents?a=1&b=2"})
    assert wrong.status_code == 401
    assert 'name="next" value="/latents?a=1&amp;b=2"' in wrong.text
    assert "not the token" in wrong.text
    right = stranger.post("/login", data={"token": f" {TOKEN}\n", "next": "/latents?a=1&b=2"})
    assert (right.status_code, right.headers["location"]) == (303, "/latents?a=1&b=2")
    assert stranger.get("/latents").status_code == 200


def test_another_sites_page_cannot_send_the_form(stranger: TestClient) -> None:
    answer = stranger.post("/login", data={"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_programs_send_the_token_in_a_header(stranger: TestClient) -> None:
    def status(value: str) -> int:
        return stranger.get("/api/v1/runs", headers={"Authorization": value}).status_code

    assert (status(f"Bearer {TOKEN}"), status(f"bearer {TOKEN}")) == (200, 200)
    for wrong in (f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", "Bearer é"):
        assert stranger.get("/api/v1/runs", headers={b"Authorization": wrong.encode("latin-1")}).status_code == 401, (
            wrong
        )
    assert "set-cookie" not in stranger.get("/api/v1/runs", headers={"Authorization": f"Bearer {TOKEN}"}).headers


def test_one_who_leaves_is_out(member: TestClient) -> None:
    assert "/logout" in member.get("/latents").text
    assert "<form" in member.get("/logout").text
    assert member.get("/latents").status_code == 200  # the link alone does nothing
    assert member.post("/logout").headers["location"] == "/login"
    assert member.get("/latents").status_code == 401


def test_a_save_after_the_session_ran_out_leads_back_to_its_page(stranger: TestClient) -> None:
    page = f"/saes/{SLUGS[1]}/latents/0"
    answer = stranger.post(f"{page}/annotation", headers={"Referer": f"http://127.0.0.1{page}?run=2"})
    assert f'name="next" value="{page}?run=2"' in answer.text
    other = stranger.post(f"{page}/annotation", headers={"Referer": f"http://evil.example{page}"})
    assert 'name="next" value="/"' in other.text


def test_a_session_outlives_a_restart_and_ends_with_the_token_or_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for given, good in ((now, True), (now - SESSION_S + 120, True), (now - SESSION_S, False), (now + 3600, False)):
        monkeypatch.setattr(time, "time", lambda given=given: given)
        cookie = TokenAuth(TOKEN).new_session()
        monkeypatch.undo()
        assert TokenAuth(TOKEN).is_session(cookie) is good
    assert not TokenAuth(TOKEN + "x").is_session(TokenAuth(TOKEN).new_session())
    assert TokenAuth(TOKEN).cookie != TokenAuth(TOKEN + "x").cookie  # two servers on one host keep their own


@pytest.mark.parametrize(
    "wrong", ["", ".", "in.", "in..", "in", "in.x.y", "in.².z", "x" * 400 + ".0.1", "in.aaaaaa.é", "in.\ud800.a"]
)
def test_a_session_that_nobody_gave_is_none(wrong: str) -> None:
    assert not TokenAuth(TOKEN).is_session(wrong)


def test_a_session_whose_time_was_changed_is_none(member: TestClient, guarded: FastAPI) -> None:
    name, cookie = next(iter(member.cookies.items()))
    value, given, signature = cookie.split(".")
    later = given[:-1] + ("a" if given[-1] != "a" else "b")
    assert at(guarded, cookies={name: f"{value}.{given}.{signature}"}).get("/").status_code == 200
    assert at(guarded, cookies={name: f"{value}.{later}.{signature}"}).get("/").status_code == 401


def test_where_no_token_is_set_nothing_opens() -> None:
    assert not asyncio.run(TokenAuth("").accepts("", "peer"))
    assert not TokenAuth("").is_session(TokenAuth("").new_session())


def test_wrong_tokens_wait_a_peers_many_are_refused_and_the_right_one_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "WAIT_S", 1.5)
    monkeypatch.setattr(auth, "MOST_WAITING", 10)

    async def tries() -> tuple[list[object], bool, list[bool], float]:
        known = TokenAuth(TOKEN)
        begun = time.monotonic()
        guesses = [known.accepts(f"guess-number-{number:04}", "bad") for number in range(30)]
        guessing = asyncio.gather(*guesses, return_exceptions=True)
        await asyncio.sleep(0.05)
        right = [await known.accepts(TOKEN, peer) for peer in ("bad", "good")]
        at_once = time.monotonic() - begun < 1.5
        other = await known.accepts("a-slip-of-the-pen", "good")  # waits, and is no try too many
        return list(await guessing), other, [*right, at_once], time.monotonic() - begun

    found, other, right, seconds = asyncio.run(tries())
    assert found.count(False) == 10
    assert sum(isinstance(one, TooManyTries) for one in found) == 20
    assert right == [True, True, True]
    assert not other
    assert seconds >= 1.5


def test_an_open_server_asks_nobody(client: TestClient) -> None:
    assert client.get("/").status_code == 200
    for path in ("/login", "/logout"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 15, "x" * 201, "sixteen letters and", "sixteen-letters-é", "a\n" * 9]
)
def test_a_token_that_is_no_good_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ServeError) as refusal:
        token_of(token, None)
    assert not token or token not in str(refusal.value)


def test_a_token_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert token_of(None, file) == TOKEN
    assert token_of("the-one-of-the-environment", file) == TOKEN
    assert token_of(None, None) == ""
    with pytest.raises(ServeError, match="none cannot be read: No such file"):
        token_of(None, tmp_path / "none")
    file.write_text("")
    with pytest.raises(ServeError, match="0 characters"):
        token_of(None, file)
