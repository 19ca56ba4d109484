"""What the weights alone say is searched for once, goes on where it was stopped, and is the same from the cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from rich.console import Console
from torch import Tensor

from analysis.classes.null_space import sensitive_directions
from analysis.reading.sae import LoadedSae, load_sae
from analysis.run import weights
from analysis.statistics import partner_search
from analysis.statistics.geometry import Partners, partners
from analysis.statistics.partner_search import Nearest
from tests.planted import sae_folder

torch.set_num_threads(1)
QUIET = Console(quiet=True)


@pytest.fixture
def sae(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadedSae:
    """70 latents in tiles of 16, and a cache that is empty."""
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(partner_search, "TILE", 16)
    encoder, decoder = torch.randn(2, 70, 8, generator=torch.Generator().manual_seed(0))
    return load_sae(str(sae_folder(tmp_path / "sae", encoder, decoder)))


def same(one: Partners, other: Partners) -> None:
    """All columns."""
    for mine, theirs in zip(one, other, strict=True):
        torch.testing.assert_close(mine, theirs, equal_nan=True, rtol=0, atol=0)


def expected(sae: LoadedSae) -> Partners:
    """By a search in one go."""
    assert sae.encoder is not None
    return partners(sae.encoder, sae.decoder)


def test_a_second_run_pays_nothing(sae: LoadedSae, monkeypatch: pytest.MonkeyPatch) -> None:
    first = weights.partners_of(sae, QUIET)
    same(first, expected(sae))
    monkeypatch.setattr(weights, "search", None)  # a search would fail
    same(weights.partners_of(sae, QUIET), first)


def test_a_search_that_was_stopped_goes_on_from_there(sae: LoadedSae, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_SAVE_EVERY", 0.0)
    real, steps = partner_search.search, 0

    def stopped(e: Tensor, d: Tensor, found: Nearest) -> Iterator[int]:
        nonlocal steps
        for products in real(e, d, found):
            steps += 1
            if steps == 3:
                raise KeyboardInterrupt
            yield products

    monkeypatch.setattr(weights, "search", stopped)
    with pytest.raises(KeyboardInterrupt):
        weights.partners_of(sae, QUIET)
    found = weights.partners_of(sae, QUIET)
    assert steps == 3 + 3  # five rows of tiles, the third of them twice
    same(found, expected(sae))


def test_half_a_file_is_no_result(sae: LoadedSae, tmp_path: Path) -> None:
    first = weights.partners_of(sae, QUIET)
    [kept] = (tmp_path / "cache" / "weights").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    same(weights.partners_of(sae, QUIET), first)


def test_what_the_unembedding_hardly_reads_is_found_once_a_model_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "has_layer_norm", lambda _module: False)
    unembedding = torch.randn(6, 40, generator=torch.Generator().manual_seed(0))
    calls: list[Tensor] = []

    def counted(given: Tensor, layer_norm: bool) -> Tensor:
        calls.append(given)
        return sensitive_directions(given, layer_norm)

    monkeypatch.setattr(weights, "sensitive_directions", counted)
    one, other = (cast(Any, SimpleNamespace(fingerprint=name, dtype_name="float32", module=None)) for name in "ab")
    expected = sensitive_directions(unembedding, False)
    for hook in ("blocks.0.hook_resid_post", "blocks.1.hook_resid_pre"):
        torch.testing.assert_close(weights.quiet_of(one, hook, unembedding), expected, rtol=0, atol=0)
    assert len(calls) == 1
    weights.quiet_of(other, "blocks.0.hook_resid_post", unembedding)
    weights.quiet_of(one, "blocks.0.attn.hook_z", unembedding)
    assert len(calls) == 3
