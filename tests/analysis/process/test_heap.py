"""What is free in the middle of the heap goes back to the system when it is told to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.process.heap import _trim
from analysis.process.pool import _KEEP_MEMORY
from tests.root import ROOT

HELD = """
from pathlib import Path
import numpy as np
from analysis.process.heap import give_back
def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
blocks = [np.ones(250_000 + 1_000 * number) for number in range(100)]
full = held()
del blocks[::2]
gaps = held()
give_back()
print(full - gaps, full - held())
"""


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists() or _trim() is None, reason="no /proc, or another malloc than glibc's"
)
def test_gaps_between_blocks_that_stay_go_back() -> None:
    """As a process that trains has its heap: what is freed stays in it."""
    environment = os.environ | {"GLIBC_TUNABLES": _KEEP_MEMORY}
    told = subprocess.run(
        [sys.executable, "-c", HELD], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    before, after = map(int, told.stdout.split())
    assert before < 20e6
    assert after > 80e6  # of 120 MB
