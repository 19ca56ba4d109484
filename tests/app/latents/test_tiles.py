"""The three answers at the head of a latent's page: never more than their cards say."""

from __future__ import annotations

from fastapi.testclient import TestClient

from app.classes import page as functions
from app.classes.score import ScoreInfo
from app.shared import tiles
from app.shared.followed import Follows
from tests.app.test_pages import page, words
from tests.app.world import CONTROL, DEAD, POSITIVE, SLUGS

SAE = f"/saes/{SLUGS[1]}"


def score(label: str, value: float | None, chance: float | None = None) -> ScoreInfo:
    return ScoreInfo(name="position", label=label, score=value, cut=0.4, chance=chance, words="w", statement={})


def test_a_class_that_holds_is_named_with_what_it_is_held_against() -> None:
    scores = {"position": score("yes", 0.62, 0.2)}
    tile = tiles.does(functions.class_rows(scores, {}, evidence=False), scores)
    assert (tile.says, tile.length, tile.control, tile.at) == ("position", 62.0, 20.0, "functions")
    assert "cut 0.40" in tile.words


def test_none_and_not_measured_are_told_apart() -> None:
    tested = {"position": score("no", 0.1, 0.2)}
    tile = tiles.does(functions.class_rows(tested, {}, evidence=False), tested)
    assert (tile.says, tile.length) == ("none of the classes", None)
    open_ = {"position": score("unmeasured", None)}
    assert tiles.does(functions.class_rows(open_, {}, evidence=False), open_).says == "not measured"
    assert tiles.following(None, {}).says == "not measured"
    assert tiles.needed(None).says == "not measured"


def test_a_share_stands_beside_that_of_random_directions() -> None:
    found = Follows([], [0.31, 0.2, 0.4], [], [], None, 900, 70)
    tile = tiles.following(found, {"random": {"latents": 8, "total": 0.25}})
    assert (tile.length, tile.control) == (31.0, 25.0)
    assert "random directions 25" in tile.words
    assert tiles.following(found, {"random": {"latents": 0}}).control is None


def test_every_page_has_its_three_answers(client: TestClient) -> None:
    for index in (POSITIVE, CONTROL, DEAD):
        html = page(client, f"{SAE}/latents/{index}")
        assert html.count('class="tile"') == 3
    said = words(page(client, f"{SAE}/latents/{POSITIVE}"))
    assert "Does context binding" in said or "Does position" in said
