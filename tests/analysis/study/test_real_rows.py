"""A study of a matrix with the real analysis: what was followed and is no more needs attention."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

from analysis.study.command import study
from tests.field_world import COPY, DEFECT, factory

FILE = """
name = "press"
[activations]
matrix = "hidden.npy"
table = "parts.csv"
id = "part"
group = "machine"
order = "time"
"""


def test_a_label_that_is_followed_no_more_needs_attention(tmp_path: Path) -> None:
    made = factory(tmp_path)
    x = made.x.copy()
    x[:, COPY] = 0  # else the label would stand in the matrix
    np.save(made.matrix, x)
    file = tmp_path / "press.toml"
    file.write_text(FILE)
    assert study(file, Console(quiet=True)) == 0
    report = (tmp_path / "press.report.md").read_text()
    assert f"**defect** is followed by L0/{DEFECT}" in report
    assert study(file, Console(quiet=True), if_changed=True) == 0
    x[:, DEFECT] = np.random.default_rng(0).permutation(x[:, DEFECT])
    np.save(made.matrix, x)
    assert study(file, Console(quiet=True)) == 3
    assert "defect" in (tmp_path / "press.report.md").read_text().split("Since the last study")[1]
