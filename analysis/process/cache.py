"""Where the worker keeps what it may need again. No torch."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$DENSE_LATENTS_CACHE`, else `dense-latents` in the user's cache folder."""
    base = os.environ.get("DENSE_LATENTS_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dense-latents"
