"""sae-lens' registry of published SAEs: what each entry is, decided without a connection.

Some entries are told whole by sae-lens' own functions, which read names alone. Of the rest the configuration lies on
the hub; which place and kind it is, is decided here by how sae-lens would convert it and where it lies. Cost: a new
way of conversion needs a line here, and until then its entries are refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from analysis.errors import UserError
from analysis.reading.described import CROSS_LAYER, TEMPORAL, Described, describe
from analysis.reading.families import family_named

_OFFLINE = ("gemma_2", "gemma_2_transcoder", "deepseek_r1", "qwen_scope", "goodfire")
_GEMMA_3 = {
    "resid_post": ("jumprelu", "hook_resid_post", None),
    "attn_out": ("jumprelu", "attn.hook_z", None),
    "mlp_out": ("jumprelu", "hook_mlp_out", None),
    # the module that its configuration names is what the norm before the MLP gives
    "transcoder": ("jumprelu_transcoder", "mlp.hook_in", "hook_mlp_out"),
}
_LLAMA_SCOPE = {"R": "hook_resid_post", "A": "hook_attn_out", "M": "hook_mlp_out"}
TENSOR_ARCHIVES = ("connor_rob_hook_z", "deepseek_r1", "dictionary_learning_1", "goodfire", "qwen_scope")
"""Conversions that read torch's own archives; see `tensors_only`."""


def entries() -> Iterator[tuple[str, str]]:
    """(release, id) of every entry."""
    for release, found in _directory().items():
        yield from ((release, sae_id) for sae_id in found.saes_map)


def conversion(release: str) -> str:
    """How sae-lens would convert the files of a release."""
    return _directory()[release].conversion_func or "sae_lens"


def described_entry(release: str, sae_id: str) -> Described | None:
    """What an entry is, from names alone; None where the registry has no such release, and the hub is to be asked.

    Raises:
        UserError: a release without this id; some that it has are named.
    """
    found = _directory().get(release)
    if found is None:
        return None
    source = f"{release}:{sae_id}"
    if sae_id not in found.saes_map:
        some = ", ".join(list(found.saes_map)[:5])
        raise UserError(f"--sae {source}: expected an id of this release, such as {some}; found no '{sae_id}'")
    config = _config(release, sae_id)
    return describe(source, f"registry ({conversion(release)})", config, found.expected_l0[sae_id] or None)


def unreadable(found: Described) -> str | None:
    """Why no model of its family could be read for it, by the model's name; None where it could."""
    family = family_named(found.model or "")
    return None if family else f"expected a model of a supported family; found '{found.model}'"


def hub_config(release: str, sae_id: str) -> dict[str, Any]:
    """The configuration alone, from the hub, in sae-lens' present form; no weights are fetched."""
    from sae_lens.loading.pretrained_sae_loaders import load_sae_config_from_huggingface

    config: dict[str, Any] = load_sae_config_from_huggingface(release, sae_id)
    return config


@contextmanager
def tensors_only() -> Iterator[None]:
    """Within it torch reads its archives by an allow-list of what tensors are made of, whatever the environment says.

    Anything else in such a file, and so any code, is an error. sae-lens leaves this to torch's default.
    """
    names = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ[names[0]] = "1"
    try:
        yield
    finally:
        del os.environ[names[0]]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _directory() -> dict[str, Any]:
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    return dict(get_pretrained_saes_directory())


def _config(release: str, sae_id: str) -> dict[str, Any]:
    from sae_lens.loading import pretrained_sae_loaders as loaders

    found, how = _directory()[release], conversion(release)
    path, overrides = found.saes_map[sae_id], dict(found.config_overrides or {})
    if how in _OFFLINE:
        getter = loaders.NAMED_PRETRAINED_SAE_CONFIG_GETTERS[how]
        config: dict[str, Any] = loaders.handle_config_defaulting(
            dict(getter(found.repo_id, path, "cpu", False, overrides))
        )
        return config
    derive = _DERIVED.get(how, _unknown)
    config = {"model_name": found.model, **derive(sae_id, path), **overrides}
    if config.get("normalize_activations") == "expected_average_only_in" and sae_id in found.norm_scaling_factor:
        config["normalize_activations"] = "none"  # sae-lens folds the registry's factor in
    return config


def _layer(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match.group(1) if match else None


def _gemma_3(_sae_id: str, path: str) -> dict[str, Any]:
    if "clt" in path:
        return {"architecture": CROSS_LAYER}
    layer = _layer(r"layer_(\d+)", path)
    kind = next((kind for kind in _GEMMA_3 if kind in path), None)
    if layer is None or kind is None:
        return {}
    architecture, read, out = _GEMMA_3[kind]
    if out and path.endswith("affine"):
        architecture = "jumprelu_skip_transcoder"
    made: dict[str, Any] = {"architecture": architecture, "hook_name": f"blocks.{layer}.{read}"}
    return made | ({"hook_name_out": f"blocks.{layer}.{out}"} if out else {}) | _width(path)


def _width(path: str) -> dict[str, Any]:
    """`width_16k` is 16,384 latents, `width_131k` 131,072: the power of two nearest."""
    match = re.search(r"width_(\d+)([km])", path)
    if not match:
        return {}
    wanted = int(match.group(1)) * {"k": 1000, "m": 1_000_000}[match.group(2)]
    return {"d_sae": min((1 << n for n in range(10, 25)), key=lambda power: abs(power - wanted))}


def _mwhanna(_sae_id: str, path: str) -> dict[str, Any]:
    layer = _layer(r"layer_(\d+)\.safetensors", path)
    if layer is None:
        return {}
    return {
        "architecture": "transcoder",
        "hook_name": f"blocks.{layer}.mlp.hook_in",
        "hook_name_out": f"blocks.{layer}.hook_mlp_out",
    }


def _llama_scope(_sae_id: str, path: str) -> dict[str, Any]:
    match = re.search(r"[-/]L(\d+)([RAM])(?:-\d+x)?$", path)
    if not match:
        return {}
    return {
        "architecture": "jumprelu",
        "hook_name": f"blocks.{match.group(1)}.{_LLAMA_SCOPE[match.group(2)]}",
        "normalize_activations": "expected_average_only_in",
    }


def _dictionary_learning(_sae_id: str, path: str) -> dict[str, Any]:
    layer = _layer(r"resid_post_layer_(\d+)", path)
    return {} if layer is None else {"hook_name": f"blocks.{layer}.hook_resid_post"}


def _connor_rob(_sae_id: str, path: str) -> dict[str, Any]:
    layer = _layer(r"_L(\d+)_Hcat_z_", path)
    return {} if layer is None else {"architecture": "standard", "hook_name": f"blocks.{layer}.attn.hook_z"}


def _sae_lens(sae_id: str, _path: str) -> dict[str, Any]:
    hook = _layer(r"(blocks\.\d+\.[a-z0-9_.]*?hook_(?:resid_pre|resid_mid|resid_post|mlp_out|attn_out|z))", sae_id)
    return {} if hook is None else {"hook_name": hook}


def _unknown(_sae_id: str, _path: str) -> dict[str, Any]:
    return {}


_DERIVED: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "connor_rob_hook_z": _connor_rob,
    "dictionary_learning_1": _dictionary_learning,
    "gemma_3": _gemma_3,
    "llama_scope": _llama_scope,
    "llama_scope_r1_distill": _llama_scope,
    "mntss_clt_layer_transcoder": lambda _sae_id, _path: {"architecture": CROSS_LAYER},
    "mwhanna_transcoder": _mwhanna,
    "sae_lens": _sae_lens,
    "temporal": lambda _sae_id, _path: {"architecture": TEMPORAL},
}
