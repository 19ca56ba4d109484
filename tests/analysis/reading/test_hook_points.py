"""Hook points read and write what TransformerLens' hooks of the same name do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
import torch
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.loading_from_pretrained import convert_hf_model_config
from transformer_lens.pretrained.weight_conversions import gemma, gpt2, llama, mistral, neox, qwen2, qwen3
from transformers import AutoModelForCausalLM, OPTConfig, PreTrainedModel

from analysis.errors import UserError
from analysis.reading import hook_points
from analysis.reading.model import LanguageModel, load_model
from tests.analysis import tiny_models
from tests.analysis.tiny_models import FAMILIES, N_LAYERS, save_tiny, tiny, tiny_tokenizer

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:HookedTransformer is deprecated:DeprecationWarning")

TOLERANCE = 1e-4  # of the largest absolute activation, float32
KINDS = ("resid_pre", "attn_out", "mlp_out", "resid_post")
HOOKS = [f"blocks.{layer}.hook_{kind}" for layer in range(N_LAYERS) for kind in KINDS]
LAYER_NORM = ("gpt2", "gpt_neox", "gpt_neox_sequential")

_WEIGHTS: dict[str, Callable[..., dict[str, Tensor]]] = {
    "gemma2": gemma.convert_gemma_weights,
    "gemma3": gemma.convert_gemma_weights,
    "gemma3_text": gemma.convert_gemma_weights,
    "gpt2": gpt2.convert_gpt2_weights,
    "gpt_neox": neox.convert_neox_weights,
    "gpt_neox_sequential": neox.convert_neox_weights,
    "llama": llama.convert_llama_weights,
    "mistral": mistral.convert_mistral_weights,
    "qwen2": qwen2.convert_qwen2_weights,
    "qwen3": qwen3.convert_qwen3_weights,
}
# TransformerLens has Gemma's configurations by hub name only; this is its gemma-2-2b and gemma-3-1b, tiny.
_GEMMA_CONFIG: dict[str, Any] = {
    "d_model": tiny_models.D_MODEL,
    "d_head": tiny_models.D_HEAD,
    "n_heads": tiny_models.N_HEADS,
    "n_key_value_heads": 2,
    "d_mlp": tiny_models.D_MLP,
    "n_layers": N_LAYERS,
    "n_ctx": tiny_models.CTX,
    "eps": 1e-6,
    "d_vocab": tiny_models.VOCAB,
    "act_fn": "gelu_pytorch_tanh",
    "normalization_type": "RMS",
    "positional_embedding_type": "rotary",
    "use_attn_scale": True,
    "window_size": tiny_models.WINDOW,
    "use_local_attn": True,
    "attn_types": ["local", "global", "local"],
    "gated_mlp": True,
    "final_rms": True,
    "use_normalization_before_and_after": True,
}
_GEMMA_2 = {
    "rotary_base": 10_000.0,
    "attn_scores_soft_cap": tiny_models.ATTENTION_CAP,
    "output_logits_soft_cap": tiny_models.LOGIT_CAP,
    "original_architecture": "Gemma2ForCausalLM",
}
_GEMMA_3 = {
    "rotary_base": 1_000_000,
    "rotary_base_local": 10_000,
    "use_qk_norm": True,
    "original_architecture": "Gemma3ForCausalLM",
}


def language_model(family: str, centred: bool = False) -> LanguageModel:
    return LanguageModel(tiny(family), tiny_tokenizer(), name=family, source="test", fingerprint="00", centred=centred)


@cache
def hooked(family: str, centred: bool = False) -> HookedTransformer:
    """TransformerLens' own model with the weights of `tiny(family)`, unprocessed but for the centring."""
    model = tiny(family)
    config = HookedTransformerConfig.from_dict(
        _lens_config(family, model) | {"init_weights": False, "dtype": torch.float32, "device": "cpu"}
    )
    lens = HookedTransformer(config)
    lens.load_and_process_state_dict(
        _WEIGHTS[family](model, config),
        fold_ln=False,
        center_writing_weights=centred,
        center_unembed=False,
        fold_value_biases=False,
    )
    return lens


def _lens_config(family: str, model: PreTrainedModel) -> dict[str, Any]:
    if family.startswith("gemma"):
        return _GEMMA_CONFIG | (_GEMMA_2 if family == "gemma2" else _GEMMA_3)
    with TemporaryDirectory() as folder:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
        config: dict[str, Any] = convert_hf_model_config(folder)
    del config["tokenizer_name"]  # it would look for one on the hub
    return config


def batch() -> tuple[Tensor, Tensor]:
    """[3, 14] ids and attention, two contexts padded on the right; all longer than the sliding window."""
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(3, tiny_models.VOCAB - 3, (3, 14), generator=random)
    ids[:, 0] = tiny_models.BOS
    attention = torch.arange(14) < torch.tensor([[14], [9], [6]])
    return ids.masked_fill(~attention, tiny_models.PAD), attention


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest absolute difference over the largest absolute value expected, where there is text."""
    _, attention = batch()
    found, expected = found[attention], expected[attention]
    return float((found - expected).abs().max() / expected.abs().max())


@torch.no_grad()
def worst_difference(family: str, centred: bool = False) -> float:
    """Over all hook points of all layers."""
    ids, attention = batch()
    found = language_model(family, centred).read(ids, attention, HOOKS)
    _, expected = hooked(family, centred).run_with_cache(ids, attention_mask=attention.long())
    return max(difference(found[hook], expected[hook]) for hook in HOOKS)


@torch.no_grad()
def logits(model: PreTrainedModel, hook: str = "", change: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    ids, attention = batch()
    handle = hook_points.on_write(model, hook, change) if change else None
    try:
        result: Tensor = model(input_ids=ids, attention_mask=attention, use_cache=False).logits
        return result
    finally:
        if handle:
            handle.remove()


def changed(kind: str) -> Callable[[Tensor], Tensor]:
    """Zeros for what is added to the stream; for the stream itself something that a norm does not undo."""
    return torch.zeros_like if kind.endswith("_out") else lambda activation: activation.roll(1, dims=-1)


def test_every_supported_family_is_tested() -> None:
    assert {tiny(family).config.model_type for family in FAMILIES} == set(hook_points.FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_model_is_the_same_each_time_and_another_with_another_seed(family: str) -> None:
    before = torch.get_rng_state()
    first, again, other = (tiny(family, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first if name.endswith("weight"))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_agree_with_transformer_lens(family: str) -> None:
    assert worst_difference(family) < TOLERANCE


@pytest.mark.parametrize("family", LAYER_NORM)
def test_centred_activations_agree_with_centred_writing_weights(family: str) -> None:
    assert worst_difference(family, centred=True) < TOLERANCE
    ids, attention = batch()
    plain = language_model(family).read(ids, attention, HOOKS)
    assert all(plain[hook].mean(-1).abs().max() > 0.01 for hook in HOOKS), "nothing to centre"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_reaches_the_logits_as_in_transformer_lens(family: str, kind: str) -> None:
    hook, change, model = f"blocks.1.hook_{kind}", changed(kind), tiny(family)
    ids, attention = batch()
    found = logits(model, hook, change)
    with torch.no_grad():
        expected = hooked(family).run_with_hooks(
            ids, attention_mask=attention.long(), fwd_hooks=[(hook, lambda tensor, hook: change(tensor))]
        )
    assert difference(found, expected) < TOLERANCE
    assert difference(found, logits(model)) > 0.01


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_writing_back_what_was_read_leaves_the_logits_equal(family: str, dtype: torch.dtype) -> None:
    model: Any = tiny(family)
    clean = logits(model.to(dtype))
    seen: list[torch.dtype] = []

    def same(activation: Tensor) -> Tensor:
        seen.append(activation.dtype)
        return activation

    assert all(torch.equal(logits(model, hook, same), clean) for hook in HOOKS)
    assert seen == [torch.float32] * len(HOOKS)


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_the_unembedding_with_the_final_gain_gives_the_logits(family: str) -> None:
    model = language_model(family)
    module = cast(Any, model.module)
    ids, attention = batch()
    residual = model.read(ids, attention, [HOOKS[-1]])[HOOKS[-1]]
    bias = torch.zeros(tiny_models.VOCAB)
    if family in LAYER_NORM:
        residual = residual - residual.mean(-1, keepdim=True)
        norm = module.get_submodule(hook_points.FAMILIES[model.family].final_norm)
        bias = module.get_output_embeddings()(norm.bias)
    scale = (residual.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    found = residual / scale @ model.unembedding() + bias
    if family == "gemma2":
        found = tiny_models.LOGIT_CAP * torch.tanh(found / tiny_models.LOGIT_CAP)
    assert difference(found, logits(module)) < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_the_final_gain_is_transformer_lens(family: str) -> None:
    gain = hook_points.final_gain(tiny(family))
    assert gain.std() > 0.1
    torch.testing.assert_close(gain, hooked(family).state_dict()["ln_final.w"])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_model_reads_as_the_one_in_memory(family: str, tmp_path: Path) -> None:
    loaded = load_model(str(save_tiny(family, tmp_path)), dtype="float32", device="cpu")
    ids, attention = batch()
    found, expected = (model.read(ids, attention, HOOKS) for model in (loaded, language_model(family)))
    assert all(torch.equal(found[hook], expected[hook]) for hook in HOOKS)
    text = "The naïve cat\n\tsat — 42 times."
    assert loaded.tokenizer.decode(loaded.tokenizer(text)["input_ids"]) == text


def test_a_removed_handle_reads_no_more() -> None:
    model = tiny("llama")
    seen: list[str] = []
    handle = hook_points.on_read(model, HOOKS[0], lambda name, activation: seen.append(name))
    logits(model)
    handle.remove()
    logits(model)
    assert seen == [HOOKS[0]]


def test_a_hook_point_says_its_layer_and_side() -> None:
    model = tiny("gpt2")
    assert hook_points.parse("blocks.12.hook_mlp_out") == (12, "mlp_out")
    sites = [hook_points.resolve(model, hook) for hook in HOOKS]
    assert [site.layer for site in sites] == [layer for layer in range(N_LAYERS) for _ in KINDS]
    assert [site.side for site in sites[:4]] == ["input", "output", "output", "output"]
    assert len(hook_points.blocks(model)) == N_LAYERS


@pytest.mark.parametrize(
    "name",
    [
        "",
        "blocks.0",
        "blocks.x.hook_mlp_out",
        "blocks.0.hook_resid_mid",
        "blocks.0.hook_mlp_out\n",
        "hook_embed",
    ],
)
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="unknown hook point") as error:
        hook_points.resolve(tiny("llama"), name)
    assert name in str(error.value)
    assert all(kind in str(error.value) for kind in KINDS)


def test_a_block_the_model_lacks_is_refused() -> None:
    with pytest.raises(UserError, match=r"'blocks\.3\.hook_mlp_out': the model has blocks 0 to 2"):
        hook_points.resolve(tiny("llama"), "blocks.3.hook_mlp_out")


def test_an_unsupported_family_is_named_with_the_supported_ones() -> None:
    config = OPTConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=16,
        word_embed_proj_dim=16,
    )
    auto: Any = AutoModelForCausalLM
    model = auto.from_config(config)
    for call in (hook_points.blocks, hook_points.final_gain, lambda m: hook_points.resolve(m, HOOKS[0])):
        with pytest.raises(UserError, match="unsupported model family 'opt'") as error:
            call(model)
        assert all(family in str(error.value) for family in hook_points.FAMILIES)
