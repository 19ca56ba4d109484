"""SAEs in the folders people publish: read as sae-lens reads them, or refused in one line that says what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sae_lens
import torch
from sae_lens.loading import pretrained_sae_loaders as loaders
from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.errors import UserError
from analysis.reading.layouts import SCALER
from analysis.reading.sae import describe_sae, expanded, load_sae

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore")  # sae-lens' own calls of torch

N, D = 24, 16
LENS: Any = sae_lens
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}
THRESHOLDED = ("batchtopk", "matryoshka_batchtopk")
METADATA = {"hook_name": "blocks.1.hook_resid_post", "model_name": "tiny"}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def filled(module: Any, seed: int = 0) -> Any:
    """Every weight random; thresholds positive."""
    with torch.no_grad():
        for place, (name, weight) in enumerate(sorted(module.state_dict().items())):
            made = random(*weight.shape, seed=seed * 100 + place)
            weight.copy_(made.abs() * 0.3 if "threshold" in name else made)
    return module


def tokens() -> Tensor:
    return random(40, D, seed=7)


def refused(source: Path | str, *words: str) -> None:
    with pytest.raises(UserError) as error:
        load_sae(str(source))
    message = str(error.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


# training checkpoints and the scale of activations

TRAINED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "standard": lambda size: LENS.StandardTrainingSAE(LENS.StandardTrainingSAEConfig(**size)),
    "gated": lambda size: LENS.GatedTrainingSAE(LENS.GatedTrainingSAEConfig(**size)),
    "topk": lambda size: LENS.TopKTrainingSAE(LENS.TopKTrainingSAEConfig(**size, k=4)),
    "abstopk": lambda size: LENS.AbsTopKTrainingSAE(LENS.AbsTopKTrainingSAEConfig(**size, k=4)),
    "jumprelu": lambda size: LENS.JumpReLUTrainingSAE(LENS.JumpReLUTrainingSAEConfig(**size)),
    "batchtopk": lambda size: LENS.BatchTopKTrainingSAE(LENS.BatchTopKTrainingSAEConfig(**size, k=4)),
    "matryoshka_batchtopk": lambda size: LENS.MatryoshkaBatchTopKTrainingSAE(
        LENS.MatryoshkaBatchTopKTrainingSAEConfig(**size, k=4, matryoshka_widths=[8, N])
    ),
}


def trained(kind: str, normalise: str = "none") -> Any:
    metadata = LENS.saes.sae.SAEMetadata(**METADATA)
    return filled(TRAINED[kind]({"d_in": D, "d_sae": N, "normalize_activations": normalise, "metadata": metadata}))


@pytest.mark.parametrize("kind", TRAINED)
def test_a_checkpoint_reads_as_what_sae_lens_saves_when_training_ends(kind: str, tmp_path: Path) -> None:
    module = trained(kind)
    module.save_model(tmp_path / "checkpoint")
    module.save_inference_model(tmp_path / "final")
    expected = LENS.SAE.load_from_disk(tmp_path / "final", dtype="float32")
    found = load_sae(str(tmp_path / "checkpoint"))
    x = tokens()
    with torch.no_grad():
        acts = expected.encode(x)
        torch.testing.assert_close(found.encode(x), acts, **CLOSE)
        torch.testing.assert_close(found.decode(found.encode(x)), expected.decode(acts), **CLOSE)
        more = acts.clone()
        more[:, 3] += 1
        found.encode(x)
        added = found.decode(more) - found.decode(acts)
    torch.testing.assert_close(added, found.decoder[3].expand_as(added), rtol=1e-3, atol=1e-4)
    assert 0 < float((acts != 0).sum(1).double().mean()) < N
    assert found.architecture == load_sae(str(tmp_path / "final")).architecture
    assert found.details["metadata"].get("training_architecture", kind) == kind


def test_a_checkpoint_that_has_found_no_threshold_yet_is_refused(tmp_path: Path) -> None:
    module = trained("batchtopk")
    module.topk_threshold.zero_()
    module.save_model(tmp_path)
    refused(tmp_path, "a threshold above 0, which training finds", "found 0: it was not trained")


@pytest.mark.parametrize("kind", TRAINED)
def test_a_missing_scale_is_refused_and_the_mend_is_named(kind: str, tmp_path: Path) -> None:
    """At the wrong scale the demo's SAEs had 294 dense latents for 44, and nobody was told."""
    trained(kind, "expected_average_only_in").save_model(tmp_path)
    refused(tmp_path, str(tmp_path), "normalize_activations: expected_average_only_in", "fold_activation_norm", SCALER)


@pytest.mark.parametrize("kind", TRAINED)
def test_a_scale_stored_beside_a_checkpoint_is_folded_as_sae_lens_folds_it(kind: str, tmp_path: Path) -> None:
    module = trained(kind, "expected_average_only_in")
    module.save_model(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / SCALER).write_text(json.dumps({"scaling_factor": 0.25}))
    found, x = load_sae(str(tmp_path / "checkpoint")), 4 * tokens()
    # by hand: scaled activations through the weights as they were saved, and what they give back unscaled
    (tmp_path / "checkpoint" / SCALER).unlink()
    config = json.loads((tmp_path / "checkpoint" / "cfg.json").read_text()) | {"normalize_activations": "none"}
    (tmp_path / "checkpoint" / "cfg.json").write_text(json.dumps(config))
    unscaled = load_sae(str(tmp_path / "checkpoint"))
    acts = unscaled.encode(0.25 * x)
    rebuilt = 4 * unscaled.decode(acts)
    assert torch.equal(found.encode(x) != 0, acts != 0)
    torch.testing.assert_close(found.decode(found.encode(x)), rebuilt, **CLOSE)
    if kind in THRESHOLDED:  # sae-lens folds before it takes the decoder's lengths off, and leaves the threshold behind
        return
    module.fold_activation_norm_scaling_factor(0.25)
    module.save_inference_model(tmp_path / "final")
    expected = LENS.SAE.load_from_disk(tmp_path / "final", dtype="float32")
    with torch.no_grad():
        torch.testing.assert_close(found.encode(x), expected.encode(x), **CLOSE)
        torch.testing.assert_close(found.decode(found.encode(x)), expected.decode(expected.encode(x)), **CLOSE)


@pytest.mark.parametrize("text", ["{}", "[]", '{"scaling_factor": null}', '{"scaling_factor": 0}'])
def test_a_stored_scale_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    trained("topk", "expected_average_only_in").save_model(tmp_path)
    (tmp_path / SCALER).write_text(text)
    refused(tmp_path, SCALER, "a scaling_factor above 0")


@pytest.mark.parametrize("how", ["layer_norm", "constant_norm_rescale"])
def test_scaling_by_the_token_is_sae_lens_own(how: str, tmp_path: Path) -> None:
    metadata = LENS.saes.sae.SAEMetadata(**METADATA)
    config = LENS.StandardSAEConfig(d_in=D, d_sae=N, normalize_activations=how, metadata=metadata)
    module = filled(LENS.StandardSAE(config))
    module.save_model(tmp_path)
    found, x = load_sae(str(tmp_path)), tokens()
    with torch.no_grad():
        assert torch.equal(found.encode(x), module.encode(x))
        assert torch.equal(found.decode(found.encode(x)), module.decode(module.encode(x)))


# sparsify


def sparsify(folder: Path, seed: int = 0, **more: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "cfg.json").write_text(json.dumps({"d_in": D, "num_latents": N, "k": 4, "expansion_factor": 2} | more))
    names = {"encoder.weight": (N, D), "encoder.bias": (N,), "W_dec": (N, D), "b_dec": (D,)}
    save_file({name: random(*shape, seed=seed) for name, shape in names.items()}, folder / "sae.safetensors")
    return folder


def test_a_folder_of_sparsify_reads_as_sae_lens_reads_it(tmp_path: Path) -> None:
    """sae-lens would turn the decoder, which lies the right way already, and so gets the file with it turned."""
    folder = sparsify(tmp_path / "layers.3")
    weights = loaders.load_safetensors_weights(folder / "sae.safetensors")
    (tmp_path / "turned" / "layers.3").mkdir(parents=True)
    turned = tmp_path / "turned" / "layers.3"
    save_file(weights | {"W_dec": weights["W_dec"].T.contiguous()}, turned / "sae.safetensors")
    (turned / "cfg.json").write_text((folder / "cfg.json").read_text())
    expected = LENS.SAE.load_from_disk(turned, dtype="float32", converter=loaders.sparsify_disk_loader)
    found, x = load_sae(str(folder)), tokens()
    with torch.no_grad():
        assert torch.equal(found.encode(x), expected.encode(x))
        assert torch.equal(found.decode(found.encode(x)), expected.decode(expected.encode(x)))
    assert (found.hook_point, found.architecture, found.n_latents) == ("blocks.3.hook_resid_post", "topk", N)
    assert int((found.encode(x) != 0).sum(1).max()) == 4


@pytest.mark.parametrize("normalised", [True, False])
def test_sparsify_takes_the_decoders_bias_off_whatever_its_configuration_says(tmp_path: Path, normalised: bool) -> None:
    """As `SparseCoder.encode` of sparsify 1.3.3 does: x less b_dec, times the encoder, plus its bias; ReLU; top k."""
    folder = sparsify(tmp_path / "layers.3", normalize_decoder=normalised)
    weights = load_file(folder / "sae.safetensors")
    found, x = load_sae(str(folder)), tokens()
    before = (x - weights["b_dec"]) @ weights["encoder.weight"].T + weights["encoder.bias"]
    top = before.relu().topk(4, dim=1)
    torch.testing.assert_close(found.encode(x), torch.zeros_like(before).scatter(1, top.indices, top.values))


def test_a_folder_of_sparsify_names_no_model_but_the_one_of_its_training(tmp_path: Path) -> None:
    assert describe_sae(str(sparsify(tmp_path / "saved" / "layers.3"))).model in ("", None)
    folder = sparsify(tmp_path / "named" / "layers.3")
    (folder.parent / "config.json").write_text(json.dumps({"model": "EleutherAI/pythia-160m"}))
    assert describe_sae(str(folder)).model == "EleutherAI/pythia-160m"


@pytest.mark.parametrize(
    ("name", "hook"),
    [("layers.3.mlp", "blocks.3.hook_mlp_out"), ("embed_tokens", "hook_embed"),
     ("layers.1.self_attn", "blocks.1.hook_attn_out")],
)  # fmt: skip
def test_the_folders_name_says_which_module_was_read(name: str, hook: str, tmp_path: Path) -> None:
    assert describe_sae(str(sparsify(tmp_path / name))).hook_point == hook


def test_what_of_sparsify_would_be_read_wrongly_is_refused(tmp_path: Path) -> None:
    refused(sparsify(tmp_path / "a" / "layers.1.mlp", transcode=True), "transcoder of sparsify")
    refused(sparsify(tmp_path / "b" / "layers.1", signed=True), "signed")
    refused(sparsify(tmp_path / "c" / "my sae"), "named by the module that was read", "'my sae'")


# Gemma Scope

D_GEMMA, N_GEMMA = 2304, 4096


def gemma(folder: Path) -> Path:
    """`params.npz` as Gemma Scope has it, of few numbers; the widths are those that the names say."""
    folder.mkdir(parents=True)
    shapes = {"W_enc": (D_GEMMA, N_GEMMA), "W_dec": (N_GEMMA, D_GEMMA), "b_enc": (N_GEMMA,), "b_dec": (D_GEMMA,)}
    arrays: dict[str, Any] = {name: random(*shape).numpy() * 0.02 for name, shape in shapes.items()}
    np.savez(folder / "params.npz", **arrays, threshold=np.full(N_GEMMA, 0.5, dtype=np.float32))
    return folder


@pytest.mark.parametrize(
    ("inside", "hook"), [("layer_5/width_4k/average_l0_9", "blocks.5.hook_resid_post"),
                         ("embedding/width_4k/average_l0_6", "hook_embed")]
)  # fmt: skip
def test_gemma_scopes_arrays_read_as_sae_lens_reads_them(
    inside: str, hook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = gemma(tmp_path / "models--google--gemma-scope-2b-pt-res" / "snapshots" / "0a" / inside)
    monkeypatch.setattr(loaders, "hf_hub_download", lambda **_: str(folder / "params.npz"))
    config, state, _ = loaders.gemma_2_sae_huggingface_loader("google/gemma-scope-2b-pt-res", inside)
    kind = LENS.JumpReLUSAE
    expected = kind(LENS.JumpReLUSAEConfig.from_dict(loaders.handle_config_defaulting(dict(config))))
    expected.load_state_dict(state)
    found = load_sae(str(folder))
    x = random(10, D_GEMMA, seed=3)
    with torch.no_grad():
        assert torch.equal(found.encode(x), expected.encode(x))
        assert torch.equal(found.decode(found.encode(x)), expected.decode(expected.encode(x)))
    assert found.hook_point == hook


def test_gemma_scopes_arrays_without_the_names_that_tell_what_they_read_are_refused(tmp_path: Path) -> None:
    refused(gemma(tmp_path / "my" / "layer_5"), "gemma-scope-2b-pt-res/layer_12", "my/layer_5")
    wrong = gemma(tmp_path / "gemma-scope-2b-pt-res" / "layer_5" / "width_16k" / "average_l0_9")
    refused(wrong, "params.npz", "[2304, 16384]", "[2304, 4096]")
    (wrong / "params.npz").write_bytes(b"PK\x03\x04 no archive")
    refused(wrong, "params.npz", "arrays of numbers")


def test_a_pickle_in_an_archive_of_arrays_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "gemma-scope-2b-pt-res" / "layer_5" / "width_4k" / "average_l0_9"
    folder.mkdir(parents=True)
    np.savez(folder / "params.npz", W_enc=np.array([object()], dtype=object))
    refused(folder, "params.npz", "arrays of numbers", "allow_pickle")


def gemma_2(folder: Path, hook_in: str, hook_out: str | None = None, affine: bool = False, clt: bool = False) -> Path:
    folder.mkdir(parents=True)
    config = {"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt", "hf_hook_point_in": hook_in}
    (folder / "config.json").write_text(json.dumps(config | ({"hf_hook_point_out": hook_out} if hook_out else {})))
    state = {"w_enc": random(D, N), "w_dec": random(N, D, seed=1), "b_enc": random(N), "b_dec": random(D)}
    state["threshold"] = random(N, seed=2).abs()
    if clt:
        state["w_dec"] = random(N, 3, D)
    if affine:
        state["affine_skip_connection"] = random(D, D, seed=3)
    save_file(state, folder / "params.safetensors")
    return folder


@pytest.mark.parametrize(
    ("module", "hook"),
    [("output", "hook_resid_post"), ("self_attn.o_proj.input", "attn.hook_z"),
     ("post_feedforward_layernorm.output", "hook_mlp_out")],
)  # fmt: skip
def test_gemma_scope_2_reads_the_module_its_configuration_names(module: str, hook: str, tmp_path: Path) -> None:
    found = load_sae(str(gemma_2(tmp_path / "sae", f"model.layers.4.{module}")))
    assert (found.hook_point, found.hook_out, found.architecture) == (f"blocks.4.{hook}",) * 2 + ("jumprelu",)


@pytest.mark.parametrize("affine", [False, True])
def test_gemma_scope_2s_transcoders_read_as_sae_lens_reads_them(
    affine: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "model.layers.4.{}_feedforward_layernorm.output"
    folder = gemma_2(
        tmp_path / "transcoder_all" / "layer_4_width_16k", place.format("pre"), place.format("post"), affine
    )
    monkeypatch.setattr(loaders, "hf_hub_download", lambda *names, **given: str(folder / (given.get("filename") or
                        names[1].rsplit("/", 1)[-1])))  # fmt: skip
    state: Any = loaders.load_safetensors_weights(folder / "params.safetensors")
    shapes = {name: list(tensor.shape) for name, tensor in state.items()}
    raw = json.loads((folder / "config.json").read_text()) | {"affine_connection": affine}
    (folder / "config.json").write_text(json.dumps(raw))
    monkeypatch.setattr(loaders, "get_safetensors_tensor_shapes", lambda *_: shapes)
    config, state, _ = loaders.gemma_3_sae_huggingface_loader("google/gemma-scope-2-1b-pt", str(folder))
    kind = LENS.JumpReLUSkipTranscoder if affine else LENS.JumpReLUTranscoder
    expected = kind.from_dict(loaders.handle_config_defaulting(dict(config)))
    expected.load_state_dict(state)
    found, x = load_sae(str(folder)), tokens()
    with torch.no_grad():
        assert torch.equal(found.encode(x), expected.encode(x))
        torch.testing.assert_close(found.decode(found.encode(x)), expected(x))
    assert (found.hook_point, found.hook_out) == ("blocks.4.mlp.hook_in", "blocks.4.hook_mlp_out")
    assert found.transcodes


def test_what_of_gemma_scope_2_is_not_read_is_refused(tmp_path: Path) -> None:
    place = "model.layers.4.pre_feedforward_layernorm.output"
    refused(gemma_2(tmp_path / "a", place, "model.layers.4.post_feedforward_layernorm.output", clt=True), "cross-layer")
    refused(gemma_2(tmp_path / "b", "model.layers.4.self_attn.q_proj.input"), "config.json", "q_proj")
    (tmp_path / "a" / "config.json").unlink()
    refused(tmp_path / "a", "config.json", "names the module")


# several, and what is none


def test_a_folder_of_several_stands_for_all_of_them_in_order(tmp_path: Path) -> None:
    for layer in (10, 9, 0):
        sparsify(tmp_path / "release" / f"layers.{layer}", seed=layer)
    names = [Path(source).name for source in expanded([str(tmp_path / "release"), "release:id"])]
    assert names == ["layers.0", "layers.9", "layers.10", "release:id"]
    refused(tmp_path / "release", "expected one SAE; found 3: layers.0, layers.9, layers.10")


def test_one_in_a_subfolder_is_found(tmp_path: Path) -> None:
    sparsify(tmp_path / "a" / "b" / "layers.2")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert load_sae(str(tmp_path)).layer == 2


@pytest.mark.parametrize("name", ["ae.pt", "layer0.sae.pt", "model.pkl"])
def test_a_folder_of_pickles_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04.")
    refused(tmp_path, name, "pickled files are refused: they can run code")


@pytest.mark.parametrize(("kind", "words"), [("crosscoder", "a crosscoder"), ("temporal", "a temporal SAE")])
def test_what_reads_more_than_one_place_or_token_is_refused_in_one_line(kind: str, words: str, tmp_path: Path) -> None:
    module = trained("standard")
    module.save_inference_model(tmp_path)
    config = json.loads((tmp_path / "cfg.json").read_text()) | {"architecture": kind}
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    refused(tmp_path, "reads one place, one token at a time", words)


def test_an_sae_of_one_head_is_refused(tmp_path: Path) -> None:
    module = trained("standard")
    module.save_inference_model(tmp_path)
    config = json.loads((tmp_path / "cfg.json").read_text())
    config["metadata"] |= {"hook_name": "blocks.0.attn.hook_z", "hook_head_index": 3}
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    refused(tmp_path, "head 3 alone")
