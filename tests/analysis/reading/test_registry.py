"""Every entry of sae-lens' registry is read, or refused in one line before anything is fetched; nobody is asked.

`pytest -s` prints how many of each.
"""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis.errors import UserError
from analysis.reading import hub, registry
from analysis.reading.described import Described, refusal
from analysis.reading.families import FAMILIES, family_named
from analysis.reading.hook_names import of_module, parse, place_of
from analysis.reading.sae import describe_sae, load_sae
from tests.analysis.reading.test_sae_files import Canary


@pytest.fixture(autouse=True)
def nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection fails the test."""

    def connect(*_args: Any) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(scope="module")
def walked() -> dict[tuple[str, str], tuple[Described, str | None]]:
    """Every entry: what it is, and why it is not read."""
    found = {}
    for entry in registry.entries():
        described = registry.described_entry(*entry)
        assert described is not None
        found[entry] = described, refusal(described) or registry.unreadable(described)
    return found


def test_98_percent_of_the_registry_is_read_and_the_rest_is_refused_with_a_reason(
    walked: dict[tuple[str, str], tuple[Described, str | None]],
) -> None:
    reasons = Counter(reason for _described, reason in walked.values())
    read = [(entry, described) for entry, (described, reason) in walked.items() if reason is None]
    archives = sum(registry.conversion(release) in registry.TENSOR_ARCHIVES for (release, _id), _described in read)
    later = sum(described.architecture is None for _entry, described in read)
    lines = [
        f"\n{len(walked):,} entries of sae-lens' registry",
        f"{len(read):7,} {len(read) / len(walked):7.2%}  read",
        f"{archives:7,}          of these are torch's archives, read by its allow-list of tensors",
        f"{later:7,}          of these have their kind in a configuration on the hub, asked before the weights",
    ]
    places = Counter(_places(described) for _entry, described in read)
    lines += [f"{count:7,}          {place}" for place, count in places.most_common()]
    refused = [(reason, count) for reason, count in reasons.most_common() if reason]
    lines += [f"{count:7,} {count / len(walked):7.2%}  refused: {reason}" for reason, count in refused]
    sys.stdout.write("\n".join(lines) + "\n")
    assert len(read) >= 0.98 * len(walked)
    assert all("\n" not in reason for reason in reasons if reason)


def _places(described: Described) -> str:
    read, out = (parse(str(hook))[1] for hook in (described.hook_point, described.hook_out))
    return f"{read} -> {out}" if described.transcodes else read


def test_every_entry_that_is_read_names_a_supported_family(
    walked: dict[tuple[str, str], tuple[Described, str | None]],
) -> None:
    models = {described.model for described, reason in walked.values() if reason is None}
    assert {family_named(str(model)) for model in models} <= set(FAMILIES)
    assert len(models) > 20


@pytest.mark.parametrize(
    ("entry", "place", "architecture"),
    [
        ("gemma-scope-2b-pt-res:layer_12/width_16k/average_l0_82", "blocks.12.hook_resid_post", "jumprelu"),
        ("gemma-scope-2b-pt-res:embedding/width_4k/average_l0_6", "hook_embed", "jumprelu"),
        ("gemma-scope-2b-pt-att:layer_3/width_16k/average_l0_100", "blocks.3.attn.hook_z", "jumprelu"),
        ("gemma-scope-2-1b-pt-att-all:layer_0_width_16k_l0_big", "blocks.0.attn.hook_z", "jumprelu"),
        ("gpt2-small-res-jb:blocks.0.hook_resid_pre", "blocks.0.hook_resid_pre", None),
        ("qwen-scope-3-8b-base-w64k-l50:layer5", "blocks.5.hook_resid_post", "topk"),
        ("llama_scope_lxa_8x:l7a_8x", "blocks.7.hook_attn_out", "jumprelu"),
    ],
)
def test_an_entry_is_known_from_its_names(entry: str, place: str, architecture: str | None) -> None:
    release, sae_id = entry.split(":")
    if sae_id not in {i for r, i in registry.entries() if r == release}:
        sae_id = next(i for r, i in registry.entries() if r == release and i.split("/")[0] == sae_id.split("/")[0])
    found = registry.described_entry(release, sae_id)
    assert found is not None
    assert (found.hook_point, found.architecture, found.normalisation) == (place, architecture, "none")


def test_what_transcoders_read_and_predict_is_known_from_their_names() -> None:
    gemma = describe_sae("gemma-scope-2-4b-pt-transcoders-all:layer_10_width_16k_l0_big_affine")
    assert (gemma.hook_point, gemma.hook_out) == ("blocks.10.mlp.hook_in", "blocks.10.hook_mlp_out")
    assert (gemma.architecture, gemma.n_latents) == ("jumprelu_skip_transcoder", 16_384)
    qwen = describe_sae("mwhanna-qwen3-4b-transcoders:layer_3")
    assert (qwen.hook_point, qwen.hook_out) == ("blocks.3.mlp.hook_in", "blocks.3.hook_mlp_out")


def test_the_module_that_was_read_wins_over_a_name_that_means_another_place() -> None:
    """In TransformerLens `hook_mlp_in` is the stream before the norm; the module gives what comes after it."""
    assert place_of("blocks.4.hook_mlp_in", "model.layers.4.pre_feedforward_layernorm.output") == "blocks.4.mlp.hook_in"
    assert place_of("blocks.4.hook_mlp_in", None) == "blocks.4.hook_mlp_in"
    assert of_module("model.language_model.layers.4.self_attn.o_proj.input") == "blocks.4.attn.hook_z"
    assert of_module("model.layers.7") == "blocks.7.hook_resid_post"
    assert of_module("model.layers.4.self_attn.q_proj.input") is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("mntss-gemma-2-2b-2.5m-clt-as-per-layer:layer_0", "cross-layer transcoder: its latents write to many layers"),
        ("temporal-sae-gemma-2-2b:blocks.12.hook_resid_post", "temporal SAE"),
        ("gpt2-small-res-jb:blocks.99.hook_resid_pre", "expected an id of this release, such as blocks.0"),
    ],
)
def test_what_is_not_read_is_refused_before_anything_is_fetched(entry: str, words: str) -> None:
    with pytest.raises(UserError, match=r"expected .*; found") as error:
        load_sae(entry)
    assert words in str(error.value)
    assert entry in str(error.value)


def test_an_entry_without_its_scale_is_refused_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry._directory()["llama_scope_lxr_8x"].norm_scaling_factor, "l0r_8x")
    with pytest.raises(UserError, match="neither folded into its weights nor stored beside them"):
        load_sae("llama_scope_lxr_8x:l0r_8x")


@pytest.fixture
def evil_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry's file of torch that would make a file, and an environment that would let it."""
    torch.save({"W_enc": Canary(tmp_path / "canary")}, tmp_path / "layer0.sae.pt")
    monkeypatch.setattr(hub, "fetch", lambda **_: str(tmp_path / "layer0.sae.pt"))
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    return tmp_path / "canary"


def test_code_in_a_published_archive_is_never_run(evil_archive: Path) -> None:
    with pytest.raises(UserError, match="UnpicklingError"):
        load_sae("qwen-scope-3-1.7b-base-w32k-l50:layer0")
    assert not evil_archive.exists()
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    torch.load(evil_archive.parent / "layer0.sae.pt", weights_only=False)
    assert evil_archive.exists(), "the canary would have sung"
