"""A shift that lasts half a day is one value in any short stretch of it: the order is held fixed all the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.field.labels import FieldColumn, associate

MACHINES, ROWS = 20, 300


@pytest.mark.parametrize("shift", [37, 75, 100, 150])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_unit_that_drifts_does_not_follow_the_shift(shift: int, seed: int) -> None:
    random = np.random.default_rng([shift, seed])
    n = MACHINES * ROWS
    machine, time = np.repeat(np.arange(MACHINES), ROWS), np.tile(np.arange(ROWS), MACHINES)
    late = (time // shift) % 2
    drifts = 3 * time / ROWS + random.normal(size=n)
    follows = 0.8 * late + random.normal(size=n)
    values = torch.tensor(np.stack([drifts, follows], 1), dtype=torch.float32)
    column = FieldColumn("shift", "category", torch.tensor(late, dtype=torch.float64), ["early", "late"])
    found = associate(values, [column], torch.tensor(machine), torch.tensor(time, dtype=torch.float64), seed)[0]
    assert found[0].verdict == "no"
    assert found[0].statement["code"] in {"confounded", "shuffled"}
    if shift in {37, 150}:  # between, a step within a stretch is nearly its slope, and little is left to be seen
        assert found[1].verdict == "yes"
