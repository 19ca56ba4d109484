"""Planted tables of parts made on machines, with labels and units of known truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.field.labels import FieldColumn

Array = NDArray[np.float64]
NAMES = ("defect", "machine", "drift", "shift", "material", *(f"noise {k}" for k in range(3)))


class Parts(NamedTuple):
    """40 machines with 50 parts each, one after the other in time."""

    group: Tensor
    order: Tensor
    level: Array  # [n], of the machine
    time: Array  # [n], 0 to 1
    columns: list[FieldColumn]
    values: Tensor  # [n, 8] float32, as `NAMES`

    def of(self, name: str) -> int:
        """The column by its name."""
        return [column.name for column in self.columns].index(name)


def boolean(name: str, values: Array | NDArray[np.bool_]) -> FieldColumn:
    """A column of 0 and 1."""
    return FieldColumn(name, "boolean", torch.from_numpy(values.astype(float)))


def parts(seed: int, machines: int = 40, each: int = 50) -> Parts:
    """Defects are more frequent on machines of a high level; late parts have a label that drifts."""
    random = np.random.default_rng([101, seed])
    n = machines * each
    machine, time = np.repeat(np.arange(machines), each), np.tile(np.arange(each) / each, machines)
    level = random.standard_normal(machines)[machine]
    defect = random.random(n) < 1 / (1 + np.exp(1 - 1.5 * level))
    worn = random.random(n) < 0.1 + 0.8 * time
    shift = random.integers(0, 4, n)
    material = random.permutation(np.arange(machines) % 3)[machine]
    values = random.standard_normal((n, len(NAMES)))
    values[:, 0] += 1.0 * defect
    values[:, 1] += 2.0 * level
    values[:, 2] += 3.0 * time
    values[:, 3] += 1.0 * (shift == 2)
    values[:, 4] += 1.0 * (material == 1)
    columns = [
        boolean("defect", defect),
        boolean("worn", worn),
        FieldColumn("shift", "category", torch.from_numpy(shift.astype(float)), ["a", "b", "c", "d"]),
        FieldColumn("material", "category", torch.from_numpy(material.astype(float)), ["x", "y", "z"]),
        FieldColumn("level", "number", torch.from_numpy(level)),
    ]
    order = torch.from_numpy(time + machine * 10.0)
    return Parts(torch.from_numpy(machine * 7 + 3), order, level, time, columns, torch.from_numpy(values).float())
