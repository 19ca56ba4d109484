"""The experiment on a world whose truth is known: what retraining makes of signed directions and sparse features."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from analysis.interventions.retrain.job import Job, run_job
from analysis.interventions.retrain.result import Results, results_of
from analysis.reading.sae import load_sae
from analysis.statistics.geometry import partners, unit_rows
from tests.analysis.interventions.retrain_world import SIGNED, D, Planted, config, signed

torch.set_num_threads(1)

ARMS = ("original", "dense", "dimension", "abstopk")
SEEDS = 3
each_seed = pytest.mark.parametrize("seed", range(SEEDS))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return Planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def trained(planted: Planted) -> list[tuple[Job, dict[str, Any]]]:
    """Every arm with three seeds, half the width with one."""
    plans = [*planted.plans(ARMS, SEEDS), *planted.plans(["abstopk_half"], 1)]
    jobs = [planted.job(plan, planted.folder / f"{plan.name}-{plan.seed}") for plan in plans]
    return [(job, run_job(job)) for job in jobs]


@pytest.fixture(scope="module")
def results(planted: Planted, trained: list[tuple[Job, dict[str, Any]]]) -> Results:
    jobs, reports = [job for job, _report in trained], [report for _job, report in trained]
    return results_of(config(seeds=SEEDS), planted.source, jobs, reports)


def one(trained: list[tuple[Job, dict[str, Any]]], name: str, seed: int) -> tuple[Job, dict[str, Any]]:
    return next(each for each in trained if each[0].name == name and each[0].recipe.seed == seed)


@each_seed
def test_topk_makes_a_pair_of_a_signed_direction(trained: list[tuple[Job, dict[str, Any]]], seed: int) -> None:
    job, report = one(trained, "original", seed)
    sae = load_sae(str(job.folder))
    assert sae.encoder is not None
    found = partners(sae.encoder, sae.decoder)
    for direction in signed():
        along = unit_rows(sae.decoder) @ direction
        positive, negative = int(along.argmax()), int(along.argmin())
        assert along[positive] > 0.95
        assert along[negative] < -0.95
        assert found.is_pair[positive]
        assert found.partner[positive] == negative
        assert {positive, negative} <= set(report["dense"])
    assert report["n_pairs"] == SIGNED
    assert report["n_dense"] == 2 * SIGNED
    assert report["signed_share"] is None


@pytest.mark.parametrize(("arm", "seed"), [("abstopk", 0), ("abstopk", 1), ("abstopk", 2), ("abstopk_half", 0)])
def test_abstopk_makes_one_latent_of_it(trained: list[tuple[Job, dict[str, Any]]], arm: str, seed: int) -> None:
    job, report = one(trained, arm, seed)
    sae = load_sae(str(job.folder))
    along = (unit_rows(sae.decoder[report["dense"]]) @ signed().T).abs()
    assert report["n_dense"] == SIGNED
    assert ((along > 0.95).sum(0) == 1).all()
    assert report["n_pairs"] == 0
    assert report["signed_share"] > 0
    assert sae.n_latents == (80 if arm == "abstopk" else 40)


@each_seed
def test_dense_latents_stay_away_only_where_their_own_span_is_removed(
    trained: list[tuple[Job, dict[str, Any]]], seed: int
) -> None:
    dense, dimension = (one(trained, name, seed)[1] for name in ("dense", "dimension"))
    assert dense["removed_dimensions"] == dimension["removed_dimensions"] == SIGNED
    assert dense["n_dense"] == 0
    assert dense["density_curve"][0] < 0.1  # nothing near the threshold either
    assert dimension["n_dense"] == 2 * SIGNED
    assert dimension["density_curve"][2 * SIGNED - 1] > 0.2


def test_the_summary_says_so(results: Results) -> None:
    more = results.summary["more_than_dense"]
    assert (more["dimension"]["mean"], more["dimension"]["low"]) == (2, 2)
    assert results.summary["statement"] == {"code": "depends"}
    assert results.summary["arms"]["dense"]["n_dense"] == {"mean": 0, "low": 0, "high": 0, "of": "seeds"}
    assert results.summary["source"]["n_dense"] == 2 * SIGNED


def test_seeds_agree_on_the_planted_span(results: Results) -> None:
    """Three pairs of seeds with the same dimension; random ones share 1 / 48."""
    for name in ("original", "dimension", "abstopk"):
        pairs = results.summary["angles"][name]
        assert [pair["seeds"] for pair in pairs] == [[0, 1], [0, 2], [1, 2]]
        for pair in pairs:
            assert pair["shared"] > 0.95
            assert pair["chance"] == pytest.approx(SIGNED / D, rel=0.5)
    assert "dense" not in results.summary["angles"]  # it has no dense latent to span anything
    assert all(pair["shared"] > 0.95 for pair in results.summary["angles_to_source"])


def test_planted_latents_are_found_under_other_seeds(results: Results) -> None:
    assert results.found is not None
    assert results.found.stable.all()
    assert (results.found.found == SEEDS).all()
    assert max(results.found.chance) < 0.7
    assert any("2 of 2 dense latents are found again" in line for line in results.lines())


def test_what_is_measured_agrees_with_a_plain_reading(
    planted: Planted, trained: list[tuple[Job, dict[str, Any]]]
) -> None:
    """One arm's numbers, all held-out tokens at once, in float64."""
    job, report = one(trained, "dimension", 1)
    sae = load_sae(str(job.folder))
    plan = next(plan for plan in planted.plans(ARMS, SEEDS) if (plan.name, plan.seed) == ("dimension", 1))
    x = plan.removal(torch.from_numpy(planted.testing.rows(job.hook).astype("float32")))
    acts = sae.encode(x)
    density = (acts != 0).double().mean(0)
    error = (x - sae.decode(acts)).double().square().sum() / (x - x.mean(0)).double().square().sum()
    mass = acts.double().abs().sum(0)
    dense = density > job.threshold
    assert report["fvu"] == pytest.approx(float(error), rel=1e-5)
    assert report["l0"] == pytest.approx(float(density.sum()))
    assert report["alive_share"] == pytest.approx(float((density > 0).double().mean()))
    assert report["dense_mass_share"] == pytest.approx(float(mass[dense].sum() / mass.sum()), rel=1e-5)
    assert report["density_curve"] == pytest.approx(density.sort(descending=True).values.tolist(), abs=1e-5)
    assert report["eval_tokens"] == len(x)
