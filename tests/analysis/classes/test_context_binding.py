"""Context binding: a signal whose side the document decides is likely one; concepts and noise are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from analysis.classes import context_binding, stretches
from analysis.classes.base import Evidence
from tests.planted_classes import evidence, labels, long_world, said, sample_of, slow_noise, subjects
from tests.seeds import seeds

torch.set_num_threads(1)
each_seed = seeds(5)


def planted(seed: int, fixed: bool = False) -> Evidence:
    """One signal: the side of the subject that is spoken of, under noise."""
    world = long_world(seed, documents=96)
    ids, side = subjects(world, seed, fixed)
    sample = sample_of(world)
    sample = sample._replace(token=ids[world.batch.mask])
    noise = torch.randn(len(sample.token), generator=torch.Generator().manual_seed(seed))
    return evidence(sample, (side[world.batch.mask] + 0.7 * noise)[:, None])


@each_seed
def test_a_side_that_the_document_decides_is_likely_binding(seed: int) -> None:
    (found,) = context_binding.judge(planted(seed))
    assert found.label == "likely"
    assert found.score > 0.8
    assert found.control < 0.6
    assert found.data["half_life"] > 16
    assert found.data["mean_run"] > 2 * found.data["mean_run_shuffled"]
    assert "Steering is not measured yet" in said("context_binding", found)


@each_seed
def test_a_fixed_concept_is_not(seed: int) -> None:
    (found,) = context_binding.judge(planted(seed, fixed=True))
    assert found.label == "no"
    assert found.control > 0.8
    assert "fixed concept" in said("context_binding", found)


@each_seed
def test_slow_noise_that_knows_nothing_of_the_text_is_not(seed: int) -> None:
    world = long_world(seed)
    ids, _side = subjects(world, seed)
    sample = sample_of(world)._replace(token=ids[world.batch.mask])
    found = context_binding.judge(evidence(sample, slow_noise(sample, 20, seed, half_life=60)))
    assert labels(found) == ["no"] * 20
    assert all(each.data["half_life"] > 16 for each in found), "it does last; its words do not tell"
    assert np.mean([each.score for each in found]) < 0.6


@each_seed
def test_a_short_memory_is_not(seed: int) -> None:
    world = long_world(seed)
    sample = sample_of(world)
    found = context_binding.judge(evidence(sample, slow_noise(sample, 5, seed, half_life=3)))
    assert labels(found) == ["no"] * 5
    assert all("Does not last" in said("context_binding", each) for each in found)


def test_what_position_explains_is_taken_out_first() -> None:
    """A ramp along the context stays on one side for long, and is no binding."""
    world = long_world(0)
    sample = sample_of(world)
    (found,) = context_binding.judge(evidence(sample, (sample.column / 100).float()[:, None]))
    assert found.label == "no"
    assert found.data["mean_run"] < 6 or found.data["half_life"] < 16


def test_few_documents_or_short_ones_are_not_measured() -> None:
    world = long_world(0, documents=30)
    sample = sample_of(world)
    assert labels(context_binding.judge(evidence(sample, slow_noise(sample, 2, 0)))) == ["unmeasured"] * 2


def test_run_starts_by_hand() -> None:
    side = torch.tensor([[1, 0, 1, -1, 0, 0, -1, 1, 0, 0, 1, -1]], dtype=torch.int8)
    context = torch.tensor([0] * 7 + [1] * 5)
    starts = context_binding.run_starts(side, context)
    assert torch.nonzero(starts[0]).flatten().tolist() == [0, 3, 7, 11]
    lengths = context_binding._lengths(starts, context)
    assert lengths.sum() == 4  # 3, 4, 4 and 1 tokens
    assert lengths[0].tolist()[:4] == [1, 0, 3, 0]


def test_expected_runs_are_those_of_many_shuffles() -> None:
    random = torch.Generator().manual_seed(1)
    side = torch.randint(-1, 2, (1, 60), generator=random).to(torch.int8)
    context = torch.arange(60) // 20
    starts = context_binding.run_starts(side, context)
    runs, mean, variance = context_binding._expected_runs(side, context, starts)
    counts = []
    for _ in range(4000):
        order = context_binding._shuffled_within(context, random)
        assert torch.equal(context[order], context)
        counts.append(int(context_binding.run_starts(side[:, order], context).sum()))
    assert float(runs) == int(starts.sum())
    assert float(mean) == pytest.approx(np.mean(counts), abs=4 * np.std(counts) / 4000**0.5)
    assert float(variance) == pytest.approx(np.var(counts), rel=0.1)


def test_half_life_is_that_of_the_process_under_token_noise() -> None:
    world = long_world(2, documents=150)
    sample = sample_of(world)
    slow = slow_noise(sample, 3, 2, half_life=24)
    noisy = slow + torch.randn(slow.shape, generator=torch.Generator().manual_seed(0))
    for values in (slow, noisy):
        acf = context_binding.autocorrelation(values.T.contiguous(), sample.context)
        life = context_binding.half_life(acf)
        assert life.tolist() == pytest.approx([24] * 3, rel=0.35)
    assert float(context_binding.half_life(torch.zeros(1, 8, dtype=torch.float64))) == 1


def test_ordered_pairs_are_pairs_within_documents() -> None:
    random = np.random.default_rng(0)
    document = np.repeat(np.arange(12), random.integers(4, 9, 12))
    signal, guess = random.standard_normal((2, len(document), 2))
    found = stretches.Stretches(
        torch.zeros(len(document), 2), torch.tensor(signal), torch.tensor(document), torch.tensor(document),
        torch.arange(len(document)),
    )  # fmt: skip
    auc, low, high = stretches.ordered_pairs(found, torch.tensor(guess))
    for column in range(2):
        right = pairs = 0.0
        for one in range(12):
            mine, said = signal[document == one, column], guess[document == one, column]
            middle = np.sort(mine)[(len(mine) - 1) // 2]
            for up in np.flatnonzero(mine > middle):
                for down in np.flatnonzero(mine <= middle):
                    right += (said[up] > said[down]) + 0.5 * (said[up] == said[down])
                    pairs += 1
        assert float(auc[column]) == pytest.approx(right / pairs)
        assert float(low[column]) < float(auc[column]) < float(high[column])


def test_no_stretch_learns_from_itself_or_its_neighbours() -> None:
    """Words that are each stretch's own must not tell its side: alone a leak would."""
    world = long_world(3, documents=80)
    sample = sample_of(world)
    ids = torch.randint(2, 2000, (len(sample.token),), generator=torch.Generator().manual_seed(3))
    noise = torch.randn(len(ids), 30, generator=torch.Generator().manual_seed(4))
    found = stretches.separation(evidence(sample._replace(token=ids), noise), noise)
    assert found is not None
    assert float(found.within.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(found.across.mean()) == pytest.approx(0.5, abs=0.02)
