"""Projections, spans and shares of variance against plain float64 arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.interventions.retrain.spans import Removal
from analysis.statistics.geometry import span
from analysis.training.spread import spread_of

torch.set_num_threads(1)


def basis(d: int, r: int, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    found: torch.Tensor = torch.linalg.qr(torch.randn(d, r, generator=random, dtype=torch.float64)).Q
    return found


@pytest.mark.parametrize("r", [0, 1, 5])
@pytest.mark.parametrize("centred", [False, True])
def test_a_removal_is_the_dense_projection(r: int, centred: bool) -> None:
    v = basis(32, r)
    random = torch.Generator().manual_seed(1)
    x = 10 * torch.randn(200, 32, generator=random) + 3
    mean = x.double().mean(0) if centred else torch.zeros(32, dtype=torch.float64)
    expected = mean + (x.double() - mean) @ (torch.eye(32, dtype=torch.float64) - v @ v.T)
    found = Removal(v.float(), mean.float())(x)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.double() @ v, (mean @ v).expand(200, r), rtol=1e-4, atol=1e-4)


def test_a_saved_removal_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    removal = Removal(basis(16, 3).float(), torch.rand(16))
    removal.save(tmp_path / "removal.safetensors")
    again = Removal.load(tmp_path / "removal.safetensors")
    assert torch.equal(again.basis, removal.basis)
    assert torch.equal(again.mean, removal.mean)


def test_a_span_counts_directions_once_and_knows_no_lengths() -> None:
    rows = basis(32, 4).T.float()
    mirrored = torch.cat([rows, -3 * rows, rows[:1]])
    found = span(mirrored, 0.999)
    assert found.shape == (32, 4)
    torch.testing.assert_close(found.T @ found, torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(found @ (found.T @ rows.T.double()), rows.T.double(), rtol=1e-5, atol=1e-6)


def test_a_span_leaves_out_what_holds_less_than_the_rest_of_the_energy() -> None:
    """Two rows 2 degrees apart: the second direction holds 0.03 % of the squared length."""
    angle = torch.tensor(2 * torch.pi / 180)
    rows = torch.tensor([[1.0, 0, 0], [float(angle.cos()), float(angle.sin()), 0]])
    assert span(rows, 0.99).shape == (3, 1)
    assert span(rows, 0.99999).shape == (3, 2)


def test_variance_is_that_of_the_ordinary_tokens() -> None:
    """Against numpy, with three massive tokens that would otherwise hold nearly all of it."""
    random = np.random.default_rng(0)
    ordinary = random.standard_normal((20_000, 12)) * np.linspace(1, 3, 12) + 2
    massive = np.zeros((3, 12))
    massive[:, 0] = 800
    rows = np.concatenate([ordinary[:10_000], massive, ordinary[10_000:]]).astype(np.float16)
    spread = spread_of(rows)  # type: ignore[arg-type]
    kept = np.delete(rows.astype(np.float64), [10_000, 10_001, 10_002], 0)
    expected = np.cov(kept.T, bias=True)
    np.testing.assert_allclose(spread.covariance.numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(spread.mean.numpy(), kept.mean(0), atol=1e-6)
    assert spread.massive_share == pytest.approx(3 / 20_003)
    v = basis(12, 3, seed=2)
    assert spread.share(v) == pytest.approx(np.trace(v.numpy().T @ expected @ v.numpy()) / np.trace(expected), rel=1e-4)


def test_components_hold_the_most_variance() -> None:
    random = np.random.default_rng(0)
    rows = (random.standard_normal((5_000, 10)) * [5, 4, *[1] * 8] @ basis(10, 10).numpy()).astype(np.float16)
    spread = spread_of(rows)
    share = spread.share(spread.components(2))
    assert share == pytest.approx(41 / 49, abs=0.02)
    assert all(share > spread.share(basis(10, 2, seed)) for seed in range(20))
