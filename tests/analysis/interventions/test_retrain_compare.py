"""Principal angles, latents found again, and the sentences, against what is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.linalg import subspace_angles

from analysis.interventions.retrain.held_out import dense_interval
from analysis.interventions.retrain.result import difference, interval, summarise
from analysis.interventions.retrain.spans import Dictionary, angles, find_again
from analysis.statistics.geometry import principal_cosines
from app.experiments.sentences import summary_said

torch.set_num_threads(1)


def rows(n: int, d: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(n, d, generator=random), dim=1)


def test_principal_cosines_are_scipys() -> None:
    one, other = (torch.linalg.qr(rows(r, 20, r).T.double()).Q for r in (3, 5))
    expected = np.cos(subspace_angles(one.numpy(), other.numpy()))
    np.testing.assert_allclose(principal_cosines(one, other).numpy(), np.sort(expected)[::-1], atol=1e-12)


def test_spans_with_half_in_common_share_half() -> None:
    one = torch.eye(12)
    (pair,) = angles([(0, Dictionary(one, [0, 1, 2, 3])), (4, Dictionary(one, [2, 3, 4, 5]))], 0.99)
    assert pair["seeds"] == [0, 4]
    assert pair["cosines"] == pytest.approx([1, 1, 0, 0], abs=1e-5)
    assert pair["shared"] == pytest.approx(0.5)
    assert pair["chance"] == pytest.approx(4 / 12, rel=0.1)
    assert angles([(0, Dictionary(one, [])), (1, Dictionary(one, [1]))], 0.99) == []


def test_a_direction_is_found_with_either_sign_and_a_strange_one_is_not() -> None:
    planted = rows(3, 64, 0)
    dictionaries = [torch.cat([rows(50, 64, seed), -2 * planted[:2]]) for seed in (1, 2)]
    dictionaries.append(torch.cat([rows(50, 64, 3), planted[:1]]))
    found = find_again(planted, dictionaries, 0.7)
    assert found.found.tolist() == [3, 2, 0]
    assert found.stable.tolist() == [True, True, False]
    torch.testing.assert_close(found.cosines[0], torch.ones(3, dtype=torch.float64), rtol=1e-5, atol=1e-5)
    assert all(0.2 < chance < 0.6 for chance in found.chance)


def test_the_interval_of_the_count_is_over_documents() -> None:
    """64 groups of 100 tokens. A latent that every group has on 20 % is sure; one that four groups have always on,
    6.25 % in all, is over a threshold of 6 % in about half of the draws."""
    tokens = torch.full((64,), 100, dtype=torch.float64)
    fired = torch.zeros(64, 3, dtype=torch.float64)
    fired[:, 0] = 20
    fired[:4, 1] = 100
    assert dense_interval(fired, tokens, 0.06) == (1, 2)
    assert dense_interval(fired, tokens, 0.15) == (1, 1)
    tokens[1:] = 0
    assert dense_interval(fired, tokens, 0.06) == (None, None)


def test_intervals_over_seeds_are_students() -> None:
    values = [21.0, 25.0, 20.0]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert interval(values) == pytest.approx((22, low, high))


def report(arm: str, seed: int, dense: int, **more: Any) -> dict[str, Any]:
    plain = {"fvu": 0.2, "alive_share": 0.9, "l0": 32.0, "n_pairs": 1, "dense_mass_share": 0.3, "signed_share": None}
    removed = {"removed_variance": 0.1, "removed_dimensions": 3, "removed_latents": [1, 2, 3], "short": False}
    bounds = {"n_dense_low": dense - 1.0, "n_dense_high": dense + 1.0}
    return {"arm": arm, "recipe": {"seed": seed}, "n_dense": dense, **plain, **removed, **bounds, **more}


def arms(**counts: list[int]) -> dict[str, list[dict[str, Any]]]:
    return {name: [report(name, seed, dense) for seed, dense in enumerate(dense)] for name, dense in counts.items()}


def test_differences_are_taken_seed_by_seed() -> None:
    """Seeds differ by tens, the arms by 5 within each: the interval is of the 5."""
    found = difference(arms(a=[15, 45, 75])["a"], arms(b=[10, 40, 70])["b"])
    assert found == {"mean": 5, "low": 5, "high": 5, "seeds": 3}
    assert difference(arms(a=[15])["a"], []) is None


@pytest.mark.parametrize(
    ("dimension", "said"),
    [
        ([25, 26, 24], "they depend on that span"),
        ([2, 1, 3], "they can do without it"),
        ([8, 30, 1], "no need of that span is shown"),
        ([25], "of one seed"),
    ],
)
def test_the_sentence_falls_as_the_counts_do(dimension: list[int], said: str) -> None:
    found = summarise(arms(original=[21, 22, 20], dense=[10, 11, 9], dimension=dimension, components=[4]))
    words = summary_said(found)
    assert said in words
    assert "Without as many top components: 4.0, 6.0 fewer than without the dense span (one seed)." in words


def test_one_seed_has_the_interval_of_its_documents() -> None:
    found = summarise(arms(original=[21]))
    assert found["arms"]["original"]["n_dense"] == {"mean": 21, "low": 20, "high": 22, "of": "documents"}
    assert "not both trained" in summary_said(found)


def test_a_variance_that_fell_short_is_in_the_sentence() -> None:
    counts = arms(dense=[10, 10], dimension=[20, 20])
    counts["variance"] = [report("variance", 0, 12, short=True, removed_variance=0.08)]
    assert "(one seed; only 8.0\u202f% of the variance could be reached)" in summary_said(summarise(counts))
