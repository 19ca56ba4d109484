"""Evidence of the store as it may go into JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.shared.record import cleaned

NUMBERS = st.floats() | st.integers() | st.booleans() | st.none()
EVIDENCE = st.recursive(
    NUMBERS | st.text(max_size=3), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner)
)


def one_by_one(value: Any) -> Any:
    """The same, by a look at each number."""
    if isinstance(value, dict):
        return {name: one_by_one(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [one_by_one(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(EVIDENCE | st.lists(NUMBERS))
def test_what_is_cleaned_has_no_number_that_json_lacks_and_else_is_the_same(value: Any) -> None:
    assert cleaned(value) == one_by_one(value)
    assert json.dumps(cleaned(value), allow_nan=False)


def test_numbers_whose_sum_is_too_large_stay() -> None:
    assert cleaned([1e308, 1e308]) == [1e308, 1e308]
    assert cleaned([math.inf, -math.inf, 1.0]) == [None, None, 1.0]
