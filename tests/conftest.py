"""Fixtures that tests of both halves use; a cache of their own, so that no test finds what another run left."""

from __future__ import annotations

import gc
import os
import tempfile

from analysis.process.cache import cache_folder
from tests.analysis.conftest import parts
from tests.postgres import postgres, postgres_db

__all__ = ["parts", "postgres", "postgres_db"]


def _own_cache() -> tempfile.TemporaryDirectory[str]:
    """Only the demo's model, which takes long to fetch, is the user's."""
    folder = tempfile.TemporaryDirectory(prefix="dense-latents-cache-")
    models = cache_folder() / "models"
    models.mkdir(parents=True, exist_ok=True)
    os.symlink(models, f"{folder.name}/models")
    os.environ["DENSE_LATENTS_CACHE"] = folder.name
    return folder


_CACHE = _own_cache()


def pytest_collection_finish() -> None:
    """What was imported is no garbage: to look through it again and again took a part of the time of all tests."""
    gc.collect()
    gc.freeze()
