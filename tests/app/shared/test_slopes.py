"""Slopes: names that do not overlap, lines that end where their numbers say."""

from __future__ import annotations

from itertools import pairwise

import pytest

from app.shared.colours import Stroke
from app.shared.slopes import End, rough, slopes

INK = Stroke("--ink", "solid", 1.8)


def end(value: float, low: float | None = None, high: float | None = None) -> End:
    return End(f"{value}", value, low, high, INK)


@pytest.mark.parametrize("values", [[75, 71, 54, 42, 41], [5] * 9, [0, 0, 0, 100], [0.4]])
def test_no_two_names_overlap_and_all_stay_in_the_picture(values: list[float]) -> None:
    made = slopes(end(30, 25, 35), [end(value) for value in values])
    assert made
    places = sorted(line.label_y for line in made.lines)
    assert all(below - above >= 16 for above, below in pairwise(places))
    assert places[0] >= 20
    assert places[-1] <= made.height


def test_more_stands_higher_and_intervals_lie_around_their_line() -> None:
    made = slopes(end(30), [end(71, 58, 85), end(42, 35, 49)])
    assert made
    more, less = made.lines
    assert more.y < less.y < made.base
    assert more.high is not None
    assert more.low is not None
    assert more.high < more.y < more.low
    assert (more.x, made.value, more.value) != (less.x, "30", "42")


def test_nothing_to_hold_against_is_no_picture() -> None:
    assert slopes(end(30), []) is None


@pytest.mark.parametrize(("value", "said"), [(71.33, "71"), (1234.0, "1,234"), (3.0, "3"), (3.25, "3.2"), (0.0, "0")])
def test_numbers_have_two_digits(value: float, said: str) -> None:
    assert rough(value) == said
