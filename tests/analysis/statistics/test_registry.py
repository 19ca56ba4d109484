"""The walk over the statistics: what is whole is taken, what lacks a method is an error, not left out."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from analysis.statistics.base import Accumulator, Step, Sums
from analysis.statistics.registry import ACCUMULATORS, accumulators


def module(**classes: type[Accumulator]) -> ModuleType:
    """A file of statistics with these classes."""
    made = ModuleType("analysis.statistics.new")
    for name, each in classes.items():
        each.__module__, each.__name__ = made.__name__, name
        setattr(made, name, each)
    return made


def statistic(base: type[Accumulator] = Sums, **methods: Any) -> type[Accumulator]:
    """One that has these methods."""
    return type("Made", (base,), methods)


def planned(_cls: type[Accumulator], _setup: object) -> dict[str, Accumulator]:
    return {}


def update(_self: Accumulator, _step: Step) -> None:
    pass


def summarise(_self: Accumulator) -> int:
    return 0


def test_one_without_a_method_is_an_error_that_names_it() -> None:
    half = statistic(planned=classmethod(planned), update=update)
    with pytest.raises(TypeError, match=r"^analysis\.statistics\.new\.Half: a statistic needs summarise$"):
        accumulators([module(Half=half)])


def test_a_base_may_lack_what_those_made_of_it_have() -> None:
    base = statistic(planned=classmethod(planned), update=update)
    whole = statistic(base, summarise=summarise)
    assert accumulators([module(Base=base, Whole=whole)]) == (whole,)


def test_the_products_own_are_found() -> None:
    names = [each.__name__ for each in ACCUMULATORS]
    assert {"Density", "Moments", "Histogram", "Positions"} <= set(names)
    assert "Sums" not in names
