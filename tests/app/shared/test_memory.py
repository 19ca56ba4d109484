"""What is read once for all pages, and until when."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from app.shared.memory import Memory, remembered


def _session(memory: Memory, state: str) -> Session:
    return Session(info={"memory": memory, "state": state})


def test_it_is_read_once_for_each_state_of_the_store() -> None:
    memory, read = Memory(), []

    def make() -> int:
        read.append(1)
        return len(read)

    assert [remembered(_session(memory, "one"), ("x",), make) for _ in range(3)] == [1, 1, 1]
    assert remembered(_session(memory, "two"), ("x",), make) == 2
    assert remembered(_session(memory, "two"), ("y",), make) == 3


def test_without_a_state_it_is_read_each_time() -> None:
    made = iter(range(9))
    assert [remembered(Session(), ("x",), lambda: next(made)) for _ in range(2)] == [0, 1]


def test_old_states_and_old_values_are_let_go() -> None:
    memory = Memory(most=3)
    for state in "abc":
        for key in range(5):
            memory.value(state, key, lambda: 1)
    assert list(memory._states) == ["b", "c"]
    assert list(memory._states["c"]) == [2, 3, 4]


def test_a_value_that_cannot_be_read_is_asked_for_again() -> None:
    memory, tries = Memory(), []

    def make() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("busy")
        return 7

    session = _session(memory, "one")
    with pytest.raises(ValueError, match="busy"):
        remembered(session, ("x",), make)
    assert remembered(session, ("x",), make) == 7
