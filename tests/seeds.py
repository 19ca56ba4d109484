"""Seeds of worlds whose law is the same: the first two in the short suite, all in the long one."""

from __future__ import annotations

import pytest


def seeds(count: int) -> pytest.MarkDecorator:
    """So many values of `seed`, those beyond the first two marked as long."""
    few = min(count, 2)
    return pytest.mark.parametrize(
        "seed", [*range(few), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(few, count))]
    )
