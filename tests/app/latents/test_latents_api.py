"""Latents as JSON: fields, filters, sorting, paging, errors."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.classes.views import CLASSES
from tests.app.world import CONTROL, DEAD, EDGE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN, WIDTH
from tests.app.world_classes import EVIDENCE, LABELS

LIST = f"/api/v1/saes/{SLUGS[1]}/latents"
PROMISED = {
    "index",
    "layer",
    "density",
    "density_low",
    "density_high",
    "is_dense",
    "borderline",
    "mean",
    "max",
    "antipodality",
    "cos_enc",
    "cos_dec",
    "partner",
    "mutual",
    "is_pair",
    "duplicate_of",
    "classes",
    "mixture",
    "effects",
    "verdict",
    "category",
    "top_tokens",
    "promoted",
    "suppressed",
}


def listed(client: TestClient, query: str) -> list[int]:
    """Indices of a list, in order."""
    answer = client.get(f"{LIST}?limit=500&{query}")
    assert answer.status_code == 200, answer.text
    return [item["index"] for item in answer.json()["items"]]


def test_a_latent_has_the_promised_fields_and_its_texts(client: TestClient) -> None:
    made = client.get(f"{LIST}/{POSITIVE}").json()
    assert set(made) >= PROMISED
    assert (made["density"], made["partner"], made["is_pair"], made["layer"]) == (0.381, NEGATIVE, True, 1)
    assert made["top_tokens"][0]["token"] == "<script>alert(1)</script>"
    assert made["histogram"] == {"edges": [1.0, 2.0, 4.0, 8.0], "counts": [30, 20, 5]}
    assert made["positions"]["context"]["mean"] == [1.0, 1.5, None]
    assert len(made["examples"]) == 14
    assert made["examples"][0]["kind"] == "top"


def test_a_list_item_has_the_same_fields(client: TestClient) -> None:
    items = client.get(LIST).json()["items"]
    assert set(items[0]) >= PROMISED
    assert items[0]["promoted"][0]["logit"] == 1.5


def test_a_latent_says_what_it_does_with_its_evidence(client: TestClient) -> None:
    made = client.get(f"{LIST}/{POSITIVE}").json()
    assert list(made["classes"]) == [*(name for name in CLASSES if name in made["classes"]), "unexplained"]
    position = made["classes"]["position"]
    assert (position["label"], position["score"], position["cut"], position["q"]) == ("yes", 0.62, 0.4, 0.0312)
    assert position["data"] == EVIDENCE["position"]
    assert (made["mixture"]["label"], made["mixture"]["data"]["pool"]) == ("sum", 30)
    assert [(step["side"], step["sae"], step["cosine"]) for step in made["chains"]] == [
        ("previous", SLUGS[0], 0.66),
        ("next", SLUGS[2], None),
    ]
    party = next(one for one in made["labels"] if one["label"] == "party")
    assert (party["verdict"], party["effect"], party["measure"]) == ("yes", 0.4, "eta2")
    assert party["confounds"][0].startswith(f"party goes with {LABELS[1]} (eta² 0.81): the two cannot be separated")


def test_a_list_has_classes_without_their_evidence(client: TestClient) -> None:
    first, second = client.get(f"{LIST}?limit=2").json()["items"]
    assert first["classes"]["context_binding"]["label"] == "likely"
    assert {one["data"] for one in first["classes"].values()} == {None}
    assert second["classes"]["unexplained"]["label"] == "yes"


def test_an_old_run_has_no_classes(client: TestClient) -> None:
    made = client.get(f"/api/v1/saes/{SLUGS[0]}/latents/{POSITIVE}?run=1").json()
    assert (made["classes"], made["mixture"], made["chains"], made["labels"]) == ({}, None, [], [])
    assert client.get("/api/v1/labels?run=1").json() == []


def test_labels_say_how_many_latents_go_with_them(client: TestClient) -> None:
    made = client.get("/api/v1/labels").json()
    assert [one["name"] for one in made] == list(LABELS)
    assert made[0]["dense_latents"] == dict.fromkeys(SLUGS, 1)
    assert made[0]["confounds"][0]["strength"] == 0.81
    assert made[3]["reason"] == "12 of the documents read have a value; at least 20 are needed"


def test_a_dead_latent_gives_reasons_in_place_of_numbers(client: TestClient) -> None:
    made = client.get(f"{LIST}/{DEAD}").json()
    assert made["density"] == 0.0
    assert made["mean"] is None
    assert made["reasons"]["mean"] == "never fired on this text"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dense=true", [POSITIVE, ORIGINAL, NEGATIVE, TWIN, EDGE]),
        ("min_density=0.2&max_density=0.3", [ORIGINAL, NEGATIVE, TWIN]),
        ("pair=true", [POSITIVE, NEGATIVE]),
        ("duplicate=true", [ORIGINAL, TWIN]),
        ("borderline=true", [EDGE]),
        ("detail=any", [POSITIVE, NEGATIVE, CONTROL]),
        ("detail=control", [CONTROL]),
        ("min_antipodality=0.9", [ORIGINAL, TWIN]),
        ("q=word7", [7]),
        ("q=ÜNTER&dense=true", [ORIGINAL, NEGATIVE, TWIN, EDGE]),
        ("q=SCRIPT", [POSITIVE]),
        ("q=%25", []),
        ("q=_ord7", []),
        ("q=%22%2C", []),
        ("max_density=0", [DEAD]),
        ("class=position", [POSITIVE, NEGATIVE]),
        ("class=any&alone=false", [POSITIVE]),
        ("class=unmeasured&dense=true", [TWIN, EDGE]),
        ("label=party", [POSITIVE]),
        ("label=%3Cscript%3Ealert(1)%3C/script%3E", [POSITIVE]),
    ],
)
def test_a_filter_keeps_exactly_what_it_names(client: TestClient, query: str, expected: list[int]) -> None:
    assert listed(client, query) == expected


@pytest.mark.parametrize("sort", ["density", "antipodality", "max", "mean", "mass_share", "index"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_any_size_join_to_the_whole_list(client: TestClient, sort: str, order: str) -> None:
    whole = listed(client, f"sort={sort}&order={order}")
    joined: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        made = client.get(LIST, params={"sort": sort, "order": order, "limit": 7, "cursor": cursor}).json()
        joined += [item["index"] for item in made["items"]]
        cursor = made["next"]
    assert joined == whole
    assert sorted(whole) == list(range(WIDTH))


def test_sorted_values_ascend_and_nulls_come_last(client: TestClient) -> None:
    items = client.get(f"{LIST}?sort=max&order=asc&limit=100").json()["items"]
    values = [item["max"] for item in items]
    assert values[-1] is None
    assert values[:-1] == sorted(values[:-1])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sort=densty", "unknown sort 'densty'; choose one of density, "),
        ("sort=id;drop", "unknown sort 'id;drop'"),
        ("order=up", "choose one of asc, desc"),
        ("min_density=NaN", "min_density 'NaN' is no number from 0 to 1"),
        ("min_density=9", "no number from 0 to 1"),
        ("min_density=0_1", "no number"),
        ("max_antipodality=-2", "max_antipodality"),
        ("min_antipodality=--1", "min_antipodality '--1'"),
        ("limit=0", "limit"),
        ("limit=999999", "limit"),
        ("cursor=zzz", "none of this list's"),
        ("cursor=%00", "none of this list's"),
        ("detail=all", "choose one of dense, "),
        ("q=%00", "NUL"),
        ("label=%00", "label holds a NUL"),
        ("class=noun", "choose one of position, "),
        ("alone=two", "alone"),
        ("run=99999999999999999999", "run"),
        ("run=-1", "run"),
        ("dense=maybe", "dense"),
    ],
)
def test_a_wrong_filter_is_named_with_its_mend(client: TestClient, query: str, words: str) -> None:
    answer = client.get(f"{LIST}?{query}")
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


def test_a_cursor_of_another_sort_is_refused(client: TestClient) -> None:
    cursor = client.get(f"{LIST}?limit=2&sort=max").json()["next"]
    answer = client.get(LIST, params={"sort": "density", "cursor": cursor})
    assert answer.status_code == 422
    assert "belongs to sort 'max'" in answer.json()["detail"]


@pytest.mark.parametrize("index", ["9223372036854775808", "-1", "NaN", "%00", '"', "*", "1e3", "0x1", str(WIDTH), ""])
def test_an_index_that_is_none_is_not_found(client: TestClient, index: str) -> None:
    assert client.get(f"{LIST}/{index}", follow_redirects=False).status_code in {404, 307}


def test_the_index_past_the_last_says_how_many_there_are(client: TestClient) -> None:
    assert "from 0 to 39" in client.get(f"{LIST}/{WIDTH}").json()["detail"]


def test_a_run_can_be_pinned_and_the_newest_complete_is_shown(client: TestClient) -> None:
    def run(query: str) -> Any:
        return client.get(f"/api/v1/saes/{SLUGS[0]}/latents/0{query}").json().get("run")

    assert (run(""), run("?run=1"), run("?run=2"), run("?run=3")) == (2, 1, 2, None)


def test_an_sae_outside_the_pinned_run_is_said_to_be(client: TestClient) -> None:
    answer = client.get(f"{LIST}?run=1")
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"SAE '{SLUGS[1]}' is not in run 1."
