"""What of on or off lies between groups: counted over all rows, however many groups there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.field.command import analyze
from analysis.field.config import FieldConfig
from analysis.field.spread import between
from store.session import make_engine
from store.tables import Analysis, Profile
from tests.field_world import COPY, DRIFT, MACHINE, NOISE, factory


def by_hand(on: np.ndarray, group: np.ndarray) -> float:
    """Sum of squares between groups over the whole, of one column of zeros and ones."""
    means = {code: on[group == code].mean() for code in np.unique(group)}
    apart = sum((group == code).sum() * (mean - on.mean()) ** 2 for code, mean in means.items())
    return float(apart / ((on - on.mean()) ** 2).sum())


def test_a_hundred_groups_are_counted_one_by_one(tmp_path: Path) -> None:
    made = factory(tmp_path / "factory", 3, machines=100, each=20)
    config = FieldConfig(
        activations=[str(made.matrix)],
        table=str(made.table),
        db=str(tmp_path / "f.db"),
        sample=256,
        group="machine",
        order="time",
    )
    analyze(config, Console(quiet=True))
    with Session(make_engine(str(tmp_path / "f.db"), read_only=True)) as session:
        summary = session.scalars(select(Analysis)).one().summary
        said = session.scalars(select(Profile).where(Profile.name == "groups", Profile.index == MACHINE)).one().data
    on = made.x != 0
    for unit in (MACHINE, COPY, DRIFT, NOISE):
        assert summary["between"][str(unit)] == pytest.approx(by_hand(on[:, unit], made.group), rel=1e-3)
    assert said["exact"], "of all rows, though labels were held against a sample of 256"
    assert len(said["items"]) == 24, "those at either end alone"
    first = said["items"][0]
    own = on[made.group == int(first["value"][1:]), MACHINE]
    assert (first["rows"], first["density"]) == (20, pytest.approx(own.mean()))


def test_what_is_always_or_never_on_has_nothing_between_groups() -> None:
    rows = torch.tensor([4.0, 0.0, 6.0])
    assert between(torch.tensor([[4.0, 0.0, 4.0], [0, 0, 0], [6, 0, 0]]), rows).tolist() == [0.0, 0.0, 1.0]
