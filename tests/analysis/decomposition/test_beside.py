"""What goes past the latents: planted parts come back by axis, with where they lie."""

from __future__ import annotations

import pytest
import torch

from analysis.decomposition.beside import what_goes_past
from analysis.decomposition.decompose import SOURCES
from analysis.reading.bottleneck import Bottleneck
from analysis.statistics.signals import Signals
from tests.planted_sources import text, unit

WORD, PAST = SOURCES.index("word"), SOURCES.index("past")


@pytest.mark.parametrize("seed", [0, 1])
def test_planted_parts_come_back_by_axis(seed: int) -> None:
    """Nine tenths of the part's variance is the word, a tenth a slow state; both are turned within its span."""
    world = text(seed)
    n, d = len(world.norm), 12
    parts = torch.cat([3 * world.of_type(rare=False), unit(world.slow(30.0))], 1)
    random = torch.Generator().manual_seed(seed)
    turned = torch.linalg.qr(torch.randn(2, 2, generator=random)).Q
    basis = torch.linalg.qr(torch.randn(d, 2, generator=random, dtype=torch.float64)).Q
    ordinary = torch.ones(n, dtype=torch.bool)
    ordinary[7] = False
    mixed = torch.randn(2, 2, generator=random)  # codes are any coordinates; what the part writes is theirs to undo
    w_out = (basis.float() @ turned.T @ torch.linalg.inv(mixed)).contiguous()
    bottleneck = Bottleneck(torch.randn(2, d, generator=random), w_out, torch.zeros(d))
    beside = parts @ mixed.T + 5
    beside[7] = 1e4  # a massive token rules no axis
    signals = Signals(
        sample=world.sample, latents=torch.zeros(0, dtype=torch.int64), values=torch.zeros(n, 0),
        side=torch.zeros(n, 0, dtype=torch.int8), ordinary=ordinary, directions=torch.zeros(0, d),
        acts=torch.zeros(n, 0), norm=world.norm, beside=beside,
    )  # fmt: skip
    covariance = basis @ torch.diag(torch.tensor([9.0, 1.0], dtype=torch.float64)) @ basis.T
    covariance += 1.0 * torch.eye(d, dtype=torch.float64)
    inside = (basis.T[:1] + 0.0).float()  # a dense latent within the span, and one across it
    outside = torch.linalg.svd(basis.T, full_matrices=True).Vh[-1:].float()
    found = what_goes_past(world.design(), signals, bottleneck, torch.cat([inside, outside]), covariance)
    assert found is not None
    assert found.share.tolist() == pytest.approx([0.9, 0.1], abs=0.02)
    added = found.axes.added.share
    assert float(added[WORD, 0]) > 0.9
    assert float(added[WORD, 1]) < 0.1
    assert float(added[PAST, 1]) > 0.5
    assert found.variance == pytest.approx(10 / (10 + d), abs=0.05)
    assert found.dense == pytest.approx(0.5, abs=1e-4)
    assert found.dense_dimensions == 2
    assert found.components == pytest.approx(1.0, abs=1e-6)
    assert found.chance == 2 / d
    none = torch.zeros(0, d)
    without = what_goes_past(world.design(), signals, bottleneck, none, covariance)
    assert without is not None
    assert without.dense != without.dense
    assert without.dense_dimensions == 0
    nothing = Bottleneck(bottleneck.w_in, torch.zeros(d, 2), torch.zeros(d))
    assert what_goes_past(world.design(), signals, nothing, none, covariance) is None
