"""What a latent follows: sentence, bar, numbers, sort and filter."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from app.shared.followed import FollowedSource, Follows, segments
from app.shared.follows_card import follows_words
from tests.app.test_pages import page, words
from tests.app.world import CONTROL, NEGATIVE, POSITIVE, SLUGS

SAE = f"/saes/{SLUGS[1]}"
LATENT = f"{SAE}/latents/{POSITIVE}"


def follows(half_life: float = 40.0, **added: float) -> Follows:
    """With these shares."""
    total = sum(max(0.0, share) for share in added.values())
    sources = [FollowedSource(name, [share, None, None], [None, None, None]) for name, share in added.items()]
    return Follows(sources, [total, None, None], [], [], half_life, 16_384, 90)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (follows(word=0.33, past=0.3, context=0.04, norm=0.33),
         "A third of it is a slow state that lasts about 40 tokens, a third the word itself, a third the norm of the"
         " residual vector."),
        (follows(word=0.97), "Almost all of it is the word itself."),
        (follows(word=0.5, previous=-0.1),
         "Half of it is the word itself; 50.0\u2009% follows nothing that was measured."),
        (follows(256.0, past=0.25),
         "A quarter of it is a slow state that lasts 256 tokens or more; 75.0\u2009% follows nothing that was"
         " measured."),
        (follows(word=0.04),
         "It follows nothing that was measured: less than a twentieth of its variance is predicted by anything."),
    ],
)  # fmt: skip
def test_it_is_said_in_a_sentence(found: Follows, said: str) -> None:
    assert follows_words(found).replace("\u202f", "\u2009") == said


def test_a_bar_is_never_longer_than_all() -> None:
    drawn = segments({"word": 0.7, "previous": -0.2, "norm": 0.2, "past": 0.3})
    assert [one.key for one in drawn] == ["word", "norm", "state"]
    assert [one.x for one in drawn] == [0, 70, 90]
    assert drawn[-1].x + drawn[-1].width == 100


def test_a_page_shows_it_beside_controls(client: TestClient) -> None:
    html = page(client, LATENT)
    card = html.split('id="follows"')[1].split("</section>")[0]
    said = words(card)
    assert "A third of it is the word itself, a third a slow state that lasts about 45 tokens" in said
    assert "sparse latents, median" in said
    assert "random directions, median" in said
    assert "averaged over orders" in said
    assert len(re.findall(r'<svg class="followed"', card)) == 4
    assert "16,384 tokens of 91 documents" in said
    assert "cannot be separated" not in said
    assert "The two cannot be separated: the word itself and norm of the residual vector" in words(
        page(client, f"{SAE}/latents/{NEGATIVE}")
    )
    assert 'id="follows"' not in page(client, f"{SAE}/latents/7")


def test_lists_sort_and_filter_by_it(client: TestClient) -> None:
    def found(query: str) -> list[int]:
        answer = client.get(f"/api/v1{SAE}/latents?{query}")
        assert answer.status_code == 200, answer.text
        return [one["index"] for one in answer.json()["items"]]

    assert found("sort=followed&limit=3") == [NEGATIVE, POSITIVE, CONTROL]
    assert found("sort=word_share&limit=2") == [NEGATIVE, POSITIVE]
    assert found("min_word_share=0.5") == [NEGATIVE]
    assert found("min_past_share=0.25") == [POSITIVE]
    assert found("max_followed=0.2") == [CONTROL]
    assert "the word itself 35.0" in page(client, f"/latents?sae={SLUGS[1]}&dense=any&sort=followed")


def test_the_api_gives_every_source(client: TestClient) -> None:
    given = client.get(f"/api/v1{LATENT}").json()
    assert given["word_share"] == 0.35
    assert [one["name"] for one in given["follows"]["sources"]][:2] == ["word", "previous"]
    assert given["follows"]["sources"][1]["added"][0] == -0.004  # as it was found: below 0
    assert given["follows"]["half_life"] == 45
    assert client.get(f"/api/v1{SAE}/latents/7").json()["follows"] is None


def test_a_pair_is_divided_as_one_signal(client: TestClient) -> None:
    card = page(client, f"{SAE}/pairs/{NEGATIVE}/{POSITIVE}").split('id="follows"')[1].split("</section>")[0]
    assert "the two as one signal" in words(card)
    assert "projection on their axis" in words(card)
    assert f"latent {POSITIVE} alone" in words(card)
    given = client.get(f"/api/v1{SAE}/pairs/{POSITIVE}/{NEGATIVE}").json()["follows"]
    assert [one["name"] for one in given["z"]["sources"]][:2] == ["word", "previous"]
    assert given["axis"]["total"][0] == given["z"]["total"][0]


def test_layers_show_dense_beside_sparse(client: TestClient) -> None:
    card = page(client, "/layers").split('id="followed"')[1].split("</section>")[0]
    assert "35 (10)" in words(card)
    assert "65 (12)" in words(card)
