"""Several suites in one store: each can be chosen, links keep the choice, and one run can still be pinned."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from app.runs.info import Held, RunInfo, suite_of
from app.runs.suites import suites_of
from app.shared.links import Pin, at, link
from tests.app.test_pages import page
from tests.app.world import SLUGS


def names(client: TestClient) -> dict[int, str]:
    """By newest run: the suite's name."""
    return {one["runs"][0]: one["name"] for one in client.get("/api/v1/suites").json()}


def test_the_newest_suite_is_shown_and_the_others_are_offered(client: TestClient) -> None:
    found = client.get("/api/v1/suites").json()
    assert [one["runs"] for one in found] == [[2], [1]]
    assert [one["n_saes"] for one in found] == [3, 1]
    assert [one["name"] for one in found] == [f"tiny-made-text-60k-{found[0]['key'][:6]}", "tiny-made-text-60k"]
    for address in ("/", "/layers", "/latents", "/labels", "/report", "/search?q=sea", "/annotations"):
        html = page(client, address)
        path = address.split("?")[0]
        for one in found:
            assert f'href="{path}?suite={one["name"]}"' in html, address
    assert "without classes" not in page(client, "/")  # none of the two says so


def test_what_was_chosen_is_kept_in_links_and_in_search(client: TestClient) -> None:
    name = names(client)[1]
    html = page(client, f"/layers?suite={name}")
    assert f'href="/latents?suite={name}"' in html
    assert f'<input type="hidden" name="suite" value="{name}">' in html
    assert "1 SAE of Tiny" in html
    latent = page(client, f"/saes/{SLUGS[0]}/latents/0?suite={name}")
    assert f'href="/saes/{SLUGS[0]}?suite={name}"' in latent
    assert "run 1 of" in latent


@pytest.mark.parametrize("address", ["/", "/layers", "/api/v1/saes", "/latents.csv", "/api/v1/labels"])
def test_a_suite_that_is_not_there_is_said_with_those_that_are(client: TestClient, address: str) -> None:
    answer = client.get(address, params={"suite": "nobody-60k"})
    assert answer.status_code == 404
    assert "tiny-made-text-60k" in answer.text
    assert client.get(address, params={"suite": "<b>"}).status_code == 422 or address == "/"


def test_a_hash_names_a_suite_too(client: TestClient) -> None:
    key = client.get("/api/v1/suites").json()[1]["key"]
    assert [one["run"] for one in client.get(f"/api/v1/saes?suite={key[:12]}").json()] == [1]
    assert client.get(f"/api/v1/saes?suite={key[:3]}").status_code == 404


def test_a_run_goes_before_a_suite_and_an_sae_that_it_lacks_is_said(client: TestClient) -> None:
    name = names(client)[2]
    assert [one["run"] for one in client.get(f"/api/v1/saes?run=1&suite={name}").json()] == [1]
    answer = client.get(f"/saes/{SLUGS[1]}?suite={names(client)[1]}")
    assert answer.status_code == 404
    assert f"is not in suite {names(client)[1]}" in answer.text


def test_pins_in_addresses() -> None:
    assert [pin.query for pin in (Pin(), Pin(3), Pin(3, "a-1k"))] == ["", "run=3", "run=3"]
    assert Pin(None, "a-1k").query == "suite=a-1k"
    assert at("/layers#x", "suite=a-1k") == "/layers?suite=a-1k#x"
    assert link("/latents", {"q": "x"}, "suite=a-1k") == "/latents?q=x&suite=a-1k"


def run(number: int, suite: str, slugs: str, **changed: object) -> RunInfo:
    """A run with an SAE a letter, ten dense latents each."""
    held = tuple(Held(10 * number + place, number, slug, place, 10, 100) for place, slug in enumerate(slugs))
    values: dict[str, object] = {
        "id": number, "key": f"{number}" * 64, "suite": suite * 64, "model": "org/tiny", "model_name": "Tiny",
        "model_layers": 3, "corpus": "Moby Dick", "corpus_sha256": "c" * 64, "tokens": 4000, "masked_tokens": 0,
        "masks": None, "tokens_asked": 4000, "documents": 9, "corpus_documents": 9, "context": 64,
        "dense_threshold": 0.1, "seed": 0, "versions": {}, "seconds": 5.0, "finished": f"2026-11-{number:02}T00:00:00",
        "dtype": "float32", "classes": True, "n_saes": len(held), "n_dense": 10 * len(held),
        "n_latents": 100 * len(held), "held": held,
    }  # fmt: skip
    return RunInfo.model_validate(values | changed)


def test_of_each_sae_the_newest_analysis_is_shown() -> None:
    shown = suite_of([run(4, "a", "bc"), run(3, "a", "d"), run(1, "a", "abc")])
    assert [(one.slug, one.run) for one in shown.held] == [("a", 1), ("b", 4), ("d", 3), ("c", 4)]
    assert (shown.n_saes, shown.n_dense, shown.runs, shown.words) == (4, 40, (1, 3, 4), "runs 1, 3–4")
    assert shown.seconds == 15.0
    assert suite_of([run(4, "a", "abc"), run(1, "a", "abc")]).seconds == 5.0


def test_suites_are_told_apart_by_what_differs() -> None:
    found = suites_of([run(3, "c", "a", seed=1), run(2, "b", "a", classes=False), run(1, "a", "a")])
    assert [one.name for one in found] == ["tiny-moby-dick-4k-cccccc", "tiny-moby-dick-4k-bbbbbb", "tiny-moby-dick-4k"]
    assert [one.words.split(" · ", 3)[3] for one in found] == ["seed 1", "seed 0 · without classes", "seed 0"]
    alike = suites_of([run(2, "b", "a"), run(1, "a", "a")])
    assert [one.words.split(" · ")[-1] for one in alike] == ["settings bbbbbb", "settings aaaaaa"]
