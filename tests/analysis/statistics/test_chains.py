"""Chains: a signal that goes on in the next layer is followed, in both directions and with its sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch

from analysis.statistics import traces
from analysis.statistics.chains import Layer, Link, kind_of, links, steps
from analysis.statistics.geometry import unit_rows
from analysis.statistics.signals import Signals
from analysis.statistics.traces import packed, traces_of, unpacked
from tests.planted import text_world
from tests.planted_classes import D, sample_of

torch.set_num_threads(1)


def sae(layer: int, kind: str = "hook_resid_post") -> Layer:
    return Layer(layer, kind_of(f"blocks.{layer}.{kind}"))


class Found(NamedTuple):
    """A link, and where it leads."""

    link: Link
    side: str
    sae: int


def chains(samples: Sequence[Signals], saes: Sequence[Layer]) -> list[list[Found]]:
    """Of every SAE, from what is kept of its signals."""
    kept = [unpacked(packed(traces_of(signals, 0))) for signals in samples]
    found: list[list[Found]] = [[] for _ in saes]
    for place, side, other in steps(saes):
        alike = saes[place].kind == saes[other].kind
        found[place] += [Found(link, side, other) for link in links(kept[place], kept[other], alike)]
    return found


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
        acts, norm = noisy.relu().to(torch.float16), torch.ones(len(noisy))
        made.append(Signals(sample, torch.arange(6) * 10, both, noisy > 0, ordinary, directions, acts, norm))
    return made


@pytest.mark.parametrize("seed", range(5))
def test_signals_are_followed_both_ways(seed: int) -> None:
    found = chains(world(seed), [sae(1), sae(5), sae(9)])
    forth = {one.link.latent: one for one in found[0] if one.side == "next"}
    assert [forth[n * 10].link.other for n in range(6)] == [10, 20, 30, 40, 50, 0]
    assert all(one.sae == 1 and abs(one.link.correlation) > 0.85 for one in forth.values())
    assert forth[50].link.correlation < 0 < forth[0].link.correlation
    back = {one.link.latent: one.link.other for one in found[1] if one.side == "previous"}
    assert back == {10: 0, 20: 10, 30: 20, 40: 30, 50: 40, 0: 50}
    assert {one.side for one in found[0]} == {"next"}
    assert {one.side for one in found[2]} == {"previous"}


def test_the_numbers_are_those_of_the_ordinary_tokens() -> None:
    samples = world(0)
    link = next(one.link for one in chains(samples, [sae(1), sae(5), sae(9)])[0] if one.link.latent == 20)
    keep = samples[0].ordinary & samples[1].ordinary
    both = torch.stack([samples[0].values[keep, 2], samples[1].values[keep, link.other // 10]])
    assert link.correlation == pytest.approx(float(torch.corrcoef(both)[0, 1]), abs=1e-3)
    true = float(samples[0].directions[2] @ samples[1].directions[link.other // 10])
    assert link.cosine == pytest.approx(true, abs=1e-3)


def test_directions_of_other_hooks_are_not_compared() -> None:
    found = chains(world(0, 2), [sae(1), sae(1 + 4, "hook_mlp_out")])
    assert found[0]
    assert all(one.link.cosine is None for one in found[0])


def test_one_layer_has_no_neighbours_and_several_saes_of_one_have_one_each() -> None:
    assert chains(world(0, 1), [sae(1)]) == [[]]
    found = chains(world(0), [sae(1), sae(1, "hook_mlp_out"), sae(5)])
    keys = [(one.link.latent, one.side) for own in found for one in own]
    per_sae = [len({(one.link.latent, one.side) for one in own}) == len(own) for own in found]
    assert all(per_sae)
    assert keys


def test_what_is_kept_is_bounded_and_the_same_contexts_for_every_sae(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide SAE keeps fewer contexts than a narrow one: the first of the same order, so the two can be chained."""
    narrow, wide = world(0)[:2]
    monkeypatch.setattr(traces, "TOKENS", 150)
    more = traces_of(narrow, 0)
    monkeypatch.setattr(traces, "VALUES", 6 * 60)
    few = traces_of(wide, 0)
    assert 1 <= len(few.places) < len(more.places)
    assert few.values.shape == (6, int(few.lengths.sum()))
    assert few.places.tolist() == more.places.tolist()[: len(few.places)]
    assert {link.other for link in links(more, few, True)} == {0, 10, 20, 30, 40, 50}
    other = few._replace(places=few.places + 1)
    assert links(more, other, True) == []
