"""A small factory on disk: a matrix of units, a table of the same rows, and what each unit was made to do."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

DEFECT, MACHINE, DRIFT, UP, DOWN, COPY, HEAT, RARE, NEVER, NOISE = range(10)
"""Columns of the matrix."""
HEAD = ("part", "machine", "time", "line", "defect", "heat")


class Factory(NamedTuple):
    """Files, and the arrays that they hold."""

    matrix: Path
    table: Path
    x: np.ndarray
    group: np.ndarray
    defect: np.ndarray


def factory(folder: Path, seed: int = 0, machines: int = 24, each: int = 60) -> Factory:
    """Defects are likelier on some machines; the heat rises with time; one unit is the defect itself."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([7, seed])
    n = machines * each
    machine, time = np.repeat(np.arange(machines), each), np.tile(np.arange(each), machines)
    level = random.normal(size=machines)[machine]
    defect = random.random(n) < 1 / (1 + np.exp(1.2 - 1.5 * level))
    heat = random.normal(size=n) + 3 * time / each
    swing = random.normal(size=n)
    x = random.normal(size=(n, 10)).clip(0)
    x[:, DEFECT] = np.maximum(0, 2 * defect + random.normal(size=n))
    x[:, MACHINE] = np.maximum(0, level + 0.3 * random.normal(size=n) + 0.5)
    x[:, DRIFT] = np.maximum(0, 3 * time / each + random.normal(size=n))
    x[:, UP], x[:, DOWN] = np.maximum(0, swing), np.maximum(0, -swing)
    x[:, COPY] = defect
    x[:, HEAT] = np.maximum(0, heat + 0.5 * random.normal(size=n))
    x[:, RARE] *= random.random(n) < 0.05
    x[:, NEVER] = 0
    x = x.astype(np.float32)
    np.save(folder / "hidden.npy", x)
    with (folder / "parts.csv").open("w", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(HEAD)
        for row in range(n):
            line = "ABC"[machine[row] % 3]
            said = "yes" if defect[row] else "no"
            lines.writerow([f"P{row:05d}", f"M{machine[row]:02d}", time[row], line, said, f"{heat[row]:.3f}"])
    return Factory(folder / "hidden.npy", folder / "parts.csv", x, machine, defect)
