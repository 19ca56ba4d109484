"""Where things are in Hugging Face's causal models: one row a `model_type`. Takes no torch.

The choice costs a row a family, and a test of parity with TransformerLens; reading modules by name keeps Hugging
Face's own (tested, quantised, sharded) forward pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Family:
    """Where things are in the causal models of one Hugging Face `model_type`.

    Args:
        blocks: path from the model to its list of blocks.
        final_norm: path from the model to the norm before the unembedding.
        attn: name of a block's attention module; some blocks of hybrid models have none.
        attn_out: path in a block to the module whose output attention adds to the residual stream.
        mlp_out: the same for the MLP.
        heads_out: path in the attention module to the projection that takes all heads' results side by side.
        ln1, ln2: paths in a block to the norms before attention and before the MLP.
        mlp: path in a block to the MLP.
        gain_offset: what the norms add to their weight before they multiply.
        layer_norm: whether its norms subtract the mean over d_model, as LayerNorm does and RMSNorm does not.
    """

    blocks: str = "model.layers"
    final_norm: str = "model.norm"
    attn: str = "self_attn"
    attn_out: str = ""  # nothing: `attn` itself
    mlp_out: str = ""  # nothing: `mlp` itself
    heads_out: str = "o_proj"
    ln1: str = "input_layernorm"
    ln2: str = "post_attention_layernorm"
    mlp: str = "mlp"
    gain_offset: float = 0.0
    layer_norm: bool = False


_LLAMA = Family()
# Gemma 2 and 3 norm what attention and the MLP give before they add it; TransformerLens reads after that.
_GEMMA = Family(
    attn_out="post_attention_layernorm",
    mlp_out="post_feedforward_layernorm",
    ln2="pre_feedforward_layernorm",
    gain_offset=1.0,
)
_GPT2 = Family(
    "transformer.h", "transformer.ln_f", attn="attn", heads_out="c_proj", ln1="ln_1", ln2="ln_2", layer_norm=True
)
_NEOX = Family("gpt_neox.layers", "gpt_neox.final_layer_norm", attn="attention", heads_out="dense", layer_norm=True)
_QWEN_3_5 = Family(gain_offset=1.0)  # three blocks of four have linear attention, whose heads have no `attn.hook_z`

FAMILIES: dict[str, Family] = {
    "gemma": Family(gain_offset=1.0),
    "gemma2": _GEMMA,
    "gemma3": replace(_GEMMA, blocks="model.language_model.layers", final_norm="model.language_model.norm"),
    "gemma3_text": _GEMMA,
    "gpt2": _GPT2,
    "gpt_neox": _NEOX,
    "gpt_oss": _LLAMA,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "qwen3_5_moe_text": _QWEN_3_5,
    "qwen3_5_text": _QWEN_3_5,
    "qwen3_moe": _LLAMA,
}

# the first that fits the name without its organisation; more special names stand before those they begin with
_BY_NAME = (
    (r"gemma-2-", "gemma2"),
    (r"gemma-3-1b|gemma-3-270m", "gemma3_text"),
    (r"gemma-3-", "gemma3"),
    (r"gemma-\d+b", "gemma"),
    (r"gpt-oss", "gpt_oss"),
    (r"gpt2", "gpt2"),
    (r"pythia", "gpt_neox"),
    (r"deepseek-r1-distill-llama|(meta-)?llama-[23]", "llama"),
    (r"deepseek-r1-distill-qwen|qwen2", "qwen2"),
    (r"qwen3\.5.*-a\d+b", "qwen3_5_moe_text"),
    (r"qwen3\.5", "qwen3_5_text"),
    (r"qwen3-.*-a\d+b", "qwen3_moe"),
    (r"qwen3", "qwen3"),
    (r"mistral-7b", "mistral"),
)


def family_named(model: str) -> str | None:
    """The family of a model by its name, `google/gemma-2-2b` -> `gemma2`; None where the name says nothing."""
    short = model.rsplit("/", 1)[-1].lower()
    return next((family for pattern, family in _BY_NAME if re.match(pattern, short)), None)
