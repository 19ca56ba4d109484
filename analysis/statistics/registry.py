"""The statistics, one file each, found by a sorted walk: a new one is its file.

`ACCUMULATORS` are what a run updates with every batch, `STATISTICS` what each file declares its values to be.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from analysis import statistics
from analysis.statistics.base import Accumulator
from analysis.statistics.declaration import Statistic

_NAMES = sorted(f"analysis.statistics.{each.name}" for each in pkgutil.iter_modules(statistics.__path__))
_MODULES = [import_module(name) for name in _NAMES if name != __name__]
ACCUMULATORS: tuple[type[Accumulator], ...] = tuple(
    value
    for module in _MODULES
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Accumulator)
    if value.__module__ == module.__name__ and not value.__abstractmethods__
)
STATISTICS: tuple[Statistic, ...] = tuple(
    statistic for module in _MODULES for statistic in getattr(module, "STATISTICS", ())
)
