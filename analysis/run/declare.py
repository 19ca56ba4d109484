"""Every value the worker stores, with its label, for table heads, tooltips and /methods."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from types import ModuleType

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from analysis.statistics.declaration import Statistic
from store.tables import Statistic as Row

STAGES = ("statistics", "decomposition", "classes", "labels", "interventions", "verdict")


def declared() -> list[Statistic]:
    """What the modules of these stages hold as `STATISTICS`, each once: a walk, so that none is listed here.

    A stage above this one is imported by the walk alone, when the rows are written.
    """
    found: dict[str, Statistic] = {}
    for stage in STAGES:
        for module in _modules(f"analysis.{stage}"):
            for statistic in getattr(module, "STATISTICS", ()):
                found.setdefault(statistic.name, statistic)
    return list(found.values())


def _modules(package: str) -> Iterator[ModuleType]:
    top = import_module(package)
    yield top
    for name in sorted(each.name for each in pkgutil.walk_packages(top.__path__, f"{package}.")):
        yield import_module(name)


def declare(session: Session) -> None:
    """Put this version's declarations in the place of what the store has; the caller commits."""
    session.execute(delete(Row))
    rows = [asdict(statistic) | {"position": place} for place, statistic in enumerate(declared())]
    session.execute(insert(Row), [{name: row[name] for name in row if name != "missing"} for row in rows])
