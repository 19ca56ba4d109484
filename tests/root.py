"""Where the repository is, said once: a test that moves does not count its folders again."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
