"""What the tests' hub serves: tiny models as they are published, old ones too, and releases of SAEs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tests.analysis.conftest import _corpus, _sae
from tests.analysis.tiny_models import CTX, D_MODEL, N_HEADS, N_LAYERS, VOCAB, save_tiny, tiny, tiny_tokenizer

MODEL, OLD_LLAMA, OLD_GPT2, CODE, NEW_CODE, WIDE = (
    f"someone/{name}" for name in ("tiny-llama", "old-llama", "old-gpt2", "llama-with-code", "own-model", "wide-gemma")
)
SAES, SCOPE, SCOPE_2 = "someone/tiny-saes", "google/gemma-scope-2b-pt-res", "someone/tiny-scope-2"
SCOPE_SAE = "embedding/width_4k/average_l0_6"
D_SCOPE, N_SCOPE = 2304, 4096  # what sae-lens takes for granted of Gemma Scope


def repositories(base: Path, canary: Path) -> dict[str, Path]:
    """`owner/name` -> its folder; code that comes with a model would make `canary`."""
    model = save_tiny("llama", base / "tiny-llama")
    (model / "README.md").write_text("# Tiny\n")
    (model / "pytorch_model.bin").write_bytes(b"\x80\x02 a pickle")
    for name in ("original", "onnx"):  # weights that nobody asked for
        (model / name).mkdir()
        (model / name / "params.json").write_text("{}")
    return {
        MODEL: model,
        OLD_LLAMA: old_llama(base / "old-llama"),
        OLD_GPT2: old_gpt2(base / "old-gpt2"),
        CODE: with_code(base / "llama-with-code", canary, "llama"),
        NEW_CODE: with_code(base / "own-model", canary, "someones_own"),
        SAES: release(base / "tiny-saes"),
        SCOPE_2: gemma_scope_2(base / "tiny-scope-2"),
    }


def release(folder: Path) -> Path:
    """Two SAEs in subfolders, in sae-lens' format, of numbers that bfloat16 has, too."""
    for layer in (0, 2):
        save_in(_sae(folder / f"layer{layer}", layer), torch.float32)
    return folder


def save_in(sae: Path, dtype: torch.dtype) -> Path:
    """An SAE's file again, its numbers rounded to bfloat16 and stored in this type."""
    path = sae / "sae_weights.safetensors"
    save_file({name: value.bfloat16().to(dtype) for name, value in load_file(path).items()}, path)
    config = json.loads((sae / "cfg.json").read_text())
    (sae / "cfg.json").write_text(json.dumps(config | {"dtype": str(dtype).removeprefix("torch.")}))
    return sae


def gemma_scope_2(folder: Path) -> Path:
    """One in the layout of Gemma Scope 2, beside files of other kinds."""
    place = folder / "resid_post" / "layer_1"
    place.mkdir(parents=True)
    (place / "ae.pt").write_bytes(b"\x80\x02 a pickle")
    about = {"hf_hook_point_in": "model.layers.1.output", "model_name": "tiny"}
    (place / "config.json").write_text(json.dumps(about))
    rows = torch.nn.functional.normalize(torch.randn(24, D_MODEL, generator=torch.Generator().manual_seed(3)), dim=1)
    tensors = {"w_enc": rows.T.contiguous(), "w_dec": rows, "b_enc": torch.zeros(24), "b_dec": torch.zeros(D_MODEL)}
    save_file(tensors | {"threshold": torch.full((24,), 0.1)}, place / "params.safetensors")
    return folder


def texts(path: Path) -> Path:
    """A small corpus."""
    return _corpus(path)


def old_llama(folder: Path) -> Path:
    """A configuration as of 2023: no head_dim, no number of key heads, `torch_dtype`, `rope_scaling` with `type`."""
    save_tiny("llama", folder)
    config: dict[str, Any] = {
        "_name_or_path": "someone/llama",
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": D_MODEL,
        "initializer_range": 0.02,
        "intermediate_size": 48,
        "max_position_embeddings": CTX,
        "max_sequence_length": CTX,
        "model_type": "llama",
        "num_attention_heads": N_HEADS,
        "num_hidden_layers": N_LAYERS,
        "pad_token_id": -1,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-06,
        "rope_scaling": {"type": "linear", "factor": 2.0},
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.28.0.dev0",
        "use_cache": True,
        "vocab_size": VOCAB,
    }
    (folder / "config.json").write_text(json.dumps(config))
    weights = load_file(folder / "model.safetensors")
    for name in [name for name in weights if "k_proj" in name or "v_proj" in name]:
        weights[name] = torch.cat([weights[name], weights[name]])  # as many key heads as heads
    half = {name: value.half() for name, value in weights.items()}
    inv_freq = 10000.0 ** -(torch.arange(0, 8, 2).float() / 8)  # a buffer that was saved in those days
    half |= {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": inv_freq.clone() for layer in range(N_LAYERS)}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def old_gpt2(folder: Path) -> Path:
    """GPT-2 as it was first published: names without a prefix, masks among the weights, no tokenizer.json."""
    folder.mkdir()
    config: dict[str, Any] = {
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.1,
        "bos_token_id": VOCAB,
        "embd_pdrop": 0.1,
        "eos_token_id": VOCAB,
        "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2",
        "n_ctx": CTX,
        "n_embd": D_MODEL,
        "n_head": N_HEADS,
        "n_layer": N_LAYERS,
        "n_positions": CTX,
        "resid_pdrop": 0.1,
        "summary_activation": None,
        "summary_first_dropout": 0.1,
        "summary_proj_to_labels": True,
        "summary_type": "cls_index",
        "summary_use_proj": True,
        "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
        "vocab_size": VOCAB + 1,
    }
    (folder / "config.json").write_text(json.dumps(config))
    weights = {name.removeprefix("transformer."): value for name, value in tiny("gpt2").state_dict().items()}
    del weights["lm_head.weight"]  # tied
    weights["wte.weight"] = torch.cat([weights["wte.weight"], torch.zeros(1, D_MODEL)])
    for layer in range(N_LAYERS):
        weights[f"h.{layer}.attn.bias"] = torch.ones(CTX, CTX).tril()[None, None]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    saved = json.loads(tiny_tokenizer().backend_tokenizer.to_str())["model"]
    (folder / "vocab.json").write_text(json.dumps(saved["vocab"] | {"<|endoftext|>": VOCAB}))
    merges = [" ".join(pair) for pair in saved["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    return folder


def with_code(folder: Path, canary: Path, kind: str) -> Path:
    """A model whose configuration and tokenizer name code of their own, which would make a file."""
    save_tiny("llama", folder)
    (folder / "evil.py").write_text(f"open({str(canary)!r}, 'w').close()\n")
    auto = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": auto, "model_type": kind}))
    path = folder / "tokenizer_config.json"
    tokens = json.loads(path.read_text()) | {"auto_map": {"AutoTokenizer": [None, "evil.Tokenizer"]}}
    path.write_text(json.dumps(tokens))
    return folder


def gemma_scope(base: Path) -> dict[str, Path]:
    """The smallest SAE of Gemma Scope in its own layout, on the embeddings, and a model just wide enough."""
    folder = base / "gemma-scope" / SCOPE_SAE
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows = np.zeros((N_SCOPE, D_SCOPE), np.float32)
    rows[:64] = generator.standard_normal((64, D_SCOPE)) / D_SCOPE**0.5
    threshold = np.where(np.arange(N_SCOPE) < 64, 0.01, 1e6).astype(np.float32)
    b_enc, b_dec = np.zeros(N_SCOPE, np.float32), np.zeros(D_SCOPE, np.float32)
    np.savez_compressed(folder / "params.npz", W_enc=rows.T, W_dec=rows, threshold=threshold, b_enc=b_enc, b_dec=b_dec)
    config: Any = tiny("gemma2").config
    config.hidden_size = D_SCOPE
    auto: Any = AutoModelForCausalLM
    auto.from_config(config, dtype=torch.float32).save_pretrained(base / "wide-gemma")
    tiny_tokenizer().save_pretrained(base / "wide-gemma")
    return {SCOPE: base / "gemma-scope", WIDE: base / "wide-gemma"}
