"""Fixtures that tests of both halves use."""

from __future__ import annotations

from tests.analysis.conftest import parts

__all__ = ["parts"]
