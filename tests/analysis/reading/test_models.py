"""Loading language models: what is accepted, what is refused and how it is said, and next-token losses."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.models.qwen3_5 import Qwen3_5Config, Qwen3_5ForConditionalGeneration

from analysis.errors import BadFile, UserError
from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from tests.analysis.reading.test_sae_files import Canary
from tests.analysis.tiny_models import BOS, D_MODEL, N_LAYERS, PAD, VOCAB, save_tiny, tiny, tiny_tokenizer

torch.set_num_threads(1)

HOOK = "blocks.1.hook_resid_post"
LAYER_NORM = ("gpt2", "gpt_neox", "gpt_neox_sequential")
EYES = {
    "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": D_MODEL, "patch_size": 4,
}  # fmt: skip
RMS_NORM = ("gemma2", "gemma3_text", "llama", "mistral", "qwen2", "qwen3")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama as a folder."""
    return save_tiny("llama", tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def in_memory(family: str, centred: bool = False) -> LanguageModel:
    """Without files."""
    return LanguageModel(tiny(family), tiny_tokenizer(), name=family, source="test", fingerprint="00", centred=centred)


def batch() -> tuple[Tensor, Tensor]:
    """Two contexts, one shorter."""
    ids = torch.randint(3, VOCAB, (2, 12), generator=torch.Generator().manual_seed(0))
    attention = torch.ones(2, 12, dtype=torch.bool)
    attention[1, 8:] = False
    ids[1, 8:] = PAD
    return ids, attention


def test_a_folder_is_loaded_with_its_facts(saved: Path) -> None:
    model = load_model(str(saved), dtype="float32", device="cpu")
    assert (model.n_layers, model.d_model, model.vocab_size) == (N_LAYERS, D_MODEL, VOCAB)
    assert (model.family, model.dtype_name, model.name) == ("llama", "float32", saved.name)
    assert (model.bos_id, PAD in model.special_ids) == (BOS, True)
    assert len(model.words()) == VOCAB
    assert not model.module.training


def test_the_fingerprint_is_of_the_weights(saved: Path, folder: Path, tmp_path: Path) -> None:
    other = save_tiny("llama", tmp_path / "other", seed=1)
    marks = [load_model(str(path), dtype="float32").fingerprint for path in (saved, folder, other)]
    assert marks[0] == marks[1] != marks[2]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "b''"),
        (b"PK\x03\x04zip", "PK"),
        (b"GGUF", "GGUF"),
        (b"GGUF\x03\0\0\0" + b"\xff" * 64, "GGUF"),
        (b"GGUF\x03\0\0\0" + b"\0" * 16, "GGUF"),
    ],
)
def test_a_broken_gguf_is_refused_by_name(tmp_path: Path, data: bytes, found: str) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=r"broken\.gguf: expected a .*GGUF.*; found ") as error:
        load_model(str(path))
    assert found in str(error.value)
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused_and_never_opened(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    canary = tmp_path / "canary"
    (folder / name).write_bytes(pickle.dumps({"x": Canary(canary)}))
    with pytest.raises(UserError, match=r"expected \*\.safetensors weights \(pickled ones are refused\)") as error:
        load_model(str(folder))
    assert str(folder) in str(error.value)
    assert not canary.exists()


def test_a_pickle_named_safetensors_is_refused_and_never_opened(folder: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (folder / "model.safetensors").write_bytes(pickle.dumps({"x": Canary(canary)}))
    with pytest.raises(UserError, match="expected a folder with a causal language model"):
        load_model(str(folder))
    assert not canary.exists()


def test_a_truncated_file_is_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="expected a folder with a causal language model") as error:
        load_model(str(folder))
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json"])
def test_a_folder_without_config_or_tokenizer_is_refused(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(
        UserError, match=r"model '.*': expected a folder with a causal language model and its tokenizer"
    ):
        load_model(str(folder))


def test_a_family_that_is_not_supported_is_named_with_those_that_are(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, OPTConfig

    auto: Any = AutoModelForCausalLM
    config = OPTConfig(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16,
                       word_embed_proj_dim=16)  # fmt: skip
    auto.from_config(config).save_pretrained(folder)
    with pytest.raises(UserError, match="unsupported model family 'opt'; expected one of gemma, gemma2"):
        load_model(str(folder))


def test_code_in_a_folder_is_never_run(folder: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w')\nclass Evil: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError):
        load_model(str(folder))
    assert not canary.exists()


@pytest.mark.parametrize(("shape", "words"), [(None, "found no model"), ((3, 3), r"of shape \[3, 3\], not \[48, 32\]")])
def test_weights_with_a_gap_are_refused(folder: Path, shape: tuple[int, ...] | None, words: str) -> None:
    """transformers would fill it with random numbers."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    gone = next(name for name in weights if name.endswith("layers.1.mlp.up_proj.weight"))
    del weights[gone]
    save_file(weights | ({} if shape is None else {gone: torch.zeros(shape)}), path, {"format": "pt"})
    with pytest.raises(UserError, match=words) as error:
        load_model(str(folder))
    assert gone in str(error.value)


def test_an_unknown_dtype_is_named(saved: Path) -> None:
    with pytest.raises(UserError, match="unknown dtype 'int8'; choose one of auto, bfloat16"):
        load_model(str(saved), dtype="int8")


def test_nothing_there_says_what_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=r"expected a local folder, a \.gguf file or a hub id"):
        load_model(str(tmp_path / "none"))


@pytest.mark.parametrize("family", [*LAYER_NORM, *RMS_NORM])
def test_losses_are_hugging_faces_own(family: str) -> None:
    model = in_memory(family)
    ids, attention = batch()
    losses = model.token_losses(ids, attention)
    assert losses.shape == (2, 11)
    assert (losses[1, 7:] == 0).all()
    labels = ids.masked_fill(~attention, -100)
    module: Any = model.module
    theirs = module(input_ids=ids, attention_mask=attention, labels=labels).loss
    torch.testing.assert_close(losses.sum() / attention[:, 1:].sum(), theirs)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_replacement_that_changes_nothing_changes_no_loss(family: str) -> None:
    model = in_memory(family)
    ids, attention = batch()
    clean = model.token_losses(ids, attention)
    seen: list[Tensor] = []

    def same(x: Tensor) -> Tensor:
        seen.append(x.clone())
        return x

    torch.testing.assert_close(model.token_losses(ids, attention, {HOOK: same}), clean)
    torch.testing.assert_close(seen[0], model.read(ids, attention, [HOOK])[HOOK])
    assert not torch.allclose(model.token_losses(ids, attention, {HOOK: torch.zeros_like}), clean)
    torch.testing.assert_close(model.token_losses(ids, attention), clean)


@pytest.mark.parametrize("family", LAYER_NORM)
@pytest.mark.parametrize("hook", [HOOK, "blocks.1.hook_mlp_out", "blocks.2.hook_attn_out"])
def test_a_centred_model_shows_the_replacement_what_it_reads(family: str, hook: str) -> None:
    """An SAE trained on centred activations has to be spliced in on centred ones."""
    model = in_memory(family, centred=True)
    ids, attention = batch()
    seen: list[Tensor] = []

    def double(x: Tensor) -> Tensor:
        seen.append(x.clone())
        return 2 * x

    found = model.token_losses(ids, attention, {hook: double})
    expected = model.read(ids, attention, [hook])[hook]
    torch.testing.assert_close(seen[0], expected)
    assert seen[0].mean(-1).abs().max() < 1e-6
    uncentred = in_memory(family)
    by_hand = uncentred.token_losses(ids, attention, {hook: lambda x: 2 * x - x.mean(-1, keepdim=True)})
    torch.testing.assert_close(found, by_hand, atol=1e-4, rtol=1e-4)
    same = model.token_losses(ids, attention, {hook: lambda x: x})
    torch.testing.assert_close(same, uncentred.token_losses(ids, attention), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", LAYER_NORM)
def test_in_a_layer_norm_model_the_mean_is_nothing(family: str) -> None:
    """Why centring is allowed there at all."""
    model = in_memory(family)
    ids, attention = batch()
    moved = model.token_losses(ids, attention, {HOOK: lambda x: x + 3})
    torch.testing.assert_close(moved, model.token_losses(ids, attention), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", RMS_NORM)
def test_centring_an_rms_norm_model_is_refused_with_the_reason(family: str) -> None:
    with pytest.raises(UserError, match=r"RMSNorm does not.*expected an SAE of uncentred") as error:
        in_memory(family, centred=True)
    assert f"'{family}'" in str(error.value)


@pytest.mark.parametrize("family", ["gpt2", "gemma2", "llama"])
def test_the_unembedding_gives_the_logits_of_a_normed_direction(family: str) -> None:
    """logits = x_normed @ W_U with the gain folded in; soft caps and biases apart."""
    model = in_memory(family)
    assert model.unembedding().shape == (D_MODEL, VOCAB)
    module: Any = model.module
    weight = module.get_output_embeddings().weight
    gain = {"gpt2": lambda: module.transformer.ln_f.weight, "llama": lambda: module.model.norm.weight,
            "gemma2": lambda: 1 + module.model.norm.weight}[family]()  # fmt: skip
    direction = torch.randn(D_MODEL)
    kept = direction - direction.mean() if family == "gpt2" else direction  # LayerNorm takes the mean off
    torch.testing.assert_close(direction @ model.unembedding(), weight @ (gain * kept), rtol=1e-4, atol=1e-5)


def test_losses_in_pieces_are_the_same(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large vocabulary the logits of a few contexts are held at a time."""
    model = load_model(str(saved), dtype="float32", device="cpu")
    ids, attention = batch()
    whole = model.token_losses(ids, attention)
    monkeypatch.setattr("analysis.reading.model._LOGITS", 1)
    assert torch.equal(model.token_losses(ids, attention), whole)


def test_the_language_part_of_a_model_with_eyes_is_read_as_it_is(tmp_path: Path) -> None:
    """Qwen 3.5 is published so; blocks of linear attention are read at every place but those of its heads."""
    config: Any = Qwen3_5Config(text_config=tiny("qwen3_5_text").config.to_dict(), vision_config=EYES)
    Qwen3_5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    model = load_model(str(tmp_path), dtype="float32", device="cpu")
    assert (model.family, model.n_layers) == ("qwen3_5_text", N_LAYERS)
    ids, attention = batch()
    whole: Any = Qwen3_5ForConditionalGeneration.from_pretrained(tmp_path)
    with torch.no_grad():
        states = whole(input_ids=ids, attention_mask=attention, output_hidden_states=True).hidden_states
    found = model.read(ids, attention, ["blocks.0.hook_resid_post", "blocks.1.hook_resid_post"])
    for layer in (0, 1):
        torch.testing.assert_close(found[f"blocks.{layer}.hook_resid_post"][attention], states[layer + 1][attention])
