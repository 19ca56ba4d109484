"""The group and the order as rows of their own: what lies between machines, what drifts, and what chance gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from scipy import stats

from analysis.statistics.intervals import jackknife_ratio
from app.field.parts import between_groups, drifts, most_by_chance, shared_words, t_quantile
from app.field.queries import Drift, Spell
from tests.app.field.test_field_pages import UNIT, client, db, page  # noqa: F401 - fixtures
from tests.field_world import DRIFT, HEAT, MACHINE, NOISE

GROUPS, EACH = 40, 60


def spell(on: np.ndarray) -> Spell:
    """The density of on [groups, rows] with its interval, as the worker stores it."""
    fired = torch.from_numpy(on.sum(1)).double()
    d, low, high = jackknife_ratio(fired, torch.full((len(on),), float(on.shape[1]), dtype=torch.float64))
    return Spell("a", 0, 0, True, float(d), max(0.0, float(low)), min(1.0, float(high)))


@pytest.mark.parametrize("spread", [0.1, 0.25, 0.45])
def test_the_share_between_groups_is_that_of_an_analysis_of_variance(spread: float) -> None:
    random = np.random.default_rng(3)
    chances = 0.5 + spread * random.uniform(-1, 1, GROUPS)
    on = random.random((GROUPS, EACH)) < chances[:, None]
    between = EACH * ((on.mean(1) - on.mean()) ** 2).sum() / ((on - on.mean()) ** 2).sum()
    assert between_groups(spell(on), GROUPS) == pytest.approx(between, rel=0.03)


def test_of_rows_dealt_out_at_random_one_in_twenty_families_passes() -> None:
    random = np.random.default_rng(4)
    families, tried = 200, 10
    passing = 0
    for _family in range(families):
        found = [between_groups(spell(random.random((GROUPS, EACH)) < 0.3), GROUPS) for _unit in range(tried)]
        passing += max(found) > most_by_chance(GROUPS, GROUPS * EACH, tried)
    assert passing <= stats.binom.ppf(0.999, families, 0.05)
    assert passing > 0  # the bar is no wall


@pytest.mark.parametrize(
    ("share", "groups", "said"),
    [(0.734, 40, "73\u202f%"), (0.734, 140, "about 70\u202f%"), (0.036, 140, "about 4\u202f%")],
)
def test_a_rough_share_is_said_roughly(share: float, groups: int, said: str) -> None:
    assert shared_words(share, groups <= 64) == said


def test_what_is_always_on_lies_between_no_groups() -> None:
    assert between_groups(Spell("a", 0, 0, True, 1.0, 1.0, 1.0), GROUPS) == 0.0


@pytest.mark.parametrize(("freedom", "within"), [(4, 0.06), (10, 0.01), (23, 0.001), (59, 0.0001)])
def test_quantiles_of_t_agree_with_scipy(freedom: int, within: float) -> None:
    for share in (0.975, 0.9995):
        assert t_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=within)


def test_a_drift_must_leave_more_behind_where_more_units_were_tried() -> None:
    one = Drift("a", 0, 0, True, 0.10, 0.02, 0.18)
    assert drifts(one, 40, 1)
    assert not drifts(one, 40, 200)


def test_the_machine_and_the_time_stand_on_the_start_page_with_what_follows_them(client: TestClient) -> None:  # noqa: F811
    found = client.get("/").text
    machine, time = (
        found.split(f'<section class="card" id="{key}">')[1].split("</section>")[0] for key in ("group", "order")
    )
    assert f"L0/{MACHINE}, " in machine
    assert "unequally often from machine to machine" in machine
    assert "Rows dealt out at random: 1.6" in machine
    assert "line has one value in each group, and may be why." in machine
    assert "2 of 8 dense units rise or fall with it within each machine" in time
    first, second, third = [part.split("</a>")[0] for part in time.split(f'href="{UNIT}/')[1:4]]
    assert {first.split(">")[1], second.split(">")[1]} == {f"L0/{DRIFT}", f"L0/{HEAT}"}
    assert time.count('class="faint"') >= 1  # others are shown, and not called drifting
    assert third


def test_the_units_page_says_how_much_lies_between_machines(client: TestClient) -> None:  # noqa: F811
    assert "71 % of whether it is on lies between them" in page(client, f"{UNIT}/{MACHINE}")
    share = page(client, f"{UNIT}/{NOISE}").split(" % of whether it is on lies between them")[0].split()[-1]
    assert float(share) < 4


def test_a_share_that_was_counted_is_said_as_it_is() -> None:
    counted = Spell("a", 0, 0, True, 0.3, 0.1, 0.5, 0.1234)
    assert between_groups(counted, 4_000) == 0.1234
    assert most_by_chance(4_000, 200_000, 10, counted=True) < most_by_chance(4_000, 200_000, 10)
