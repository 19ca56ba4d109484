"""Fixtures that tests of both halves use."""

from __future__ import annotations

from tests.analysis.conftest import parts
from tests.postgres import postgres, postgres_db

__all__ = ["parts", "postgres", "postgres_db"]
