"""The experiment on a world whose truth is known: what retraining makes of signed directions and sparse features."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

from analysis.interventions.retrain.job import Job, run_job
from analysis.interventions.retrain.result import Results, results_of
from analysis.reading.sae import load_sae
from analysis.statistics.geometry import partners, unit_rows
from tests.analysis.interventions.retrain_world import SIGNED, D, Planted, config, signed
from tests.seeds import seeds

torch.set_num_threads(1)

ARMS = ("original", "dense", "dimension", "abstopk")
each_seed = seeds(3)
Trained = Callable[[str, int], tuple[Job, dict[str, Any]]]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return Planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="module")
def trained(planted: Planted) -> Trained:
    """An arm with a seed, trained when it is first asked for."""
    plans = {(plan.name, plan.seed): plan for plan in planted.plans([*ARMS, "abstopk_half"], 3)}

    @cache
    def train(name: str, seed: int) -> tuple[Job, dict[str, Any]]:
        job = planted.job(plans[name, seed], planted.folder / f"{name}-{seed}")
        return job, run_job(job)

    return train


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.long)])
def results(planted: Planted, trained: Trained, request: pytest.FixtureRequest) -> Results:
    """Every arm with so many seeds, half the width with one."""
    made = [*((name, seed) for name in ARMS for seed in range(request.param)), ("abstopk_half", 0)]
    jobs, reports = zip(*(trained(*each) for each in made), strict=True)
    return results_of(config(seeds=request.param), planted.source, list(jobs), list(reports))


@each_seed
def test_topk_makes_a_pair_of_a_signed_direction(trained: Trained, seed: int) -> None:
    job, report = trained("original", seed)
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


@pytest.mark.parametrize(
    ("arm", "seed"),
    [("abstopk", 0), ("abstopk", 1), pytest.param("abstopk", 2, marks=pytest.mark.long), ("abstopk_half", 0)],
)
def test_abstopk_makes_one_latent_of_it(trained: Trained, arm: str, seed: int) -> None:
    job, report = trained(arm, seed)
    sae = load_sae(str(job.folder))
    along = (unit_rows(sae.decoder[report["dense"]]) @ signed().T).abs()
    assert report["n_dense"] == SIGNED
    assert ((along > 0.95).sum(0) == 1).all()
    assert report["n_pairs"] == 0
    assert report["signed_share"] > 0
    assert sae.n_latents == (80 if arm == "abstopk" else 40)


@each_seed
def test_dense_latents_stay_away_only_where_their_own_span_is_removed(trained: Trained, seed: int) -> None:
    dense, dimension = (trained(name, seed)[1] for name in ("dense", "dimension"))
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
    """Every pair of seeds with the same dimension; random ones share 1 / 48."""
    of = range(len(results.reports["original"]))
    for name in ("original", "dimension", "abstopk"):
        pairs = results.summary["angles"][name]
        assert [pair["seeds"] for pair in pairs] == [list(two) for two in itertools.combinations(of, 2)]
        for pair in pairs:
            assert pair["shared"] > 0.9  # in bfloat16 a little less than in float32
            assert pair["chance"] == pytest.approx(SIGNED / D, rel=0.5)
    assert "dense" not in results.summary["angles"]  # it has no dense latent to span anything
    assert all(pair["shared"] > 0.95 for pair in results.summary["angles_to_source"])


def test_planted_latents_are_found_under_other_seeds(results: Results) -> None:
    assert results.found is not None
    assert results.found.stable.all()
    assert (results.found.found == len(results.reports["original"])).all()
    assert max(results.found.chance) < 0.7
    assert any("2 of 2 dense latents are found again" in line for line in results.lines())


def test_what_is_measured_agrees_with_a_plain_reading(planted: Planted, trained: Trained) -> None:
    """One arm's numbers, all held-out tokens at once, in float64."""
    job, report = trained("dimension", 1)
    sae = load_sae(str(job.folder))
    plan = next(plan for plan in planted.plans(ARMS, 2) if (plan.name, plan.seed) == ("dimension", 1))
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
