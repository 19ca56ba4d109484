"""What the start page says of a label: the two questions, and what it says where they disagree."""

from __future__ import annotations

import pytest

from app.field.queries import Power
from app.field.sentences import MEANS, NOT, THROUGH, TOGETHER, answer, bin_words, standing, unpredicted
from app.labels.queries import LabelInfo, Tested
from store.vocabulary import YES

PERSON = LabelInfo.model_construct(name="person", kind="category", measure="eta2", reason=None, confounds=[])


def power(value: float, reach: float, of: str = "dense") -> Power:
    """What a set predicts, and what shuffled labels reach."""
    return Power(of, "auc", value, value - 0.04, value + 0.04, 0.5, 29, None, reach)


CASES = [
    (7, 0.81, False, YES),
    (7, 0.51, False, MEANS),
    (0, 0.72, True, THROUGH),
    (0, 0.72, False, TOGETHER),
    (0, 0.51, False, NOT),
]


@pytest.mark.parametrize(("passing", "predicts", "through", "stands"), CASES)
def test_a_label_is_followed_where_units_pass_and_predict(
    passing: int, predicts: float, through: bool, stands: str
) -> None:
    tested = Tested(passing, 230, 0, 61)
    assert standing(tested, [power(predicts, 0.54)], through) == stands


def test_what_sparse_units_or_raw_columns_predict_does_not_make_a_dense_unit_follow() -> None:
    found = [power(0.51, 0.54), power(0.93, 0.54, "sparse"), power(0.95, 0.54, "raw")]
    assert standing(Tested(7, 230, 0, 61), found, False) == MEANS


def test_without_a_prediction_the_test_of_units_decides() -> None:
    assert standing(Tested(1, 8, 0, 0), [], False) == YES


def test_means_that_predict_nothing_are_said_with_both_numbers() -> None:
    said = answer(PERSON, Tested(7, 230, 0, 61), {}, {}, [], [power(0.51, 0.54)])
    assert said.startswith("Means only: 7 of 230 dense units differ with it on average")
    assert "none of 61 sparse ones" in said
    assert "AUC 0.51, shuffled labels reach 0.54" in said
    assert "follow" not in said


def test_what_goes_through_another_column_names_units_and_column() -> None:
    said = answer(PERSON, Tested(0, 24, 0, 0), {"time": ["L0/2"]}, {}, [], [power(0.72, 0.51)])
    assert "None of 24 dense units follows it." in said
    assert "with nothing held fixed" in said
    assert "L0/2 goes with it only through time." in said


def test_what_cannot_be_told_from_the_order_is_not_said_to_go_through_it() -> None:
    said = answer(PERSON, Tested(0, 24, 0, 0), {}, {"time": ["L0/2"]}, [], [power(0.72, 0.51)])
    assert "L0/2 goes with it, but it cannot be told from time here." in said
    assert "only through" not in said


@pytest.mark.parametrize(
    ("stored", "read"),
    [("-0.5312 to 0.0944", "−0.53 to 0.094"), ("117.4 to 240.0", "117 to 240"), ("person 4", "person 4")],
)
def test_ends_of_bins_have_two_digits(stored: str, read: str) -> None:
    assert bin_words(stored) == read


def test_a_label_that_nothing_predicts_is_told_from_one_that_was_not_measured() -> None:
    assert unpredicted([power(0.51, 0.54), power(0.95, 0.54, "raw")])
    assert not unpredicted([power(0.51, 0.54), power(0.62, 0.54, "best")])
    assert not unpredicted([])
