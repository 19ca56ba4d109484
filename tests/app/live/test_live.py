"""`serve --live` as real processes: what readers see of a model, and what happens when it is killed."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser

from app.main import create_app
from app.settings import Settings
from tests.analysis.conftest import Parts
from tests.app.chromium import Visit
from tests.app.servers import Server, serving
from tests.app.test_pages import spaced
from tests.live_world import TEXT, analysed, directly, holds, is_alive, running, wait_until

SLUGS = ["tiny-llama/l0-resid", "tiny-llama/l2-resid"]
SECRET = "Zanzibarquux"


@pytest.fixture(scope="module")
def db(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> str:
    return analysed(parts, tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def live(db: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of two processes, with the model at hand."""
    log = tmp_path_factory.mktemp("log") / "log"
    with serving(db, log, "--live", "--read-only", "--processes", "2", OMP_NUM_THREADS="1") as server:
        assert asked(server, text="the sea").status_code == 200
        yield server


def asked(server: Server, path: str = "/api/v1/try", **query: object) -> httpx.Response:
    """An answer; who is told to come again does, as people would."""
    end = time.monotonic() + 120
    with server.client() as client:
        while True:
            answer = client.get(path, params={name: str(value) for name, value in query.items()})
            if answer.status_code != 503 or time.monotonic() > end:
                return answer
            assert int(answer.headers["retry-after"]) > 0
            time.sleep(0.5)


def test_activations_are_those_of_the_model_and_the_sae(live: Server, parts: Parts) -> None:
    answer = asked(live, text=TEXT).json()
    assert "".join(answer["tokens"]) == TEXT
    assert {one["sae"] for one in answer["latents"]} == set(SLUGS)
    expected = [directly(parts, place, TEXT) for place in (0, 1)]
    for one in answer["latents"]:
        own = expected[SLUGS.index(one["sae"])][:, one["index"]].tolist()
        assert one["activations"] == pytest.approx(own, rel=1e-3, abs=1e-4)
        assert one["share"] == pytest.approx(sum(value != 0 for value in own) / len(own))
    shares = [one["share"] for one in answer["latents"]]
    assert shares == sorted(shares, reverse=True)
    ratios = [one["ratio"] for one in asked(live, text=TEXT, sort="more").json()["latents"]]
    assert ratios == sorted(ratios, reverse=True)


def test_the_page_shows_the_same_by_rows_of_tokens(live: Server) -> None:
    listed = asked(live, text=TEXT).json()["latents"]
    html = asked(live, "/try", text=TEXT).text
    assert re.findall(r'<th scope="row"><a href="[^"]+">([^<]+)</a>', html) == [one["name"] for one in listed]
    assert html.count('<a class="map"') == len(listed)
    alone = asked(live, "/try", text=TEXT, sae=SLUGS[1]).text
    assert "L2/" in alone
    assert ">L0/" not in alone


def test_a_latent_and_its_mirror_colour_the_text(live: Server, parts: Parts) -> None:
    answer = asked(live, "/try", text=TEXT, latent=f"{SLUGS[0]}:0")
    assert answer.status_code == 200
    values = directly(parts, 0, TEXT)
    shown = re.findall(r'<bdi[^>]* data-v="([^"]+)"', answer.text)
    assert len([one for value in shown for one in value.split() if float(one)]) == int((values[:, 0] != 0).sum())
    assert 'class="p' in answer.text or 'class="n' in answer.text, "latents 0 and 1 are antipodal: signed colours"
    pair = asked(live, "/try", text=TEXT, latent=f"{SLUGS[0]}:0", other=1).text
    assert f"/saes/{SLUGS[0]}/pairs/" in pair


def test_emoji_and_japanese_are_whole(live: Server) -> None:
    text = "日本語 👩‍👩‍👧"
    html = asked(live, "/try", text=text, latent=f"{SLUGS[0]}:0").text
    assert "\ufffd" not in html
    shown = re.search(r'<p class="text tokens".*?</p>', html, re.DOTALL)
    assert shown
    assert re.sub(r"<[^>]+>", "", shown[0]) == text
    assert all(part in re.findall(r"<bdi[^>]*>([^<]*)</bdi>", shown[0]) for part in "日本語")


def test_markup_in_a_text_is_text(live: Server) -> None:
    text = '</textarea></script><script>alert(1)</script>"><img src=x onerror=alert(1)>'
    for latent in ("", f"{SLUGS[0]}:0"):
        html = asked(live, "/try", text=text, latent=latent).text
        assert "<script>alert" not in html
        assert "<img" not in html


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"text": "sea " * 1_100}, 414, "4,400 characters; at most 4,000"),
        ({"text": "sea; sky. " * 300}, 422, "at most 512 are read"),
        ({"text": ""}, 422, "type a few words"),
        ({"text": "a", "latent": "nonsense"}, 422, "write SLUG:INDEX"),
        ({"text": "a", "latent": f"{SLUGS[0]}:24"}, 404, "from 0 to 23"),
        ({"text": "a", "sae": "no/such"}, 404, "It has: tiny-llama"),
        ({"text": "a", "sort": "best"}, 422, "sort 'best'"),
    ],
)
def test_what_is_not_read_is_said_in_a_sentence(live: Server, query: dict[str, str], status: int, says: str) -> None:
    answer = asked(live, "/api/v1/try", **query)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text
    assert answer.headers["cache-control"] in {"no-store", "private, no-cache"}


def test_4000_letters_of_any_script_fit_into_an_address(live: Server) -> None:
    answer = asked(live, text="🐳" * 4_000)
    assert (answer.status_code, "tokens" in answer.json()["detail"]) == (422, True)


def test_a_megabyte_is_refused_quickly(live: Server) -> None:
    begun = time.monotonic()
    head = b"GET /try?text=" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    try:
        with live.raw(head) as connection:
            said = connection.recv(100)
    except ConnectionError:
        said = b"HTTP/1.1 4"  # refused before all of it was sent
    assert said.startswith(b"HTTP/1.1 4")
    assert time.monotonic() - begun < 5


def test_twenty_at_once_are_answered_or_told_when_to_come_again(live: Server) -> None:
    def ask(number: int) -> httpx.Response:
        with live.client() as client:
            return client.get("/try", params={"text": f"the sea {number}"})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert sum(answer.status_code == 200 for answer in answers) >= 10
    for answer in answers:
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
            assert "Try again" in spaced(answer.text)


def test_the_server_has_no_torch_and_its_processes_share_one_model(live: Server) -> None:
    (model,) = running("analysis.live", live.process.pid)
    children = [one for one in running("-c") if f"PPid:\t{live.process.pid}\n" in _status(one)]
    assert len(children) >= 2
    assert holds(model, "torch")
    assert not any(holds(one, "torch") for one in [live.process.pid, *children])


def _status(process: int) -> str:
    try:
        return Path(f"/proc/{process}/status").read_text()
    except OSError:
        return ""


def test_nothing_of_a_text_is_kept(live: Server, db: str) -> None:
    for path in ("/try", "/api/v1/try"):
        answer = asked(live, path, text=SECRET)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    asked(live, text=SECRET * 1_000)
    asked(live, text=SECRET, latent=SECRET)
    assert SECRET not in live.said()
    assert not any(SECRET.encode() in one.read_bytes() for one in Path(db).parent.glob("live.db*") if one.is_file())


def test_it_works_without_a_script_and_on_a_telephone(live: Server, browser: Browser) -> None:
    for script in (False, True):
        context = browser.new_context(viewport={"width": 400, "height": 800}, java_script_enabled=script)
        visit = Visit(context, live.address)
        visit.page.goto(f"{live.address}/saes/{SLUGS[0]}/latents/0")
        visit.page.fill("#try textarea", TEXT)
        visit.page.click("#try button")
        assert visit.page.locator("p.text.tokens bdi").count() > 40
        visit.page.click("text=All dense latents")
        assert visit.page.locator(".heat tbody tr").count() > 5
        assert visit.page.input_value("textarea") == TEXT.strip("\n")
        if script:
            assert visit.page.evaluate("document.documentElement.scrollWidth") == 400
        context.close()
        assert visit.faults == []


def test_a_killed_model_comes_back(live: Server) -> None:
    (model,) = running("analysis.live", live.process.pid)
    os.kill(model, signal.SIGKILL)
    assert asked(live, text="the sea").status_code == 200
    (other,) = running("analysis.live", live.process.pid)
    assert other != model
    assert "another takes its place" in live.said()


def test_a_killed_server_takes_the_model_along(db: str, tmp_path: Path) -> None:
    folders = tmp_path / "tmp"
    folders.mkdir()
    with serving(db, tmp_path / "log", "--live", TMPDIR=str(folders)) as server:
        assert wait_until(lambda: len(running("analysis.live", server.process.pid)) == 1, 10)
        (model,) = running("analysis.live", server.process.pid)
        assert wait_until(lambda: server.client().get("/api/v1/try").status_code == 422, 10)
        server.kill()
        assert wait_until(lambda: not is_alive(model), 10)
        assert wait_until(lambda: not list(folders.iterdir()), 5)


def test_a_stopped_server_takes_the_model_along(db: str, tmp_path: Path) -> None:
    with serving(db, tmp_path / "log", "--live") as server:
        assert wait_until(lambda: len(running("analysis.live", server.process.pid)) == 1, 10)
        (model,) = running("analysis.live", server.process.pid)
        server.process.send_signal(signal.SIGINT)
        server.process.wait(15)
        assert wait_until(lambda: not is_alive(model), 10)


def test_without_it_pages_say_how_to_get_it(client: TestClient, store: str) -> None:
    for path in ("/try", f"/try?{urlencode({'text': 'the sea'})}", "/saes/tiny/l2-resid/latents/0"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "dense-latents serve --db STORE --live" in answer.text
        assert '<textarea name="text"' not in answer.text
    refused = client.get(f"/api/v1/try?text={quote('the sea')}")
    assert (refused.status_code, "--live" in refused.json()["detail"]) == (404, True)
    assert '"/try"' not in client.get("/").text


def test_a_model_that_does_not_answer_is_no_crash(store: str, tmp_path: Path) -> None:
    made = create_app(Settings(db=store, live=str(tmp_path / "nobody")))
    answer = TestClient(made, base_url="http://127.0.0.1").get("/try?text=sea")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "restarted; try again" in spaced(answer.text)
    made.state.engine.dispose()
