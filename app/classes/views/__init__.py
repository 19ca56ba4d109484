"""The classes as they are shown, one a file, by the name that the store has: a file here with a `VIEW` is a class.

They are a folder of their own, since the noun's other files read this registry while they are imported.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from app.classes.score import ClassView

_found: list[ClassView] = [import_module(f"{__name__}.{each.name}").VIEW for each in iter_modules(__path__)]
CLASSES: dict[str, ClassView] = {view.name: view for view in sorted(_found, key=lambda view: view.order)}

__all__ = ["CLASSES"]
