"""Which texts are compared: both sides of a signal, a beginning that favours neither, and the same elsewhere."""

from __future__ import annotations

import torch

from analysis.interventions.steer import pool as steer_poles
from analysis.interventions.steer.config import PREFIX
from analysis.interventions.steer.pool import Pool
from tests.analysis.interventions.steer_world import planted_pool

torch.set_num_threads(1)


def by_hand() -> Pool:
    """Two contexts of eight pieces of two tokens; a third has no room for a beginning."""
    value = torch.tensor(
        [
            [0.0, 0.1, 0.0, 3.0, 0.4, -0.4, -2.0, 1.0],
            [1.0, 0.9, 5.0, -4.0, 0.2, 0.1, 2.0, 2.0],
            [9.0, -9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    whole = torch.ones(3, 8, dtype=torch.bool)
    whole[0, 7] = False
    whole[2, 2:] = False
    token = torch.arange(3 * 8 * 2).view(3, 8, 2)
    return Pool(token, whole, value[..., None], torch.tensor([4, 7, 9]), torch.ones(1).double(), [1], 3, [])


def test_texts_are_the_furthest_pieces_and_the_beginning_is_between_them() -> None:
    found = steer_poles.poles(by_hand(), 0, 10)
    assert found.text.tolist() == [1, 0], "furthest apart first, and none without a beginning"
    assert found.positive.tolist() == [2, 3]
    assert found.negative.tolist() == [3, 6]
    # context 1: the middle is 0.5, pieces 5 and 4 are nearest of what is free; context 0: that is right before a text
    assert found.window.tolist() == [4, 0]


def test_rows_are_beginning_and_text() -> None:
    pool = by_hand()
    rows = steer_poles.token_rows(pool, steer_poles.poles(pool, 0, 10))
    assert rows[0].tolist() == [1, 24, 25, 26, 27, 20, 21]
    assert rows[2].tolist() == [1, 24, 25, 26, 27, 22, 23]
    assert rows[1].tolist() == [1, 0, 1, 2, 3, 6, 7]
    assert steer_poles.beginnings(pool, steer_poles.poles(pool, 0, 10))[0].tolist() == [1, 24, 25, 26, 27]


def test_a_beginning_is_neither_a_text_nor_right_before_one() -> None:
    pool = planted_pool(0, contexts=200)
    found = steer_poles.poles(pool, 0, 200)
    assert len(found.text) > 150
    for text in (found.positive, found.negative):
        assert bool(((text < found.window) | (text > found.window + PREFIX)).all())
    rows = torch.arange(len(found.text))
    value = pool.value[found.text, :, 0]
    assert bool((value[rows, found.positive] == value.max(1).values).all())
    assert bool((value[rows, found.negative] == value.min(1).values).all())


def test_no_document_is_in_both_halves() -> None:
    pool = planted_pool(1)
    choosing, measuring = steer_poles.halves(steer_poles.poles(pool, 0, 24))
    assert len(choosing.text) == len(measuring.text) == 12
    documents = [set(pool.document[half.text].tolist()) for half in (choosing, measuring)]
    assert not documents[0] & documents[1]


def test_swapped_texts_stand_at_the_same_places_of_other_documents() -> None:
    pool = planted_pool(2)
    pool.whole[5:20, 3] = False
    places = steer_poles.poles(pool, 0, 24)
    moved = steer_poles.swapped(pool, places)
    assert len(moved.text) == 24
    assert bool((moved.text != places.text).all())
    assert torch.equal(moved.text, moved.prefix), "everything is the other document's"
    for name in ("positive", "negative", "window"):
        assert torch.equal(getattr(moved, name), getattr(places, name))
    for piece in (moved.positive, moved.negative, moved.window, moved.window + 1):
        assert bool(pool.whole[moved.text, piece].all())
    value = pool.value[..., 0]
    side = value[moved.text, moved.positive] > value[moved.text, moved.negative]
    assert 6 <= int(side.sum()) <= 18, "the sides say nothing there"


def test_foreign_beginnings_keep_the_texts() -> None:
    pool = planted_pool(3)
    places = steer_poles.poles(pool, 0, 24)
    moved = steer_poles.foreign(pool, places)
    assert torch.equal(moved.text, places.text)
    assert bool((moved.prefix != places.text).all())
    rows, own = steer_poles.token_rows(pool, moved), steer_poles.token_rows(pool, places)
    assert torch.equal(rows[:, -12:], own[:, -12:])
    assert not torch.equal(rows[:, :-12], own[:, :-12])


def test_what_no_other_document_has_is_left_out() -> None:
    pool = by_hand()
    places = steer_poles.poles(pool, 0, 10)
    assert steer_poles.swapped(pool, places).text.tolist() == [0, 1]
    pool.whole[0, 5] = False  # a piece that the first pair's beginning is made of
    assert steer_poles.swapped(pool, places).text.tolist() == [1]
