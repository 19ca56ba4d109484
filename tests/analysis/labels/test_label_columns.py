"""Which columns of a corpus become labels, and what is said of those that cannot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from analysis.labels import associate, label_columns
from analysis.labels.literal import standing
from analysis.run.rows.labels import association_row
from app.labels.sentences import association_said, refusal_said
from tests.planted_labels import (
    TOKENS,
    Labels,
    columns_of,
    corpus,
    in_order,
    rows,
    sample_of,
    slow_noise,
    three_labels,
    told,
    words,
)

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        ([1] * 10 + [2] * 5, "number", "15 of the documents read have a value; at least 20 are needed"),
        ([f"title {n}" for n in range(40)], "category", "40 of 40 documents have a value that no other has"),
        ([str(n) for n in range(40)], "category", "stand without quotes"),
        (["same"] * 40, "category", "every document has the same value"),
        (["same"] * 39 + ["other"], "category", "only one value is shared by two documents"),
        ([3.5] * 40, "number", "every document has the same value"),
        ([*range(39), math.inf], "number", "a number that is not finite in 1 documents"),
        ([*range(39), 10**400], "number", "a number that is not finite in 1 documents"),
        ([math.nan, *range(39)], "number", "a number that is not finite in 1 documents"),
        ([{"a": 1}] * 40, "other", "its values are objects"),
        ([1, "unknown"] * 20, "other", "of different kinds: numbers in 20, text in 20 documents"),
        ([True] + [1] * 39, "other", "of different kinds: numbers in 39, true/false in 1 documents"),
        ([True] * 38 + [False] * 2, "boolean", "38 documents are true and 2 false; at least 5 of each"),
        ([["a", "b"]] * 40, "other", "something other than spans"),
        ([[[0, 4, "a"], [0, True, "a"]]] * 40, "other", "something other than spans"),
        ([[]] * 40, "boolean", "no span in the documents read"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_says_why(values: list[Any], kind: str, reason: str) -> None:
    (column,) = columns_of(values)
    assert column.kind == kind
    assert reason in str(refusal_said(column.reason))
    assert associate([column], sample_of(torch.zeros(40, TOKENS).long()), torch.randn(40 * TOKENS, 2), 0) == [[]]


def test_missing_blank_and_null_are_no_values() -> None:
    (column,) = columns_of(["absent", None, "", "  ", *["a", "b"] * 15])
    assert (column.reason, column.documents, len(column.which)) == (None, 30, 30)
    assert column.groups == [{"value": "a", "documents": 15}, {"value": "b", "documents": 15}]
    assert columns_of([None] * 30) == columns_of(["absent"] * 30) == []


def test_few_numbers_are_still_numbers_and_lone_values_are_left_out() -> None:
    assert columns_of([0, 1] * 20)[0].kind == "number"
    assert columns_of([True, False] * 20)[0].kind == "boolean"
    (column,) = columns_of([*["a", "b"] * 15, "only"])
    assert (column.documents, len(column.which)) == (31, 30)
    assert column.groups[-1] == {"value": "only", "documents": 1}


def test_hostile_names_and_values_are_text() -> None:
    name = "<script>alert(1)</script>" + "x" * 200
    token = torch.zeros(40, TOKENS).long()
    value = "\u202e<b>" * 200
    labels: Labels = [{name: n % 7, name + "2": n % 5, "v": f"{n % 2}{value}", "": n % 2} for n in range(40)]
    columns = label_columns(sample_of(token), corpus(labels))
    assert columns[0].name == name[:120]
    assert columns[1].name == name[:116] + " (2)"
    assert len({column.name for column in columns}) == 4
    assert all(len(group["value"]) == 200 for group in columns[2].groups)
    assert columns[3].name == "(no name)"


def test_thousands_of_columns_are_cut_and_the_most_frequent_spans_taken() -> None:
    token = torch.zeros(40, TOKENS).long()
    labels: Labels = [{f"c{k}": (n * (k + 3)) % 11 for k in range(3000)} for n in range(40)]
    columns = label_columns(sample_of(token), corpus(labels))
    assert sum(column.reason is None for column in columns) == 40
    assert len(columns) == 200
    assert refusal_said(columns[-1].reason) == "only the first 40 columns are measured"
    spans = columns_of([[[5 * k, 5 * k + 4, f"l{k:02}"] for k in range(30 - n // 8)] for n in range(40)])
    assert len(spans) == 21
    assert spans[0].name == "x: l00"
    assert refusal_said(spans[-1].reason) == "only the 20 most frequent of its 30 labels are measured"


def test_a_signal_that_does_not_vary_is_unmeasured_and_the_others_are_not_touched() -> None:
    random = np.random.default_rng(0)
    columns, _effects = three_labels(random)
    sample = sample_of(words(random))
    noise = slow_noise(random, 2)
    noise[..., 1] = 0.25
    found = told(rows(columns), sample, in_order(sample, noise))
    for of in found.values():
        assert of[1].verdict == "unmeasured"
        assert association_said(of[1].statement) == "Not measured: the signal is the same in all these documents."
        assert not math.isnan(of[0].q)
        assert association_row(of[1])["p"] is None


@pytest.mark.parametrize(
    ("value", "text", "stands"),
    [
        (1841, "In 1841 we sailed.", True),
        (1841.0, "in (1841)", True),
        (1841, "No. 18412", False),
        (0.5, "a half, 0.5 of it", True),
        ("Whig", "the WHIG party", True),
        ("Whig", "the Whigs", False),
        ("C++", "written in C++.", True),
        ("a b", "a  b", False),
    ],
)
def test_a_value_that_stands_in_its_text_is_counted(value: object, text: str, stands: bool) -> None:
    assert standing({3: value}, {3: text, 4: "nothing"}) == stands


def test_true_and_false_have_no_words_of_their_own() -> None:
    labels: Any = [{"year": 1800 + n % 30, "war": n % 2 == 0} for n in range(40)]
    sample = sample_of(torch.zeros(len(labels), TOKENS, dtype=torch.int64))
    found = {column.name: column for column in label_columns(sample, corpus(labels))}
    assert found["war"].literal is None
    assert found["year"].literal == 0
