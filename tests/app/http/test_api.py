"""The rest of the API, and its description held against its answers."""

from __future__ import annotations

import json

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings

from app.main import create_app
from app.settings import Settings
from tests.app.world import NEGATIVE, POSITIVE, SLUGS, build


def test_runs_are_the_complete_ones_newest_first(client: TestClient) -> None:
    made = client.get("/api/v1/runs").json()
    assert [run["id"] for run in made] == [2, 1]
    assert (made[0]["n_saes"], made[0]["n_latents"], made[0]["n_dense"], made[0]["tokens"]) == (3, 120, 15, 60_000)


def test_saes_are_listed_once_by_layer(client: TestClient) -> None:
    made = client.get("/api/v1/saes").json()
    assert [(sae["slug"], sae["run"]) for sae in made] == [(slug, 2) for slug in SLUGS]
    assert [sae["slug"] for sae in client.get("/api/v1/saes?run=1").json()] == SLUGS[:1]
    assert made[0]["fvu"] is None


def test_one_sae_by_its_slug_with_a_slash(client: TestClient) -> None:
    assert client.get(f"/api/v1/saes/{SLUGS[2]}").json()["layer"] == 2
    assert SLUGS[0] in client.get("/api/v1/saes/tiny/l9").json()["detail"]


def test_a_pair_in_either_order_is_the_same(client: TestClient) -> None:
    path = f"/api/v1/saes/{SLUGS[1]}/pairs"
    one = client.get(f"{path}/{POSITIVE}/{NEGATIVE}").json()
    assert one == client.get(f"{path}/{NEGATIVE}/{POSITIVE}").json()
    assert (one["positive"], one["r2"], one["histogram"]["positive"]) == (POSITIVE, 0.93, [0, 0, 40, 9])


def test_an_unmeasured_pair_says_how_to_measure_it(client: TestClient) -> None:
    answer = client.get(f"/api/v1/saes/{SLUGS[1]}/pairs/7/8")
    assert answer.status_code == 404
    assert "--detail 1:7" in answer.json()["detail"]


def test_statistics_come_in_the_order_of_the_methods_page(client: TestClient) -> None:
    assert [one["name"] for one in client.get("/api/v1/statistics").json()][:2] == ["density", "antipodality"]


@pytest.mark.parametrize("path", ["latents?limit=500", "latents/0", "latents/4", "pairs/0/1"])
def test_no_answer_holds_nan(client: TestClient, path: str) -> None:
    def refuse(text: str) -> float:
        raise AssertionError(f"{text} in JSON")

    assert json.loads(client.get(f"/api/v1/saes/{SLUGS[1]}/{path}").text, parse_constant=refuse)


def test_an_empty_store_answers_with_empty_lists(tmp_path_factory: pytest.TempPathFactory) -> None:
    from migrations.runner import upgrade

    path = str(tmp_path_factory.mktemp("empty") / "empty.db")
    upgrade(path)
    client = TestClient(create_app(Settings(db=path)), base_url="http://127.0.0.1")
    assert client.get("/api/v1/runs").json() == client.get("/api/v1/saes").json() == []
    assert client.get(f"/api/v1/saes/{SLUGS[0]}/latents").status_code == 404


def test_the_description_holds_for_any_request(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All of schemathesis' checks, over reads and writes; the store is this test's own, since it writes."""
    application = create_app(Settings(db=build(tmp_path_factory.mktemp("any") / "world.db")))
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", application, headers={"Host": "127.0.0.1"})
    for operation in schema.get_all_operations():
        check = operation.ok().as_strategy()

        from hypothesis import given

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=check)
        def holds(case: schemathesis.Case) -> None:
            case.query.pop("cursor", None)  # opaque: only a page before can give one
            if case.method == "PUT":  # so that bodies reach a latent that is there
                known = {"slug": SLUGS[1], "index": POSITIVE, "first": POSITIVE, "second": NEGATIVE}
                case.path_parameters = {name: known[name] for name in case.path_parameters}
                if isinstance(case.body, dict) and case.body.get("category"):
                    case.body["category"] = "position"  # the team's own cannot stand in the description
            case.call_and_validate(headers={"Host": "127.0.0.1"})

        holds()
