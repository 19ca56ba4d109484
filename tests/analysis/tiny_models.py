"""Tiny random models of every supported family, and their tokenizer; other tests reuse them.

Every parameter is random (gains, biases and Gemma's 1 + weight gains too): freshly initialised ones are
0 or 1 and would hide a norm or a bias that is left out. The heads are grouped and the windows shorter
than a context wherever the family has such things.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast
from transformers.models.gemma import GemmaConfig
from transformers.models.gemma2 import Gemma2Config
from transformers.models.gemma3 import Gemma3Config, Gemma3TextConfig
from transformers.models.gpt2 import GPT2Config
from transformers.models.gpt_neox import GPTNeoXConfig
from transformers.models.gpt_oss import GptOssConfig
from transformers.models.llama import LlamaConfig
from transformers.models.mistral import MistralConfig
from transformers.models.qwen2 import Qwen2Config
from transformers.models.qwen3 import Qwen3Config
from transformers.models.qwen3_5 import Qwen3_5TextConfig
from transformers.models.qwen3_5_moe import Qwen3_5MoeTextConfig
from transformers.models.qwen3_moe import Qwen3MoeConfig

_AUTO_MODEL: Any = AutoModelForCausalLM  # untyped in transformers
_FAST_TOKENIZER: Any = PreTrainedTokenizerFast

D_MODEL, N_LAYERS, N_HEADS, D_HEAD, D_MLP, CTX, WINDOW = 32, 3, 4, 8, 48, 64, 5
PAD, BOS, EOS = 0, 1, 2
VOCAB = 320
ATTENTION_CAP, LOGIT_CAP = 2.0, 3.0  # Gemma 2's, low enough to bite; Gemma 3 has none

_CORPUS = [
    "The cat sat on the mat, and the dog lay by the door.",
    "In the beginning there was nothing but the sea and the sky.",
    "She said that the number of the house was 42, not 24.",
    "def add(left, right):\n    return left + right\n",
]
_COMMON: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": D_MODEL,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": N_HEADS,
    "intermediate_size": D_MLP,
    "max_position_embeddings": CTX,
    "pad_token_id": PAD,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
    "tie_word_embeddings": False,
}
_GROUPED: dict[str, Any] = _COMMON | {"num_key_value_heads": 2}
_GEMMA: dict[str, Any] = _GROUPED | {
    "head_dim": D_HEAD,
    "query_pre_attn_scalar": D_HEAD,
    "sliding_window": WINDOW,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "tie_word_embeddings": True,
}
_GPT2: dict[str, Any] = {
    "vocab_size": VOCAB,
    "n_embd": D_MODEL,
    "n_layer": N_LAYERS,
    "n_head": N_HEADS,
    "n_positions": CTX,
    "n_ctx": CTX,
    "pad_token_id": PAD,
    "bos_token_id": BOS,
    "eos_token_id": EOS,
}
_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
    "model_type": "siglip_vision_model",
}


def _gemma3() -> Any:
    tokens: dict[str, Any] = {
        "image_token_index": VOCAB - 1,
        "boi_token_index": VOCAB - 2,
        "eoi_token_index": VOCAB - 3,
    }
    text = Gemma3TextConfig(**_GEMMA).to_dict()
    return Gemma3Config(text_config=text, vision_config=_VISION, mm_tokens_per_image=4, **tokens)


_EXPERTS: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": D_MLP}
_QWEN_3_5: dict[str, Any] = _GROUPED | {
    "head_dim": D_HEAD,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"],
    "linear_key_head_dim": D_HEAD,
    "linear_value_head_dim": D_HEAD,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": N_HEADS,
}

_CONFIGS: dict[str, Callable[[], Any]] = {
    "gemma": lambda: GemmaConfig(**_GROUPED | {"tie_word_embeddings": True}, head_dim=D_HEAD),
    "gemma2": lambda: Gemma2Config(**_GEMMA, attn_logit_softcapping=ATTENTION_CAP, final_logit_softcapping=LOGIT_CAP),
    "gemma3": _gemma3,
    "gemma3_text": lambda: Gemma3TextConfig(**_GEMMA),
    "gpt2": lambda: GPT2Config(**_GPT2),
    "gpt_neox": lambda: GPTNeoXConfig(**_COMMON, use_parallel_residual=True),
    "gpt_neox_sequential": lambda: GPTNeoXConfig(**_COMMON, use_parallel_residual=False),
    "gpt_oss": lambda: GptOssConfig(
        **_GROUPED, head_dim=D_HEAD, sliding_window=WINDOW, num_local_experts=4, num_experts_per_tok=2
    ),
    "llama": lambda: LlamaConfig(**_GROUPED),
    "mistral": lambda: MistralConfig(**_GROUPED, sliding_window=WINDOW),
    "qwen2": lambda: Qwen2Config(**_GROUPED),
    "qwen3": lambda: Qwen3Config(**_GROUPED, head_dim=D_HEAD),
    "qwen3_5_moe_text": lambda: Qwen3_5MoeTextConfig(**_QWEN_3_5, **_EXPERTS, shared_expert_intermediate_size=D_MLP),
    "qwen3_5_text": lambda: Qwen3_5TextConfig(**_QWEN_3_5),
    "qwen3_moe": lambda: Qwen3MoeConfig(**_GROUPED, **_EXPERTS, head_dim=D_HEAD),
}
FAMILIES = tuple(_CONFIGS)
PLACES = (
    "hook_resid_pre", "ln1.hook_normalized", "attn.hook_z", "hook_attn_out", "hook_resid_mid", "hook_mlp_in",
    "ln2.hook_normalized", "mlp.hook_in", "hook_mlp_out", "hook_resid_post",
)  # fmt: skip


def tiny(family: str, seed: int = 0) -> PreTrainedModel:
    """A tiny random causal model in eval mode, float32.

    Args:
        family: one of `FAMILIES`: a `model_type`, or gpt_neox_sequential
            (gpt_neox is parallel, as Pythia).
        seed: of the weights; the global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # some biases (SigLIP's) begin random, and noise is added to them
        model: PreTrainedModel = _AUTO_MODEL.from_config(_CONFIGS[family](), dtype=torch.float32)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=random)
            if parameter.dim() == 1:
                parameter.add_(0.3 * noise)
            else:
                parameter.copy_(D_MODEL**-0.5 * noise)
    model.train(False)
    return model


def hooks_of(family: str) -> list[str]:
    """Every hook point of a family's tiny model: parallel blocks have no middle, linear attention is not read."""
    hooks = ["hook_embed", *(f"blocks.{layer}.{place}" for layer in range(N_LAYERS) for place in PLACES)]
    missing = {"hook_resid_mid"} if family == "gpt_neox" else set()
    places = ("attn.hook_z", "hook_attn_out") if family.startswith("qwen3_5") else ()
    linear = {f"blocks.{layer}.{place}" for layer in (0, 2) for place in places}
    return [hook for hook in hooks if hook.rsplit(".", 1)[-1] not in missing and hook not in linear]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE, `VOCAB` tokens: <pad> <bos> <eos> are 0 1 2, then 256 bytes and some merges.

    Any text survives encoding and decoding; it adds no special token of its own.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    fast: PreTrainedTokenizerFast = _FAST_TOKENIZER(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )
    return fast


def save_tiny(family: str, folder: Path, seed: int = 0) -> Path:
    """Write the model (safetensors) and the tokenizer as `from_pretrained` reads them; gives the folder."""
    tiny(family, seed).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder
