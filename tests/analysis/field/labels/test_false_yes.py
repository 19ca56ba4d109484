"""How often labels that say nothing are found: at the stated rate, where rows are anything but independent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.field.labels import FieldColumn, associate
from analysis.statistics.intervals import wilson

torch.set_num_threads(1)
SHUFFLES = 40
MACHINES, EACH, UNITS = 36, 30, 8
ROWS = 150  # where there is no group
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def slow(random: np.random.Generator, units: int) -> Array:
    """[machines, parts, units]: machines differ, and each remembers its last parts."""
    x = random.standard_normal((MACHINES, EACH, units))
    for k in range(1, EACH):
        x[:, k] = 0.8 * x[:, k - 1] + 0.6 * x[:, k]
    return x + random.standard_normal((MACHINES, 1, units))


def columns(random: np.random.Generator) -> list[FieldColumn]:
    """Of machines and of parts, as slow as the units are."""
    machine = np.repeat(np.arange(MACHINES), EACH)
    own, drift = slow(random, 2).reshape(-1, 2).T
    kinds = [
        ("defect", "boolean", (own > 0.8).astype(float)),
        ("heat", "number", drift),
        ("shift", "category", np.digitize(slow(random, 1).ravel(), [-0.7, 0, 0.7]).astype(float)),
        ("site", "category", random.permutation(np.arange(MACHINES) % 4)[machine].astype(float)),
        ("age", "number", random.standard_normal(MACHINES)[machine]),
        ("new", "boolean", random.permutation(np.arange(MACHINES) % 2)[machine].astype(float)),
    ]
    return [FieldColumn(name, kind, torch.from_numpy(values)) for name, kind, values in kinds]


@pytest.mark.parametrize("grouped", [True, False])
def test_labels_that_say_nothing_are_not_found(grouped: bool) -> None:
    """Stated: at most 5 % of worlds have any yes, and p < 0.05 in about 5 % of tests."""
    any_yes = small = tests = 0
    for shuffle in range(SHUFFLES):
        random = np.random.default_rng([31, shuffle, grouped])
        x = torch.from_numpy(slow(random, UNITS).reshape(-1, UNITS)).float()
        labels = columns(random)
        group, order = torch.arange(len(x)) // EACH, torch.arange(len(x)).double()
        if not grouped:  # rows that are independent: shuffled
            group = torch.arange(len(x))
            turn = torch.from_numpy(random.permutation(len(x)))[:ROWS]
            x, group = x[:ROWS], group[:ROWS]
            labels = [column._replace(values=column.values[turn]) for column in labels[:3]]
        found = associate(x, labels, group, order if grouped else None, shuffle)
        flat = [one for of in found for one in of]
        any_yes += any(one.verdict == "yes" for one in flat)
        small, tests = small + sum(one.p < 0.05 for one in flat), tests + len(flat)
    low, high = wilson(any_yes, SHUFFLES)
    said = f"{any_yes} of {SHUFFLES} with any yes (95 % {low:.3f} to {high:.3f}); p < 0.05 in {small / tests:.3f}"
    print(said)  # noqa: T201 - the rate, for `pytest -s`
    assert tests == SHUFFLES * (6 if grouped else 3) * UNITS
    assert any_yes / SHUFFLES <= 0.05, said
    assert 0.02 < small / tests <= 0.065, said
