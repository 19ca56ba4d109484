"""Units against the order of rows and against a map."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from analysis.field.labels import map_profile, order_profile
from tests.planted_field import NAMES, parts
from tests.seeds import seeds

torch.set_num_threads(1)
each_seed = seeds(5)


@each_seed
def test_drift_is_found_within_machines(seed: int) -> None:
    world = parts(seed)
    found = dict(zip(NAMES, order_profile(world.values, world.group, world.order), strict=True))
    drift = found["drift"]
    assert 0.5 < drift.low < drift.spearman < drift.high < 0.8
    x, g, t = world.values[:, 2].numpy(), world.group.numpy(), world.order.numpy()
    slow = np.mean([scipy.stats.spearmanr(x[g == k], t[g == k]).statistic for k in np.unique(g)])
    assert drift.spearman == pytest.approx(slow, abs=1e-5)
    means = [part["mean"] for part in drift.bins]
    assert len(means) == 20
    assert means[-1] - means[0] > 1.2
    assert sum(part["rows"] for part in drift.bins) == len(x)
    assert all(part["low"] < part["mean"] < part["high"] for part in drift.bins)
    machine = found["machine"]
    assert machine.low < 0 < machine.high or abs(machine.spearman) < 0.1
    assert max(abs(part["mean"]) for part in machine.bins) < 0.4, "levels of machines are out"
    assert (found["noise 0"].low < 0 < found["noise 0"].high) or abs(found["noise 0"].spearman) < 0.07


def test_order_needs_groups_of_rows() -> None:
    x, n = torch.randn(100, 1), torch.arange(100)
    alone = order_profile(x, n, n.double())[0]
    assert alone.reason == {"code": "one_row_a_group"}
    assert np.isnan(alone.spearman)
    few = order_profile(x, n // 50, n.double())[0]
    assert few.reason == {"code": "few_groups", "groups": 2, "needed": 5}
    still = order_profile(x * 0, n // 10, n.double())[0]
    assert still.reason == {"code": "constant"}


@each_seed
def test_a_map_shows_where_a_unit_is_high(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 4_000
    x, y = random.uniform(-1, 1, (2, n))
    image = np.arange(n) // 50
    values = random.standard_normal((n, 2))
    values[:, 0] += 3 * ((x > 0.5) & (y < -0.5))
    spot, noise = map_profile(values, x, y, image)
    grid = np.array(spot.means, dtype=float)
    assert grid[:3, 9:].min() > 1.2
    assert grid[3:].max() < 0.8
    assert 0.3 < spot.low < spot.share < spot.high < 0.6
    assert 0.25 < spot.held_out < spot.share
    assert noise.share == pytest.approx(noise.chance, abs=0.02)
    assert noise.held_out < 0.005
    assert int(np.sum(spot.counts)) == n
    x[:10] = np.nan
    values = values[:, :1]
    assert int(np.sum(map_profile(values, x, y, image)[0].counts)) == n - 10


def test_a_place_of_whole_machines_is_held_against_machines() -> None:
    """Each machine stands at one place: its level alone fills the map, and that is chance."""
    random = np.random.default_rng(0)
    machine = np.repeat(np.arange(60), 40)
    values = random.standard_normal(60)[machine] + 0.2 * random.standard_normal(len(machine))
    x, y = random.uniform(0, 1, (2, 60))[:, machine]
    one = map_profile(values[:, None], x, y, machine)[0]
    assert one.share > 0.5
    assert one.chance > 0.5
    assert one.held_out < 0.1
    with pytest.raises(ValueError, match="no row has"):
        map_profile(values[:, None], x * np.nan, y, machine)
