"""The statistics, one file each, found by a sorted walk: a new one is its file.

`ACCUMULATORS` are what a run updates with every batch, `STATISTICS` what each file declares its values to be.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

from analysis import statistics
from analysis.statistics.base import Accumulator
from analysis.statistics.declaration import Statistic


def accumulators(modules: Iterable[ModuleType]) -> tuple[type[Accumulator], ...]:
    """Those that the modules define, in order; a class that others are made of is none.

    Raises:
        TypeError: one that is nobody's base lacks a method: passed over, a run would go without it and say nothing.
    """
    found = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Accumulator) and value.__module__ == module.__name__
    ]
    for each in found:
        if each.__abstractmethods__ and not any(each in other.__mro__[1:] for other in found):
            lacking = ", ".join(sorted(each.__abstractmethods__))
            raise TypeError(f"{each.__module__}.{each.__name__}: a statistic needs {lacking}")
    return tuple(each for each in found if not each.__abstractmethods__)


_NAMES = sorted(f"analysis.statistics.{each.name}" for each in pkgutil.iter_modules(statistics.__path__))
_MODULES = [import_module(name) for name in _NAMES if name != __name__]
ACCUMULATORS = accumulators(_MODULES)
STATISTICS: tuple[Statistic, ...] = tuple(
    statistic for module in _MODULES for statistic in getattr(module, "STATISTICS", ())
)
