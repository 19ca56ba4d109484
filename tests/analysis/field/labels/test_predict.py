"""Held-out power of sets of columns: who predicts, against permuted labels and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.field.labels import ColumnSet, FieldColumn, Power, predict
from analysis.field.labels.grouping import grouping
from analysis.field.labels.predict import MOST_COLUMNS, MOST_ROWS
from analysis.field.labels.ridge import held_out_predictions
from tests.planted_field import boolean, parts
from tests.seeds import seeds

torch.set_num_threads(1)
each_seed = seeds(5)


@each_seed
def test_the_sets_that_hold_a_label_predict_it(seed: int) -> None:
    world = parts(seed)
    sets = [
        ColumnSet("best unit", world.values[:, [2, 0, 3, 5]], single=True),
        ColumnSet("all", world.values),
        ColumnSet("noise", world.values[:, 5:]),
    ]
    one, every, noise = predict(sets, world.columns[0], world.group, seed)
    assert one.measure == "auc"
    assert 0.65 < one.low < one.value < one.high < 0.85
    assert every.value > one.value - 0.01, "the machine's level adds to the defect's own unit"
    assert one.p == every.p == 1 / 40
    assert set(one.chosen) == {1}
    assert abs(noise.value - 0.5) < 0.05
    assert noise.value < noise.chance_high + 0.03
    assert every.value > every.chance_high > every.chance
    shift, *_rest = predict(sets[1:], world.columns[2], world.group, seed)
    assert (shift.measure, shift.p) == ("auc", 1 / 40)
    assert shift.value > 0.55
    level = predict(sets[1:2], world.columns[4], world.group, seed)[0]
    assert (level.measure, level.rows, level.groups) == ("r2", 2_000, 40)
    assert 0.5 < level.low < level.value < 0.95
    assert level.spearman > 0.7


@each_seed
def test_what_only_tells_machines_apart_is_no_power_over_chance(seed: int) -> None:
    """Rows' labels are dealt out within machines, so that chance has what the machines alone give."""
    world = parts(seed)
    only = predict([ColumnSet("machine", world.values[:, 1:2])], world.columns[0], world.group, seed)[0]
    assert only.value > 0.6
    assert only.chance == pytest.approx(only.value, abs=0.03)
    assert only.p > 1 / 40


def test_labels_that_say_nothing_are_not_predicted() -> None:
    """The best of 40 units on the training folds is no better than chance on the others."""
    values, ps = [], []
    for seed in range(10):
        random = np.random.default_rng(seed)
        x = torch.from_numpy(random.standard_normal((300, 40))).float()
        y = boolean("y", random.random(300) < 0.4)
        found = predict([ColumnSet("best", x, True), ColumnSet("all", x)], y, torch.arange(300), seed)
        values.append([one.value for one in found])
        ps.append([one.p for one in found])
    assert np.mean(values, 0) == pytest.approx([0.5, 0.5], abs=0.03)
    assert (np.array(ps) < 0.05).mean() <= 0.15


@each_seed
def test_predictions_are_those_of_scikit_learn_on_the_same_folds(seed: int) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="pip install '.[dev]'")
    model = pytest.importorskip("sklearn.model_selection")
    pipeline = pytest.importorskip("sklearn.pipeline").make_pipeline
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    x = random.standard_normal((300, 7)) * 10.0 ** np.arange(-3, 4) + 1_000
    y = (x - 1_000) @ (10.0 ** -np.arange(-3, 4)) + 2 * random.standard_normal(300) + 50
    group = random.integers(0, 30, 300)
    units = grouping(torch.from_numpy(group))
    ours = held_out_predictions(torch.from_numpy(x), torch.from_numpy(y)[:, None], units.fold, 5, penalty=3.0)
    split = model.PredefinedSplit(units.fold.numpy())
    theirs = model.cross_val_predict(pipeline(scaler(), linear.Ridge(alpha=3.0)), x, y, cv=split)
    assert ours[:, 0].numpy() == pytest.approx(theirs, abs=1e-6)
    assert metrics.r2_score(y, ours[:, 0].numpy()) == pytest.approx(metrics.r2_score(y, theirs))

    x = random.standard_normal((300, 7)).astype(np.float32)
    y = x[:, 0] + random.standard_normal(300)
    mine = predict([ColumnSet("x", x)], FieldColumn("y", "number", torch.from_numpy(y)), torch.from_numpy(group))[0]
    fold = grouping(torch.from_numpy(group)).fold.numpy()
    split = model.PredefinedSplit(fold)
    best = model.cross_val_predict(
        model.GridSearchCV(
            pipeline(scaler(), linear.Ridge()), {"ridge__alpha": [0.7, 7.0, 70.0]}, scoring="neg_mean_squared_error"
        ),
        x, y, cv=split,
    )  # fmt: skip
    mean = np.array([y[fold != f].mean() for f in range(5)])[fold]
    assert mine.value == pytest.approx(1 - ((y - best) ** 2).sum() / ((y - mean) ** 2).sum(), abs=0.01)


def test_auc_is_scikit_learn_s_within_folds() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="pip install '.[dev]'")
    random = np.random.default_rng(0)
    y, x = (random.random(500) < 0.4).astype(float), random.standard_normal((500, 1)).astype(np.float32)
    x[:, 0] += y
    found = predict([ColumnSet("x", x, True)], boolean("y", y), torch.arange(500))[0]
    fold = grouping(torch.arange(500)).fold.numpy()
    each = [metrics.roc_auc_score(y[fold == f], x[fold == f, 0]) for f in range(5)]
    pairs = [y[fold == f].sum() * (1 - y[fold == f]).sum() for f in range(5)]
    assert found.value == pytest.approx(np.average(each, weights=pairs), abs=1e-9)


def test_a_penalty_is_chosen_for_each_label() -> None:
    """Pure noise in 80 columns: the strongest penalty, and no R² far below 0."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(200, 80, generator=random)
    y = torch.stack([torch.randn(200, generator=random), x[:, :40].sum(1)], 1)
    fold = torch.arange(200) % 5
    chosen = held_out_predictions(x, y, fold, 5)
    error = (chosen - y).square().mean(0) / y.var(0)
    assert float(error[0]) < 1.15
    assert float(error[1]) < 0.2
    loose = held_out_predictions(x, y, fold, 5, penalty=0.01)
    assert float((loose[:, 0] - y[:, 0]).square().mean()) > 1.3


def test_bounded_cost_is_said() -> None:
    random = torch.Generator().manual_seed(0)
    n = MOST_ROWS + 500
    x = torch.randn(n, 3, generator=random)
    y = FieldColumn("y", "number", x[:, 0].double() + torch.randn(n, generator=random))
    one = predict([ColumnSet("x", x)], y, torch.arange(n) // 100)[0]
    assert (one.rows, one.rows_given, one.columns) == (MOST_ROWS, n, 3)
    assert one.value == pytest.approx(0.5, abs=0.03)
    wide = torch.randn(60, MOST_COLUMNS + 10, generator=random) * 0.01
    wide[:, -1] = torch.randn(60, generator=random)
    y = FieldColumn("y", "number", wide[:, -1].double())
    found = predict([ColumnSet("wide", wide, True)], y, torch.arange(60))[0]
    assert (found.columns, found.columns_given) == (MOST_COLUMNS, MOST_COLUMNS + 10)
    assert set(found.chosen) == {MOST_COLUMNS + 9}, "columns have their number among all that were given"
    assert found.value > 0.99


def test_few_groups_and_no_columns_say_so() -> None:
    world = parts(0, machines=4)
    few = predict([ColumnSet("all", world.values)], world.columns[0], world.group)[0]
    assert few.reason is not None
    assert few.reason["code"] == "few_groups"
    assert np.isnan(few.value)
    world = parts(0)
    none: Power = predict([ColumnSet("none", world.values[:, :0])], world.columns[0], world.group)[0]
    assert none.reason == {"code": "no_columns"}
    with pytest.raises(ValueError, match="set 'short' has 10 rows"):
        predict([ColumnSet("short", world.values[:10])], world.columns[0], world.group)
