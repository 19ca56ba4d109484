"""Planted truths: what goes with a label, what goes with its machine alone, what drifts, and what is noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.field.labels import FieldAssociation, FieldColumn, associate
from tests.planted_field import NAMES, Parts, boolean, parts
from tests.seeds import seeds

torch.set_num_threads(1)
each_seed = seeds(5)


def told(world: Parts, seed: int = 0, ordered: bool = True) -> dict[str, dict[str, FieldAssociation]]:
    found = associate(
        world.values, world.columns, world.group, world.order if ordered else None, seed, group_name="machine"
    )
    return {c.name: dict(zip(NAMES, of, strict=True)) for c, of in zip(world.columns, found, strict=True)}


@each_seed
@pytest.mark.parametrize("ordered", [True, False])
def test_planted_parts(seed: int, ordered: bool) -> None:
    found = told(parts(seed), seed, ordered)
    own = found["defect"]["defect"]
    assert (own.verdict, own.statement["code"]) == ("yes", "yes")
    assert 0.7 < own.low < own.effect < own.high < 0.85
    assert own.conditional > 0.7
    assert own.held_out > 0.7
    assert own.data["permuted"] == ("order_within_groups" if ordered else "within_groups")
    machine = found["defect"]["machine"]
    assert (machine.verdict, machine.statement["code"]) == ("no", "confounded")
    assert (machine.statement["by"], machine.statement["by_kind"]) == ("machine", "group")
    assert machine.low > 0.55, "over rows it does go with it"
    assert abs(machine.conditional - 0.5) < 0.08
    assert found["shift"]["shift"].verdict == "yes"
    assert found["shift"]["shift"].statement["highest"] == "c"
    assert found["material"]["material"].verdict == "yes"
    assert found["material"]["material"].data["permuted"] == "groups"
    assert found["level"]["machine"].verdict == "yes"
    wrong = [
        (label, unit)
        for label, of in found.items()
        for unit, one in of.items()
        if one.verdict == "yes" and unit not in {label, "machine", "drift"}
    ]
    assert len(wrong) <= 1, wrong


@each_seed
def test_a_label_that_drifts_with_a_unit_is_no_plain_yes(seed: int) -> None:
    world = parts(seed)
    one = told(world, seed)["worn"]["drift"]
    assert one.effect > 0.6
    assert one.q < 0.05, "the shift alone does not tell two drifts apart"
    assert (one.verdict, one.statement["code"], one.statement["by"]) == ("no", "confounded", "order")
    without = told(world, seed, ordered=False)["worn"]["drift"]
    assert without.verdict == "yes", "who gives no order cannot be told"


@each_seed
def test_a_label_that_is_a_step_in_time_cannot_be_told_from_it(seed: int) -> None:
    """The tool was changed once on each machine: nothing is left of that within short stretches of time."""
    world = parts(seed, each=200)
    late = boolean("new tool", (world.time >= 0.5).astype(float))
    one = associate(world.values, [late], world.group, world.order, seed)[0][NAMES.index("drift")]
    assert one.statement["code"] != "yes" or one.statement["inseparable"] == ["order"], one.statement


@each_seed
def test_a_label_through_another_column_is_confounded_by_it(seed: int) -> None:
    random = np.random.default_rng([5, seed])
    n = 1_500
    heat = random.standard_normal(n)
    alarm = heat + 0.5 * random.standard_normal(n) > 0.8
    x = random.standard_normal((n, 2))
    x[:, 0] += 2.0 * alarm
    x[:, 1] += 1.0 * alarm + 0.5 * heat
    columns = [boolean("alarm", alarm.astype(float)), FieldColumn("heat", "number", torch.from_numpy(heat))]
    of_alarm, of_heat = associate(torch.from_numpy(x), columns, torch.arange(n), None, seed)
    assert [one.verdict for one in of_alarm] == ["yes", "yes"]
    assert (of_heat[0].verdict, of_heat[0].statement["by"]) == ("no", "alarm")
    assert of_heat[0].effect > 0.3
    assert abs(of_heat[0].conditional) < 0.15
    assert of_heat[1].verdict == "yes", of_heat[1]


def test_a_unit_can_go_with_a_label_within_machines_that_hide_it() -> None:
    world = parts(0)
    defect = world.columns[0].values.numpy()
    x = torch.from_numpy(0.8 * defect - 2.5 * world.level + np.random.default_rng(1).standard_normal(len(defect)))
    one = associate(x[:, None], world.columns[:1], world.group, None, 0)[0][0]
    assert one.effect < 0.5 < one.conditional
    assert (one.verdict, one.data["conditional_on"]) == ("yes", "group")


def test_what_cannot_be_measured_says_why() -> None:
    n = 200
    random = np.random.default_rng(0)
    x = torch.from_numpy(random.standard_normal((n, 2))).float()
    x[:, 1] = 3
    y = torch.from_numpy((random.random(n) < 0.5).astype(float))
    column = FieldColumn("y", "boolean", y)
    few = associate(x, [column], torch.arange(n) % 4, None, 0)[0]
    assert [one.verdict for one in few] == ["unmeasured", "unmeasured"]
    assert few[0].statement["reason"] == {"code": "few_groups", "groups": 4, "needed": 5}
    many = associate(x, [column], torch.arange(n) % 5, None, 0)[0]
    assert many[0].verdict == "no"
    assert many[1].statement["reason"] == {"code": "constant"}
    rare = torch.zeros(n).double()
    rare[:4] = 1
    missing = torch.where(torch.arange(n) < 190, torch.nan, y)
    for values, code in ((rare, "few_a_side"), (rare * 0, "same_value"), (missing, "few_rows")):
        one = associate(x, [FieldColumn("y", "boolean", values)], torch.arange(n), None, 0)[0][0]
        assert one.statement["reason"]["code"] == code
    own = FieldColumn("serial", "category", torch.arange(n).double(), [str(k) for k in range(n)])
    assert associate(x, [own], torch.arange(n), None, 0)[0][0].verdict == "unmeasured"


def test_wrong_input_says_what_is_wrong() -> None:
    x, y = torch.zeros(30, 1), torch.zeros(30).double()
    with pytest.raises(ValueError, match="unknown kind 'text'"):
        associate(x, [FieldColumn("y", "text", y)], torch.arange(30))
    with pytest.raises(ValueError, match="group has 29 rows; expected 30"):
        associate(x, [], torch.arange(29))
    with pytest.raises(ValueError, match="column 'y' has 29 rows; expected 30"):
        associate(x, [FieldColumn("y", "number", y[1:])], torch.arange(30))
    with pytest.raises(ValueError, match="finite"):
        associate(x + torch.nan, [], torch.arange(30))


def test_units_and_rows_in_another_order_change_nothing() -> None:
    world = parts(1)
    turn = torch.randperm(len(world.values), generator=torch.Generator().manual_seed(0))
    moved = [c._replace(values=c.values[turn]) for c in world.columns]
    before = associate(world.values, world.columns, world.group, world.order, 3)
    after = associate(world.values[turn], moved, world.group[turn], world.order[turn], 3)
    for one, other in zip(before, after, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.effect == pytest.approx(b.effect, abs=1e-6)
            assert (a.low, a.conditional, a.held_out) == pytest.approx((b.low, b.conditional, b.held_out), abs=1e-5)
            assert a.p == pytest.approx(b.p, abs=0.03)


def test_missing_values_are_as_rows_left_out() -> None:
    world = parts(2)
    column = world.columns[0]
    gone = torch.arange(len(world.values)) % 3 == 0
    holes = column._replace(values=torch.where(gone, torch.nan, column.values))
    short = column._replace(values=column.values[~gone])
    one = associate(world.values, [holes], world.group, world.order, 0)[0]
    other = associate(world.values[~gone], [short], world.group[~gone], world.order[~gone], 0)[0]
    assert [a[:8] for a in one] == [b[:8] for b in other]


def test_means_of_levels_are_in_standard_deviations() -> None:
    world = parts(0)
    one = told(world)["defect"]["defect"]
    x, y = world.values[:, 0].double(), world.columns[0].values > 0
    z = (x - x.mean()) / x.std(correction=0)
    false, true = one.data["means"]
    assert (false["value"], true["value"]) == ("false", "true")
    assert (false["mean"], true["mean"]) == pytest.approx((float(z[~y].mean()), float(z[y].mean())), abs=1e-3)
    assert true["low"] < true["mean"] < true["high"]
    assert (true["rows"], false["groups"]) == (int(y.sum()), 40)
    number = told(world)["level"]["machine"].data["means"]
    assert len(number) == 5
    assert number[0]["mean"] < number[2]["mean"] < number[4]["mean"]
