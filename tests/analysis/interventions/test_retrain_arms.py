"""What each arm removes, the order its data come in, and arms that are stopped and go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from analysis.errors import UserError
from analysis.interventions.retrain.config import ARMS
from analysis.interventions.retrain.job import run_job
from analysis.interventions.retrain.spans import Removal
from analysis.reading.sae import WEIGHTS
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.train import NORM_BATCHES
from tests.analysis.interventions.retrain_world import SIGNED, SPARSE, Planted, config

torch.set_num_threads(1)

STEPS = 60
SHORT = Recipe("topk", 80, 3, learning_rate=4e-3, batch=64, train_tokens=STEPS * 64)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return Planted(tmp_path_factory.mktemp("arms"), SHORT)


class Stopped(Exception):  # noqa: N818
    """The machine went away."""


class WatchedCache(ActivationCache):
    """Notes which rows are read, and fails after so many batches."""

    def __init__(self, cache: ActivationCache, batches: int = 10**9) -> None:
        super().__init__(cache.folder, cache.hooks, cache.tokens, cache.d_model)
        self.left, self.seen = batches, []  # type: ignore[var-annotated]

    def rows(self, hook: str, mode: str = "r") -> Any:
        return _WatchedRows(super().rows(hook, mode), self)


class _WatchedRows:
    def __init__(self, rows: Any, owner: WatchedCache) -> None:
        self.rows, self.owner = rows, owner

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        self.owner.left -= 1
        if self.owner.left < 0:
            raise Stopped
        self.owner.seen.append(index.tolist())
        return self.rows[index]


def test_every_arm_removes_what_it_says(planted: Planted) -> None:
    plans = {plan.name: plan for plan in planted.plans(list(ARMS), 1)}
    assert list(plans) == list(ARMS)
    source = planted.source
    for name in ("original", "abstopk", "abstopk_half"):
        assert (plans[name].removal.basis.shape[1], plans[name].variance, plans[name].latents) == (0, 0, [])
    assert plans["dense"].latents == source.stored.dense
    sizes = {name: plans[name].removal.basis.shape[1] for name in ("dense", "dimension", "components", "count")}
    assert sizes == {"dense": SIGNED, "dimension": SIGNED, "components": SIGNED, "count": 2 * SIGNED}
    assert len(plans["count"].latents) == len(source.stored.dense)
    for name in ("dimension", "count", "variance"):
        assert set(plans[name].latents) <= set(source.sparse)
    assert plans["components"].variance >= plans["dense"].variance > plans["dimension"].variance
    assert (plans["abstopk"].recipe.architecture, plans["abstopk"].recipe.width) == ("abstopk", 80)
    assert plans["abstopk_half"].recipe.width == 40
    assert (plans["fewer"].latents, plans["fewer"].recipe.k) == (source.stored.dense, 2)  # 3 less twice a quarter
    assert torch.equal(plans["fewer"].removal.basis, plans["dense"].removal.basis)
    assert plans["pairs"].latents == [SPARSE, SPARSE + SIGNED]
    assert plans["pairs"].removal.basis.shape[1] == 1


def test_an_arm_that_the_sae_has_no_room_for_is_told(planted: Planted) -> None:
    world = Planted.__new__(Planted)
    world.spread = planted.spread
    for changed, arm, words in (
        ({"densities": dict.fromkeys(planted.source.stored.dense, 1.5)}, "fewer", "k of more than the 3.0 dense lat"),
        ({"pairs": []}, "pairs", "two dense latents that are an antipodal pair; found none"),
        ({"pairs": [(0, SPARSE)]}, "pairs", "two dense latents that are an antipodal pair; found none"),
    ):
        world.source = planted.source._replace(stored=replace(planted.source.stored, **changed))
        with pytest.raises(UserError, match=words):
            world.plans([arm], 1)
    assert config().arms == [arm for arm in ARMS if arm not in ("fewer", "pairs")]  # not every SAE has room for them
    world.source = planted.source._replace(recipe=replace(planted.source.recipe, architecture="batchtopk", k=3.2))
    assert world.plans(["fewer"], 1)[0].recipe.k == 2.7


def test_equal_variance_takes_as_few_latents_as_hold_it(planted: Planted) -> None:
    wanted = planted.plans(["dense"], 1)[0].variance
    for plan in planted.plans(["variance"], 3):
        assert plan.variance >= wanted
        assert not plan.short
        assert plan.latents == planted.source.drawn(plan.seed)[: len(plan.latents)]
        rows = planted.source.sae.decoder[plan.latents[:-1]]
        one_fewer = torch.linalg.qr(rows.T.double()).Q
        assert planted.spread.share(one_fewer) < wanted


def test_a_variance_that_cannot_be_reached_is_said(planted: Planted) -> None:
    few = planted.source._replace(sparse=planted.source.sparse[:3])
    world = Planted.__new__(Planted)
    world.source, world.spread = few, planted.spread
    (plan,) = world.plans(["variance"], 1)
    assert plan.short
    assert sorted(plan.latents) == [0, 1, 2]
    assert 0 < plan.variance < planted.plans(["dense"], 1)[0].variance


def test_sparse_latents_are_drawn_anew_for_every_seed(planted: Planted) -> None:
    drawn = [tuple(plan.latents) for plan in planted.plans(["count"], 3)]
    assert len(set(drawn)) == 3
    assert drawn == [tuple(plan.latents) for plan in planted.plans(["count"], 3)]


def test_too_few_sparse_latents_are_told(planted: Planted) -> None:
    world = Planted.__new__(Planted)
    world.source, world.spread = planted.source._replace(sparse=[]), planted.spread
    with pytest.raises(UserError, match="expected sparse latents for 1 dimensions; found 0 that fire on less than a q"):
        world.plans(["dimension"], 1)
    with pytest.raises(UserError, match="expected sparse latents for 2 of them; found 0"):
        world.plans(["count"], 1)


def test_the_mean_is_kept_where_it_is_asked_for(planted: Planted) -> None:
    (zero,), (mean,) = planted.plans(["dense"], 1), planted.plans(["dense"], 1, mean=True)
    assert not zero.removal.mean.any()
    torch.testing.assert_close(mean.removal.mean, planted.spread.mean.float())


def test_arms_of_a_seed_see_the_same_data_in_the_same_order(planted: Planted, tmp_path: Path) -> None:
    seen = {}
    for plan in planted.plans(["original", "dense", "dimension", "abstopk_half"], 2):
        cache = WatchedCache(planted.training)
        run_job(planted.job(plan, tmp_path / f"{plan.name}-{plan.seed}", cache))
        seen[plan.name, plan.seed] = cache.seen
    for name in ("dense", "dimension", "abstopk_half"):
        for seed in (0, 1):
            assert seen[name, seed] == seen["original", seed]
    assert seen["original", 0] != seen["original", 1]
    assert len(seen["original", 0]) == NORM_BATCHES + STEPS


def test_a_stopped_arm_goes_on_to_the_same_weights(planted: Planted, tmp_path: Path) -> None:
    plan = planted.plans(["dense"], 1)[0]
    told: list[int] = []
    whole = run_job(planted.job(plan, tmp_path / "whole"), told.append)
    assert sum(told) == (NORM_BATCHES + STEPS) * SHORT.batch
    stopping = WatchedCache(planted.training, NORM_BATCHES + STEPS * 3 // 4)
    with pytest.raises(Stopped):
        run_job(planted.job(plan, tmp_path / "stopped", stopping))
    # what it removes stays what it began with, even if the plan now came out otherwise
    other = plan._replace(removal=Removal(plan.removal.basis.flip(1), plan.removal.mean))
    job = planted.job(other, tmp_path / "stopped")
    assert 0 < job.left() < STEPS * SHORT.batch
    resumed = run_job(job)
    assert job.left() == 0
    assert resumed["resumed_at_step"] >= STEPS // 2
    one, same = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "stopped"))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert resumed["sha256"] == whole["sha256"]
    assert resumed["density_curve"] == whole["density_curve"]


def test_a_finished_arm_is_kept_and_measured_anew_only_in_another_way(planted: Planted, tmp_path: Path) -> None:
    job = planted.job(planted.plans(["original"], 1)[0], tmp_path / "arm")
    assert job.report() is None
    first = run_job(job)
    assert job.report() == first
    dead = planted.job(planted.plans(["original"], 1)[0], tmp_path / "arm", WatchedCache(planted.training, 0))
    other = dead._replace(threshold=0.01, measured_with="another threshold")
    assert other.report() is None
    again = run_job(other)  # the cache would stop it, were it to train
    assert again["sha256"] == first["sha256"]
    assert again["n_dense"] > first["n_dense"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arms": ["orginal"]}, "unknown arm 'orginal'; choose one of original, dense, dimension"),
        ({"seeds": 0}, "--seeds 0: expected at least 1"),
        ({"other_seeds": 0}, "--other-seeds 0: expected at least 1"),
        ({"held_out": 1.0}, r"--held-out 1\.0: expected a number between 0 and 1"),
        ({"energy": 0.0}, r"--energy 0\.0: expected a share above 0"),
        ({"weights": ["a", "b"]}, "--weights: expected one for each of 1 --sae; found 2"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        config(**settings)


def test_arms_come_once_and_in_their_own_order() -> None:
    assert config(arms=["dimension", "dense", "dimension", "original"]).arms == ["original", "dense", "dimension"]
