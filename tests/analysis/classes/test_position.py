"""Position: ramps get the right sub-class, slow noise gets none, and every number has a slower twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from analysis.classes import position
from analysis.reading.batches import Sample
from analysis.statistics.positions import KINDS
from analysis.statistics.ranks import midranks
from tests.planted import text_world
from tests.planted_classes import evidence, labels, said, sample_of, slow_noise
from tests.seeds import seeds

torch.set_num_threads(1)
each_seed = seeds(5)


def text(seed: int, documents: int = 96) -> Sample:
    return sample_of(text_world(seed, 2, documents))


def ramp(sample: Sample, kind: str, seed: int, noise: float = 0.6) -> Tensor:
    """[n]: the distance's rank, standardised, under noise; 0 where the distance is unknown."""
    distance = position.distances(sample, kind)
    ranks = midranks(distance.float())
    clean = (ranks - ranks.mean()) / ranks.std()
    return clean + noise * torch.randn(len(ranks), generator=torch.Generator().manual_seed(seed + 50))


@each_seed
def test_a_ramp_gets_the_label_of_its_own_kind(seed: int) -> None:
    sample = text(seed)
    found = position.judge(evidence(sample, torch.stack([ramp(sample, kind, seed) for kind in KINDS], 1)))
    assert labels(found) == ["yes"] * 3
    assert [each.data["kind"] for each in found] == list(KINDS)
    assert all(each.q < 0.01 and each.score > 0.6 and each.control < 0.2 for each in found)
    assert all(f"start of the {kind}" in said("position", each) for kind, each in zip(KINDS, found, strict=True))


@each_seed
def test_a_falling_ramp_is_one_too(seed: int) -> None:
    sample = text(seed)
    (found,) = position.judge(evidence(sample, -ramp(sample, "sentence", seed)[:, None]))
    assert found.label == "yes"
    assert said("position", found).startswith("Falls")
    assert found.data["kinds"]["sentence"]["rho"] < -0.7


@each_seed
def test_slow_noise_gets_no_label(seed: int) -> None:
    sample = text(seed)
    found = position.judge(evidence(sample, slow_noise(sample, 40, seed)))
    assert labels(found) == ["no"] * 40
    # and the test itself is honest: about one in twenty below 5 %, not one in two
    p = np.array([kind["p"] for each in found for kind in each.data["kinds"].values()])
    assert (p < 0.05).mean() < 0.12


@each_seed
def test_what_follows_position_weakly_is_not_labelled_however_sure(seed: int) -> None:
    sample = text(seed, documents=200)
    (found,) = position.judge(evidence(sample, ramp(sample, "context", seed, noise=3.0)[:, None]))
    assert found.q < 0.01
    assert found.score < 0.4
    assert found.label == "no"


def test_too_few_documents_give_no_label_and_say_why() -> None:
    sample = text(0, documents=40)
    (found,) = position.judge(evidence(sample, ramp(sample, "context", 0)[:, None]))
    assert found.label == "unmeasured"
    assert "40 documents" in said("position", found)
    assert "64" in said("position", found)


def test_text_without_paragraphs_says_so_and_measures_the_rest() -> None:
    sample = text(0)
    sample = sample._replace(paragraph=torch.full_like(sample.paragraph, -1))
    (found,) = position.judge(evidence(sample, ramp(sample, "sentence", 0)[:, None]))
    assert found.label == "yes"
    assert found.data["kinds"]["paragraph"]["reason"] == {"code": "none"}
    assert found.data["kinds"]["paragraph"]["rho"] is None


def test_a_constant_signal_is_not_measured() -> None:
    sample = text(0)
    found = position.judge(evidence(sample, torch.zeros(len(sample.token), 1)))
    assert labels(found) == ["unmeasured"]


def test_a_direction_as_position_bound_as_random_ones_is_not_labelled() -> None:
    """Where everything follows position, following it says nothing of a latent."""
    sample = text(0)
    made = evidence(sample, ramp(sample, "context", 0)[:, None])
    values = made.signals.values.clone()
    values[:, -1] = ramp(sample, "context", 1, noise=0.1)
    changed = evidence(sample, values[:, :1], signals=made.signals._replace(values=values))
    (found,) = position.judge(changed)
    assert found.label == "no"
    assert found.chance > found.score


@pytest.mark.parametrize("kind", KINDS)
def test_spearman_is_scipys_ties_and_all(kind: str) -> None:
    sample = text(3)
    values = torch.randint(0, 5, (len(sample.token), 3), generator=torch.Generator().manual_seed(3)).float()
    values[:, 1] += position.distances(sample, kind) / 20
    measured = position.measure(evidence(sample, values))[kind]
    known = (position.distances(sample, kind) >= 0).numpy()
    for latent in range(3):
        true = stats.spearmanr(values[known, latent], position.distances(sample, kind)[known]).statistic
        assert float(measured.rho[latent]) == pytest.approx(true, abs=1e-5)
        assert float(measured.low[latent]) <= true <= float(measured.high[latent])


def test_partial_spearman_is_that_of_regressed_ranks() -> None:
    sample = text(4)
    values = ramp(sample, "sentence", 4)[:, None]
    measured = position.measure(evidence(sample, values))
    known = np.logical_and.reduce([(position.distances(sample, kind) >= 0).numpy() for kind in KINDS])
    ranks = {kind: stats.rankdata(position.distances(sample, kind).numpy()[known]) for kind in KINDS}
    mine = stats.rankdata(values[known, 0])
    for kind in KINDS:
        others = np.stack([np.ones(known.sum()), *(ranks[other] for other in KINDS if other != kind)], 1)
        left, right = (v - others @ np.linalg.lstsq(others, v, rcond=None)[0] for v in (mine, ranks[kind]))
        assert float(measured[kind].partial[0]) == pytest.approx(np.corrcoef(left, right)[0, 1], abs=1e-4)


def test_the_moments_of_all_shifts_are_exact() -> None:
    """Against every combination of shifts of three short contexts, one by one."""
    random = torch.Generator().manual_seed(0)
    sizes = (4, 5, 3)
    context = torch.repeat_interleave(torch.arange(3), torch.tensor(sizes))
    ranks = midranks(torch.randn(2, sum(sizes), generator=random))
    goal = midranks(torch.randn(sum(sizes), generator=random))
    mean, deviation = position.shift_moments(ranks, goal, context)
    parts = [torch.nonzero(context == n).flatten() for n in range(3)]
    for row in range(2):
        all_of_them = []
        for shifts in itertools.product(*(range(size) for size in sizes)):
            moved = torch.cat([ranks[row, part].roll(shift) for part, shift in zip(parts, shifts, strict=True)])
            all_of_them.append(np.corrcoef(moved, goal)[0, 1])
        assert float(mean[row]) == pytest.approx(np.mean(all_of_them), abs=1e-5)
        assert float(deviation[row]) == pytest.approx(np.std(all_of_them), abs=1e-5)


def test_the_profile_is_the_mean_by_distance() -> None:
    sample = text(5)
    values = ramp(sample, "sentence", 5)[:, None]
    (found,) = position.judge(evidence(sample, values))
    profile = found.data["profile"]
    scaled = (values - values.mean()) / values.std(correction=0)
    for place, (low, high) in enumerate(itertools.pairwise(profile["edges"])):
        inside = (sample.sentence >= low) & (sample.sentence < high)
        assert profile["tokens"][place] == int(inside.sum())
        if inside.any():
            assert profile["mean"][place] == pytest.approx(float(scaled[inside].mean()), abs=1e-3)
