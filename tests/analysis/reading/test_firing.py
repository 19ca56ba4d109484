"""An SAE's activations as a list are those that sae-lens' own encoding has, bit by bit, whatever the architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from analysis.reading import firing
from analysis.reading.firing import listed
from analysis.reading.sae import LoadedSae, load_sae
from tests.planted import sae_folder

torch.set_num_threads(1)

N, D, TOKENS = 24, 16, 50
KINDS: dict[str, dict[str, Any]] = {"Standard": {}, "JumpReLU": {}, "TopK": {"k": 3}, "AbsTopK": {"k": 3}}


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(folder: Path, kind: str) -> LoadedSae:
    """With thresholds below, at and above 0 where it has any, and a latent that is exactly at its own."""
    encoder, decoder = random(N, D, seed=0), torch.nn.functional.normalize(random(N, D, seed=1), dim=1)
    encoder[5] = 0  # gives its bias and nothing else
    bias = random(N, seed=2)
    bias[5] = 0.5
    sae = load_sae(str(sae_folder(folder, encoder, decoder, bias, kind=kind, **KINDS[kind])))
    if kind == "JumpReLU":
        sae.module.threshold.data = random(N, seed=3)
        sae.module.threshold.data[5] = 0.5  # not above it: does not fire
    return sae


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_what_sae_lens_encodes(kind: str, tmp_path: Path) -> None:
    sae, x = made(tmp_path / "sae", kind), random(TOKENS, D, seed=4)
    acts, firing = sae.encode(x), sae.fire(x)
    again = torch.zeros_like(acts)
    again[firing.token, firing.latent] = firing.value
    assert 0 < len(firing.value) < acts.numel()
    assert torch.equal(again, acts)
    assert bool((firing.value != 0).all())


def test_a_latent_at_its_threshold_does_not_fire(tmp_path: Path) -> None:
    firing = made(tmp_path / "sae", "JumpReLU").fire(random(TOKENS, D, seed=4))
    assert int(firing.starts[5]) == int(firing.starts[6])


def test_the_list_goes_by_latent_and_by_token_and_says_where_each_latent_begins() -> None:
    acts = torch.tensor([[0.0, 2.0, 0.0], [1.0, -3.0, 0.0]])
    firing = listed(acts, acts != 0)
    assert firing.latent.tolist() == [0, 1, 1]
    assert firing.token.tolist() == [1, 0, 1]
    assert firing.value.tolist() == [1.0, 2.0, -3.0]
    assert firing.starts.tolist() == [0, 1, 3, 3]


def test_what_decodes_after_it_needs_no_dense_encoding(tmp_path: Path) -> None:
    """The scale of an input that an SAE takes off is put back by decoding: also where only the list was made."""
    encoder = random(N, D, seed=0)
    sae = load_sae(str(sae_folder(tmp_path / "sae", encoder, encoder, normalize_activations="layer_norm")))
    x = random(TOKENS, D, seed=4) * 7 + 3
    acts = sae.encode(x)
    expected = sae.decode(acts)
    sae.fire(x)
    assert torch.equal(sae.decode(acts), expected)


@pytest.mark.parametrize("kind", ["Standard", "JumpReLU", "TopK"])
def test_a_wide_sae_is_read_some_tokens_at_a_time(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sae, x = made(tmp_path / "sae", kind), random(TOKENS, D, seed=5)
    whole = sae.fire(x)
    monkeypatch.setattr(firing, "_ENTRIES", 3 * sae.n_latents)  # three tokens at once
    for part, same in zip(sae.fire(x), whole, strict=True):
        torch.testing.assert_close(part, same)
