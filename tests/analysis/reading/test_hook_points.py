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
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.pretrained.weight_conversions import gemma, gpt2, llama, mistral, neox, qwen2, qwen3
from transformers import AutoModelForCausalLM, OPTConfig, PreTrainedModel

from analysis.errors import UserError
from analysis.reading import families, hook_names, hook_points
from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from tests.analysis import tiny_models
from tests.analysis.tiny_models import FAMILIES, N_LAYERS, PLACES, hooks_of, save_tiny, tiny, tiny_tokenizer

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:HookedTransformer is deprecated:DeprecationWarning")

TOLERANCE = 1e-4  # of the largest absolute activation, float32
BRIDGED = ("gpt_oss", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_moe")  # HookedTransformer has no such models
LAYER_NORM = ("gpt2", "gpt_neox", "gpt_neox_sequential")

_WEIGHTS: dict[str, Callable[..., dict[str, Tensor]]] = {
    "gemma": gemma.convert_gemma_weights,
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
    config.use_hook_mlp_in = True
    lens = HookedTransformer(config)
    lens.load_and_process_state_dict(
        _WEIGHTS[family](model, config),
        fold_ln=False,
        center_writing_weights=centred,
        center_unembed=False,
        fold_value_biases=False,
    )
    return lens


@cache
def bridged(family: str) -> Any:
    """TransformerLens' bridge over the same model: it has what the MLP takes in, and the newer families."""
    with TemporaryDirectory() as folder:
        save_tiny(family, Path(folder))
        tokenizer = tiny_tokenizer()
        tokenizer.init_kwargs["name_or_path"] = folder
        bridge = cast(Any, TransformerBridge).boot_transformers(folder, tokenizer=tokenizer, device="cpu")
    bridge.set_use_hook_mlp_in(True)
    return bridge


def oracle(family: str, hook: str, centred: bool = False) -> Any:
    """TransformerLens' model that has this hook point."""
    alone = family in BRIDGED or (hook.endswith("mlp.hook_in") and family != "gemma3")
    return bridged(family) if alone else hooked(family, centred)


@torch.no_grad()
def expected_at(family: str, hooks: list[str], centred: bool = False) -> dict[str, Tensor]:
    """Activations as TransformerLens has them, all heads side by side."""
    ids, attention = batch()
    found: dict[str, Tensor] = {}
    for lens in {id(lens): lens for hook in hooks if (lens := oracle(family, hook, centred))}.values():
        _, cache = lens.run_with_cache(ids, attention_mask=attention.long())
        found |= {hook: cache[hook] for hook in hooks if oracle(family, hook, centred) is lens and hook in cache}
    if family == "gemma3":  # the bridge of images needs more than is installed; between lies the norm's gain
        state = hooked(family).state_dict()
        for layer in range(N_LAYERS):
            normalised = found[f"blocks.{layer}.ln2.hook_normalized"]
            found[f"blocks.{layer}.mlp.hook_in"] = normalised * state[f"blocks.{layer}.ln2.w"]
    return {hook: value.flatten(2) for hook, value in found.items()}


def _lens_config(family: str, model: PreTrainedModel) -> dict[str, Any]:
    if family == "gemma":
        plain = {"use_normalization_before_and_after", "use_local_attn", "attn_types", "window_size"}
        without = {name: value for name, value in _GEMMA_CONFIG.items() if name not in plain}
        return without | {"rotary_base": 10_000.0, "original_architecture": "GemmaForCausalLM"}
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
def differences(family: str, centred: bool = False) -> dict[str, float]:
    """Of all hook points of all layers."""
    hooks = hooks_of(family)
    found = language_model(family, centred).read(*batch(), hooks)
    expected = expected_at(family, hooks, centred)
    return {hook: difference(found[hook], expected[hook]) for hook in hooks}


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


def changed(place: str) -> Callable[[Tensor], Tensor]:
    """Zeros for what is added to the stream; for the rest something that a norm does not undo."""
    if place.endswith("_out"):
        return torch.zeros_like
    # over all heads side by side, however they are stacked
    return lambda activation: activation.flatten(2).roll(1, dims=-1).reshape(activation.shape)


def test_every_supported_family_is_tested() -> None:
    assert {tiny(family).config.model_type for family in FAMILIES} == set(families.FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tiny_model_is_the_same_each_time_and_another_with_another_seed(family: str) -> None:
    before = torch.get_rng_state()
    first, again, other = (tiny(family, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first if name.endswith("weight"))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_agree_with_transformer_lens(family: str) -> None:
    assert all(found < TOLERANCE for found in differences(family).values()), differences(family)


@pytest.mark.parametrize("family", LAYER_NORM)
def test_centred_activations_agree_with_centred_writing_weights(family: str) -> None:
    found = differences(family, centred=True)
    assert all(off < TOLERANCE for off in found.values()), found
    plain = language_model(family).read(*batch(), hooks_of(family))
    stream = [hook for hook in plain if hook.rsplit(".", 1)[-1].startswith(("hook_resid", "hook_mlp_out", "hook_attn"))]
    assert all(plain[hook].mean(-1).abs().max() > 0.01 for hook in stream), "nothing to centre"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("place", ["hook_embed", *PLACES])
def test_a_change_reaches_the_logits_as_in_transformer_lens(family: str, place: str) -> None:
    hook, change, model = place if place == "hook_embed" else f"blocks.1.{place}", changed(place), tiny(family)
    if hook not in hooks_of(family):
        pytest.skip("this model has no such place")
    if family == "gemma3" and place == "mlp.hook_in":
        pytest.skip("the bridge of images needs more than is installed")
    if family in BRIDGED and place in ("hook_resid_mid", "ln1.hook_normalized", "ln2.hook_normalized"):
        pytest.skip("the bridge changes the norm's branch alone, and leaves out 1 + weight: the next test instead")
    ids, attention = batch()
    found = logits(model, hook, change)
    with torch.no_grad():
        expected = oracle(family, hook).run_with_hooks(
            ids, attention_mask=attention.long(), fwd_hooks=[(hook, lambda tensor, hook: change(tensor))]
        )
    assert difference(found, expected) < TOLERANCE
    assert difference(found, logits(model)) > 0.01


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_a_change_in_the_middle_of_a_block_is_what_comes_out_of_it(family: str) -> None:
    """The stream after the block is the changed middle and what the MLP added; a changed norm reaches the MLP."""
    model, (ids, attention) = language_model(family), batch()
    change = changed("hook_resid_mid")

    def after(hook: str, *outs: str) -> list[Tensor]:
        clean = model.read(ids, attention, [f"blocks.1.{hook}"])[f"blocks.1.{hook}"]
        handle = hook_points.on_write(model.module, f"blocks.1.{hook}", change)
        found = model.read(ids, attention, [f"blocks.1.{out}" for out in outs])
        handle.remove()
        return [change(clean), *(found[f"blocks.1.{out}"] for out in outs)]

    if "blocks.1.hook_resid_mid" in hooks_of(family):
        middle, added, end = after("hook_resid_mid", "hook_mlp_out", "hook_resid_post")
        assert difference(end, middle + added) < TOLERANCE
    normalised, taken = after("ln2.hook_normalized", "mlp.hook_in")
    norm: Any = hook_points.resolve(model.module, "blocks.1.ln2.hook_normalized").module
    bias = norm.bias if family in LAYER_NORM else 0.0
    assert difference(taken, normalised * (norm.weight + hook_points.gain_offset(model.module)) + bias) < TOLERANCE


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_writing_back_what_was_read_leaves_the_logits_equal(family: str, dtype: torch.dtype) -> None:
    model: Any = tiny(family)
    clean = logits(model.to(dtype))
    seen: list[torch.dtype] = []

    def same(activation: Tensor) -> Tensor:
        seen.append(activation.dtype)
        return activation

    hooks = hooks_of(family)
    assert all(torch.equal(logits(model, hook, same), clean) for hook in hooks)
    assert seen == [torch.float32] * len(hooks)


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES)
def test_the_unembedding_with_the_final_gain_gives_the_logits(family: str) -> None:
    model = language_model(family)
    module = cast(Any, model.module)
    ids, attention = batch()
    last = f"blocks.{N_LAYERS - 1}.hook_resid_post"
    residual = model.read(ids, attention, [last])[last]
    bias = torch.zeros(tiny_models.VOCAB)
    if family in LAYER_NORM:
        residual = residual - residual.mean(-1, keepdim=True)
        norm = module.get_submodule(families.FAMILIES[model.family].final_norm)
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
    if family not in BRIDGED:
        torch.testing.assert_close(gain, hooked(family).state_dict()["ln_final.w"])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_model_reads_as_the_one_in_memory(family: str, tmp_path: Path) -> None:
    loaded = load_model(str(save_tiny(family, tmp_path)), dtype="float32", device="cpu")
    ids, attention = batch()
    hooks = hooks_of(family)
    found, expected = (model.read(ids, attention, hooks) for model in (loaded, language_model(family)))
    assert all(torch.equal(found[hook], expected[hook]) for hook in hooks)
    text = "The naïve cat\n\tsat — 42 times."
    assert loaded.tokenizer.decode(loaded.tokenizer(text)["input_ids"]) == text


def test_a_removed_handle_reads_no_more() -> None:
    model = tiny("llama")
    seen: list[str] = []
    hooks = hooks_of("llama")
    handles = [hook_points.on_read(model, hook, lambda name, activation: seen.append(name)) for hook in hooks]
    logits(model)
    for handle in handles:
        handle.remove()
    clean = logits(model)
    hook_points.on_write(model, "blocks.1.hook_resid_mid", torch.zeros_like).remove()
    assert torch.equal(logits(model), clean)
    assert sorted(seen) == sorted(hooks)


def test_a_hook_point_says_its_layer_and_kind() -> None:
    model = tiny("gpt2")
    assert hook_names.parse("blocks.12.hook_mlp_out") == (12, "mlp_out")
    assert hook_names.parse("hook_embed") == (0, "embed")
    hooks = hooks_of("gpt2")
    assert [hook_points.resolve(model, hook).layer for hook in hooks] == [hook_names.parse(hook)[0] for hook in hooks]
    assert len(hook_points.blocks(model)) == N_LAYERS


def test_the_heads_results_have_a_width_of_their_own() -> None:
    """As in Gemma and Qwen 3, whose d_head x heads is not d_model; grouped keys make no difference."""
    model = tiny("llama")
    assert hook_points.width(model, "blocks.0.attn.hook_z", 99) == tiny_models.N_HEADS * tiny_models.D_HEAD
    assert hook_points.width(model, "blocks.0.hook_mlp_in", 99) == 99


@torch.no_grad()
@pytest.mark.parametrize("family", ["gemma2", "gpt2", "gpt_neox", "llama"])
def test_directions_of_heads_stand_for_what_they_add_to_the_stream(family: str) -> None:
    """Doubling a head direction's coefficient moves attention's output along the direction it is said to stand for."""
    model, hook, out = language_model(family), "blocks.1.attn.hook_z", "blocks.1.hook_attn_out"
    ids, attention = batch()
    push = torch.randn(model.width(hook), generator=torch.Generator().manual_seed(0))
    matrix = hook_points.to_stream(model.module, hook)
    assert matrix is not None
    before = model.read(ids, attention, [out])[out]
    handle = hook_points.on_write(model.module, hook, lambda x: x + 1000 * push)
    after = model.read(ids, attention, [out])[out]
    handle.remove()
    moved = (after - before)[attention] if family != "gemma2" else after[attention]  # the norm forgets the length
    cosine = torch.nn.functional.cosine_similarity(moved, (push @ matrix)[None])
    assert float(cosine.min()) > 0.98


@torch.no_grad()
def test_what_the_mlp_takes_in_stands_for_the_stream_without_the_gain() -> None:
    model, hooks = language_model("llama"), ["blocks.1.mlp.hook_in", "blocks.1.ln2.hook_normalized"]
    found = model.read(*batch(), hooks)
    matrix = hook_points.to_stream(model.module, hooks[0])
    assert matrix is not None
    torch.testing.assert_close(found[hooks[0]] @ matrix, found[hooks[1]], rtol=1e-4, atol=1e-4)
    assert hook_points.to_stream(model.module, "blocks.1.hook_resid_post") is None


def test_a_place_that_a_model_does_not_have_is_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match="adds attention and MLP to the stream at once"):
        hook_points.resolve(tiny("gpt_neox"), "blocks.1.hook_resid_mid")
    for place in ("attn.hook_z", "hook_attn_out"):
        with pytest.raises(UserError, match=rf"'blocks\.2\.{place}': block 2 has linear attention.* of heads: 1$"):
            hook_points.resolve(tiny("qwen3_5_text"), f"blocks.2.{place}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "blocks.0",
        "blocks.x.hook_mlp_out",
        "blocks.0.hook_z",
        "blocks.0.hook_mlp_out\n",
        "blocks.0.hook_embed",
    ],
)
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="unknown hook point") as error:
        hook_points.resolve(tiny("llama"), name)
    assert name in str(error.value)
    assert all(place in str(error.value) for place in ("hook_embed", *PLACES))


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
    for call in (hook_points.blocks, hook_points.final_gain, lambda m: hook_points.resolve(m, "blocks.0.hook_mlp_out")):
        with pytest.raises(UserError, match="unsupported model family 'opt'") as error:
            call(model)
        assert all(family in str(error.value) for family in families.FAMILIES)
