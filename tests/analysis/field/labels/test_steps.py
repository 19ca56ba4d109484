"""A label that changes once or twice within a group is nearly a line in time: what follows it is told from a drift."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch

from analysis.field.labels import FieldAssociation, FieldColumn, associate
from analysis.field.labels.changes import around_changes
from tests.seeds import seeds

torch.set_num_threads(1)
each_seed = seeds(5)
MACHINES, ROWS = 40, 60


class Tools(NamedTuple):
    """A tool that is changed on each machine, once or twice, and units beside it."""

    values: torch.Tensor  # [n, 3]: follows the tool, drifts with time, noise
    tool: np.ndarray
    group: torch.Tensor
    order: torch.Tensor

    def found(self, kind: str, seed: int, tool: np.ndarray | None = None) -> list[FieldAssociation]:
        """The tool against each unit."""
        of = torch.from_numpy(self.tool if tool is None else tool)
        column = FieldColumn("tool", kind, of, ["old", "new", "newer"])
        return associate(self.values, [column], self.group, self.order, seed, order_name="time")[0]


def tools(seed: int, changes: int, machines: int = MACHINES, rows: int = ROWS) -> Tools:
    """The new tool comes late on each machine, and with time; of two changes the second brings a third tool."""
    random = np.random.default_rng([83, seed, changes])
    machine, time = np.repeat(np.arange(machines), rows), np.tile(np.arange(rows) / rows, machines)
    late = [
        random.uniform(*part, machines)[machine] for part in ([(0.25, 0.75)], [(0.2, 0.4), (0.6, 0.8)])[changes - 1]
    ]
    tool = np.sum([time >= of for of in late], axis=0).astype(float)
    values = random.standard_normal((len(machine), 3))
    values[:, 0] += 0.8 * tool
    values[:, 1] += 3.0 * time
    return Tools(torch.from_numpy(values).float(), tool, torch.from_numpy(machine), torch.from_numpy(time))


def said(one: FieldAssociation) -> tuple[str, str, str]:
    return one.verdict, str(one.statement["code"]), str(one.statement.get("by", ""))


@each_seed
@pytest.mark.parametrize(("kind", "changes"), [("boolean", 1), ("category", 1), ("category", 2), ("number", 2)])
def test_what_follows_a_step_is_told_from_what_drifts(seed: int, kind: str, changes: int) -> None:
    follows, drifts, noise = tools(seed, changes).found(kind, seed)
    assert said(drifts) == ("no", "confounded", "time"), drifts.statement
    assert said(follows) in {("yes", "yes", ""), ("no", "untold", "time")}, follows.statement
    assert noise.verdict == "no"


def test_most_of_what_follows_a_step_is_a_yes() -> None:
    """Else nothing would be left of the test above: all could be *cannot be told*."""
    cases = [("boolean", 1), ("category", 1), ("category", 2), ("number", 2)]
    found = [tools(seed, changes).found(kind, seed)[0].verdict for kind, changes in cases for seed in range(5)]
    assert found.count("yes") >= 17, found


@each_seed
def test_too_few_rows_leave_it_untold(seed: int) -> None:
    """Twelve machines and forty rows: the interval takes in nothing at all as well as the whole effect."""
    follows, drifts, _noise = tools(seed, 1, 12, 40).found("category", seed)
    assert said(follows) == ("no", "untold", "time"), follows.statement
    assert said(drifts) in {("no", "confounded", "time"), ("no", "untold", "time")}


def test_a_tool_that_says_nothing_is_not_found() -> None:
    """Tools of other machines: at most 5 % of worlds have any yes, the drift among the units."""
    any_yes = 0
    for shuffle in range(40):
        world = tools(shuffle, 1 + shuffle % 2, 24, 40)
        other = world.tool.reshape(24, 40)[np.random.default_rng(shuffle).permutation(24)].ravel()
        values = world.values.clone()
        values[:, 0] = torch.randn(len(values), generator=torch.Generator().manual_seed(shuffle))
        any_yes += any(one.verdict == "yes" for one in world._replace(values=values).found("category", shuffle, other))
    assert any_yes <= 2, any_yes


def test_rows_around_a_change_hold_as_many_before_as_after_and_no_other_change() -> None:
    random = np.random.default_rng(4)
    group = torch.from_numpy(np.repeat(np.arange(6), 50))
    y = torch.from_numpy((np.arange(300) % 50 >= random.integers(5, 45, 6)[group.numpy()]).astype(float))
    y[:50] = 0.0  # never changed
    y[60:63] = 1.0 - y[60]  # a change too short to count
    order, turn = torch.arange(300).double(), torch.from_numpy(random.permutation(300))
    turned, groups = around_changes(y[turn], order[turn], group[turn])
    strata = torch.empty_like(turned)
    strata[turn] = turned
    assert groups == 5
    windows = 0
    for stratum in range(int(strata.max()) + 1):
        rows = torch.nonzero(strata == stratum).flatten()
        assert len(torch.unique(group[rows])) == 1
        if len(torch.unique(y[rows])) > 1:
            windows += 1
            half = len(rows) // 2
            assert bool((rows.diff() == 1).all())
            assert 4 <= half <= 10
            assert len(torch.unique(y[rows[:half]])) == len(torch.unique(y[rows[half:]])) == 1
    assert windows >= 5
