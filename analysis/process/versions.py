"""What a measurement was made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from analysis import __version__

_PACKAGES = ("torch", "transformers", "sae-lens", "syntok", "textblob")


def versions() -> dict[str, str]:
    """Package -> version, of those that are installed."""
    found = {"dense-latents": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
