"""Chains: a signal that goes on in the next layer is followed, in both directions and with its sign."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from analysis.statistics.chains import chains
from analysis.statistics.geometry import unit_rows
from analysis.statistics.signals import Signals
from tests.planted import text_world
from tests.planted_classes import D, sample_of

torch.set_num_threads(1)


def sae(layer: int, kind: str = "hook_resid_post") -> Any:
    hook = f"blocks.{layer}.{kind}"
    return SimpleNamespace(layer=layer, hook_point=hook, hook_out=hook, d_in=D, d_out=D)


def world(seed: int, layers: int = 3) -> list[Signals]:
    """Latent n of a layer goes on as latent n + 1 of the next, latent 0 as the mirror image of the last."""
    sample = sample_of(text_world(seed, 2, 20))
    random = torch.Generator().manual_seed(seed)
    first = torch.randn(len(sample.token), 6, generator=random)
    made = []
    for layer in range(layers):
        values = first.roll(layer, dims=1)
        if layer % 2:
            values[:, 0] *= -1
        noisy = values + 0.3 * torch.randn(values.shape, generator=random)
        ordinary = torch.rand(len(noisy), generator=random) > 0.01
        noisy[~ordinary] *= 1000
        directions = unit_rows(torch.randn(8, D, generator=random))
        both = torch.cat([noisy, torch.randn(len(noisy), 2, generator=random)], 1)
        made.append(Signals(sample, torch.arange(6) * 10, both, noisy > 0, ordinary, directions))
    return made


@pytest.mark.parametrize("seed", range(5))
def test_signals_are_followed_both_ways(seed: int) -> None:
    found = chains(world(seed), [sae(1), sae(5), sae(9)])
    forth = {link.latent: link for link in found[0] if link.side == "next"}
    assert [forth[n * 10].other for n in range(6)] == [10, 20, 30, 40, 50, 0]
    assert all(link.sae == 1 and abs(link.correlation) > 0.85 for link in forth.values())
    assert forth[50].correlation < 0 < forth[0].correlation
    back = {link.latent: link.other for link in found[1] if link.side == "previous"}
    assert back == {10: 0, 20: 10, 30: 20, 40: 30, 50: 40, 0: 50}
    assert {link.side for link in found[0]} == {"next"}
    assert {link.side for link in found[2]} == {"previous"}


def test_the_numbers_are_those_of_the_ordinary_tokens() -> None:
    samples = world(0)
    link = next(link for link in chains(samples, [sae(1), sae(5), sae(9)])[0] if link.latent == 20)
    keep = samples[0].ordinary & samples[1].ordinary
    both = torch.stack([samples[0].values[keep, 2], samples[1].values[keep, link.other // 10]])
    assert link.correlation == pytest.approx(float(torch.corrcoef(both)[0, 1]), abs=1e-4)
    true = float(samples[0].directions[2] @ samples[1].directions[link.other // 10])
    assert link.cosine == pytest.approx(true, abs=1e-5)


def test_directions_of_other_hooks_are_not_compared() -> None:
    found = chains(world(0, 2), [sae(1), sae(1 + 4, "hook_mlp_out")])
    assert all(link.cosine is None for link in found[0])


def test_one_layer_has_no_neighbours_and_several_saes_of_one_have_one_each() -> None:
    assert chains(world(0, 1), [sae(1)]) == [[]]
    found = chains(world(0), [sae(1), sae(1, "hook_mlp_out"), sae(5)])
    keys = [(link.latent, link.side) for links in found for link in links]
    per_sae = [len({(link.latent, link.side) for link in links}) == len(links) for links in found]
    assert all(per_sae)
    assert keys
