"""Folders that hold an SAE, in the ways people publish them: found, told apart and described before they are loaded.

sae-lens' own format (also a training checkpoint), EleutherAI's sparsify, Gemma Scope's `params.npz` and Gemma Scope
2's `params.safetensors`. Each gives a configuration in sae-lens' present form, and what sae-lens is to load it with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from analysis.errors import BadFile, UserError
from analysis.reading.described import AFTER_TRAINING, CROSSCODER
from analysis.reading.hook_names import of_module
from analysis.reading.sae_files import CONFIG, PICKLES, check_safetensors, check_tensors, read_json

SAE_LENS, SPARSIFY, GEMMA, GEMMA_2 = "sae_weights.safetensors", "sae.safetensors", "params.npz", "params.safetensors"
NAMES = {SAE_LENS: "sae-lens", SPARSIFY: "sparsify", GEMMA: "Gemma Scope", GEMMA_2: "Gemma Scope 2"}
SCALER = "activation_scaler.json"
_DEEPEST = 4  # folders below the one that is named

State = dict[str, Tensor]
Converter = Callable[..., tuple[dict[str, Any], State]]


@dataclass(frozen=True)
class Layout:
    """One SAE in a folder.

    Args:
        folder: where it lies.
        name: whose layout it is.
        weights: the file of its weights.
        config: in sae-lens' present form.
        converter: what sae-lens loads it with.
        scale: what the trainer multiplied activations by, stored beside a checkpoint; not folded in yet.
    """

    folder: Path
    name: str
    weights: Path
    config: dict[str, Any]
    converter: Converter
    scale: float | None = None


def saes_in(path: Path) -> list[Path]:
    """The folder itself, or those below it that hold an SAE, by name; links are not followed.

    Raises:
        BadFile: no SAE here nor below.
    """
    if path.is_file() or _weights_of(path):
        return [path]
    found, level = list[Path](), [path]
    for _depth in range(_DEEPEST):
        level = [
            child for each in level for child in sorted(each.iterdir()) if child.is_dir() and not child.is_symlink()
        ]
        found += [folder for folder in level if _weights_of(folder)]
    if not found:
        raise BadFile(path, f"{CONFIG} and {SAE_LENS}, or one of {', '.join(list(NAMES)[1:])}", _what_is_there(path))
    return sorted(found, key=_natural)


def layout_of(path: Path) -> Layout:
    """What a folder holds.

    Raises:
        BadFile: a file, pickles, no SAE, or a configuration that is none.
        UserError: several SAEs, or one whose place cannot be told.
    """
    if path.is_file():
        raise BadFile(path, f"a folder with {CONFIG} and {SAE_LENS}", _kind_of(path))
    folders = saes_in(path)
    if len(folders) > 1:
        some = ", ".join(str(folder.relative_to(path)) for folder in folders[:6])
        raise UserError(f"{path}: expected one SAE; found {len(folders)}: {some}; give each its own --sae")
    folder = folders[0]
    weights = folder / _weights_of(folder)
    make = {SAE_LENS: _sae_lens, SPARSIFY: _sparsify, GEMMA: _gemma, GEMMA_2: _gemma_2}[weights.name]
    return make(folder, weights)


def _weights_of(folder: Path) -> str:
    return next((name for name in NAMES if (folder / name).is_file()), "")


def _natural(path: Path) -> list[Any]:
    """`layers.9` before `layers.10`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def _what_is_there(path: Path) -> str:
    names = sorted(child.name for child in path.iterdir())
    pickles = [name for name in names if name.endswith(PICKLES)]
    if pickles:
        return f"{pickles[0]} (pickled files are refused: they can run code)"
    return ", ".join(names[:8]) or "nothing"


def _kind_of(path: Path) -> str:
    if path.name.endswith(PICKLES):
        return f"'{path.suffix}', a pickle (refused: it can run code)"
    return f"the file '{path.name}'"


def _config_of(folder: Path, *numbers: str) -> dict[str, Any]:
    """`cfg.json`, an object with these whole numbers."""
    path = folder / CONFIG
    if not path.exists():
        raise BadFile(path, CONFIG, "no such file")
    config = read_json(path)
    if not isinstance(config, dict) or not all(isinstance(config.get(name), int) for name in numbers):
        raise BadFile(path, f"an object with whole numbers {' and '.join(numbers)}", str(config)[:80])
    return config


def _sae_lens(folder: Path, weights: Path) -> Layout:
    from sae_lens.loading.pretrained_sae_loaders import handle_config_defaulting, sae_lens_disk_loader

    raw = _config_of(folder, "d_in", "d_sae")
    check_safetensors(weights)
    if any("crosscoder" in str(raw.get(name)).lower() for name in ("architecture", "model_type")):
        return Layout(folder, NAMES[SAE_LENS], weights, raw | {"architecture": CROSSCODER}, sae_lens_disk_loader)
    _check_k(folder / CONFIG, raw)
    check_tensors(weights, raw)
    training = raw.get("architecture") in AFTER_TRAINING
    try:
        config = raw if training else handle_config_defaulting(dict(raw))
    except Exception as error:  # sae-lens raises many kinds
        raise BadFile(folder, "an SAE that sae-lens can load", f"{type(error).__name__}: {error}") from error
    config, scale = _with_scale(folder, config)
    name = "checkpoint of sae-lens' training" if training or scale is not None else NAMES[SAE_LENS]
    return Layout(folder, name, weights, config, _trained if training else sae_lens_disk_loader, scale)


def _check_k(path: Path, raw: dict[str, Any]) -> None:
    """A TopK SAE says its k: without one sae-lens takes 100, or reads it as a ReLU's."""
    named = {str(raw.get(name)).lower() for name in ("architecture", "activation_fn", "activation_fn_str")}
    k = raw.get("k", (raw.get("activation_fn_kwargs") or {}).get("k"))
    if named & {"topk", "abstopk"} and not (isinstance(k, int | float) and k > 0):
        raise BadFile(path, "k, how many latents fire on a token, of a TopK SAE", "none" if k is None else str(k))


def _with_scale(folder: Path, config: dict[str, Any]) -> tuple[dict[str, Any], float | None]:
    """A checkpoint of sae-lens' training has the scale beside it; sae-lens folds it in when the training ends."""
    path = folder / SCALER
    if config.get("normalize_activations") != "expected_average_only_in" or not path.exists():
        return config, None
    stored = read_json(path)
    scale = stored.get("scaling_factor") if isinstance(stored, dict) else None
    if not isinstance(scale, int | float) or not scale > 0:
        raise BadFile(path, "a scaling_factor above 0", str(stored)[:80])
    return config | {"normalize_activations": "none"}, float(scale)


def _trained(path: Path, device: str = "cpu", cfg_overrides: Any = None) -> tuple[dict[str, Any], State]:
    """What sae-lens saves for inference when a training ends, of a checkpoint within it."""
    from sae_lens import TrainingSAE

    training: Any = TrainingSAE.load_from_disk(path, device=device, dtype=(cfg_overrides or {}).get("dtype"))
    threshold = float(training.topk_threshold)
    if not threshold > 0:
        raise BadFile(path, "a threshold above 0, which training finds", f"{threshold:g}: it was not trained")
    state = training.state_dict()
    training.process_state_dict_for_saving_inference(state)
    config: dict[str, Any] = training.cfg.get_inference_sae_cfg_dict()
    return config | {"device": device}, state


def _sparsify(folder: Path, weights: Path) -> Layout:
    from sae_lens.loading import pretrained_sae_loaders as loaders

    raw = _config_of(folder, "d_in", "k")
    if raw.get("transcode"):
        raise BadFile(folder, "an SAE", "a transcoder of sparsify, whose TopK sae-lens has no class for")
    if raw.get("signed"):
        raise BadFile(folder, "an unsigned SAE", "one that is signed, which sae-lens would read as unsigned")
    check_safetensors(weights)
    ours = {
        "hook_name": _sparsify_hook(folder),
        "model_name": _sparsify_model(folder),
        # sparsify takes it off before it encodes, always; sae-lens only where the decoder is not normalised
        "apply_b_dec_to_input": True,
    }
    config = loaders.handle_config_defaulting(loaders.get_sparsify_config_from_disk(folder, "cpu", ours))

    def converter(path: Path, device: str = "cpu", cfg_overrides: Any = None) -> tuple[dict[str, Any], State]:
        made, state = loaders.sparsify_disk_loader(path, device, {**ours, **(cfg_overrides or {})})
        if tuple(state["W_dec"].shape) == (raw["d_in"], config["d_sae"]):  # sae-lens turns what lies the right way
            state["W_dec"] = state["W_dec"].T
        return made, state

    return Layout(folder, NAMES[SPARSIFY], weights, config, converter)


def _sparsify_model(folder: Path) -> str:
    """As the training's configuration beside the folders has it; sae-lens would take the name of the folder they lie in
    for the model's."""
    beside = folder.parent / "config.json"
    found = read_json(beside) if beside.is_file() else None
    named = found.get("model") if isinstance(found, dict) else None
    return named if isinstance(named, str) else ""


def _sparsify_hook(folder: Path) -> str:
    """sparsify names a folder by the module whose output it read; sae-lens knows the blocks alone."""
    if folder.name == "embed_tokens":
        return "hook_embed"
    match = re.fullmatch(r"(?:.*[._])?layers[._](\d+)(?:\.(mlp|self_attn|attn|attention))?", folder.name)
    if not match:
        raise UserError(
            f"{folder}: expected a folder named by the module that was read, as sparsify names it (layers.7,"
            f" layers.7.mlp, embed_tokens); found '{folder.name}', so it is unknown where to read"
        )
    kind = "resid_post" if not match.group(2) else "mlp_out" if match.group(2) == "mlp" else "attn_out"
    return f"blocks.{match.group(1)}.hook_{kind}"


def _gemma(folder: Path, weights: Path) -> Layout:
    from sae_lens.loading import pretrained_sae_loaders as loaders

    repository, inside = _gemma_place(folder)
    how = "gemma_2_transcoder" if "transcoder" in repository else "gemma_2"
    getter: Any = loaders.NAMED_PRETRAINED_SAE_CONFIG_GETTERS[how]
    try:
        raw = getter(repository, inside, "cpu", False, None)
    except ValueError as error:
        raise UserError(f"{folder}: expected the folders of Gemma Scope; {error}") from error
    config = loaders.handle_config_defaulting(dict(raw))
    shapes = _npz(weights, only_shapes=True)
    expected = [config["d_in"], config["d_sae"]]
    if shapes.get("w_enc") != expected:
        raise BadFile(weights, f"W_enc of shape {expected}, as the folders' names say", f"{shapes.get('w_enc')}")

    def converter(_path: Path, device: str = "cpu", cfg_overrides: Any = None) -> tuple[dict[str, Any], State]:
        state = {_renamed(name): tensor.to(device) for name, tensor in _npz(weights).items()}
        if config["metadata"]["hook_name"] == "hook_embed":  # trained on embeddings before Gemma scales them
            root = config["d_in"] ** 0.5
            state["W_enc"], state["W_dec"] = state["W_enc"] / root, state["W_dec"] * root
        return {**raw, "device": device, **(cfg_overrides or {})}, state

    return Layout(folder, NAMES[GEMMA], weights, config, converter)


def _gemma_place(folder: Path) -> tuple[str, str]:
    """(repository, path within it): the names of the folders are all that tells what such an SAE reads."""
    parts = folder.resolve().parts
    at = next((n for n in range(len(parts) - 1, -1, -1) if "gemma-scope" in parts[n]), None)
    inside = "/".join(parts[at + 1 :]) if at is not None else ""
    if at is None or not re.search(r"layer_\d+|embedding", inside):
        raise UserError(
            f"{folder}: expected folders named as in Gemma Scope's repositories, which alone tell what {GEMMA} reads"
            f" (gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82); found '{'/'.join(parts[-4:])}'"
        )
    return parts[at].rsplit("--", 1)[-1], inside


def _renamed(name: str) -> str:
    return "W_" + name[2:] if name.lower().startswith("w_") else name


def _npz(path: Path, only_shapes: bool = False) -> dict[str, Any]:
    """Arrays of numbers alone; numpy refuses the pickles that such a file can hold."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as data:
            if only_shapes:
                return {name.lower(): list(data[name].shape) for name in data}
            return {name: torch.tensor(data[name], dtype=torch.float32) for name in data}
    except Exception as error:  # numpy and zipfile raise many kinds
        raise BadFile(path, "arrays of numbers in numpy's format", f"{type(error).__name__}: {error}") from error


def _gemma_2(folder: Path, weights: Path) -> Layout:
    from sae_lens.loading.pretrained_sae_loaders import handle_config_defaulting, load_safetensors_weights
    from safetensors import safe_open

    path = folder / "config.json"
    if not path.exists():
        raise BadFile(path, "Gemma Scope 2's config.json, which names the module that was read", "no such file")
    raw = read_json(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("hf_hook_point_in"), str):
        raise BadFile(path, "an object with hf_hook_point_in", str(raw)[:80])
    check_safetensors(weights)
    with safe_open(weights, framework="pt") as tensors:
        shapes = {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
    if not {"w_enc", "w_dec", "b_enc", "b_dec", "threshold"} <= set(shapes):
        raise BadFile(weights, "tensors w_enc, w_dec, b_enc, b_dec and threshold", ", ".join(sorted(shapes)) or "none")
    made = _gemma_2_config(path, raw, shapes)
    config = handle_config_defaulting(dict(made))

    def converter(_path: Path, device: str = "cpu", cfg_overrides: Any = None) -> tuple[dict[str, Any], State]:
        found = load_safetensors_weights(weights, device=device, dtype=(cfg_overrides or {}).get("dtype"))
        state = {_renamed(name): found[name] for name in ("w_enc", "w_dec", "b_enc", "b_dec", "threshold")}
        if "affine_skip_connection" in found:
            state["W_skip"] = found["affine_skip_connection"].T.contiguous()
        return {**made, "device": device, **(cfg_overrides or {})}, state

    return Layout(folder, NAMES[GEMMA_2], weights, config, converter)


def _gemma_2_config(path: Path, raw: dict[str, Any], shapes: dict[str, list[int]]) -> dict[str, Any]:
    d_in, d_sae = shapes["w_enc"]
    modules = {"hook_name": raw["hf_hook_point_in"], "hook_name_out": raw.get("hf_hook_point_out")}
    hooks = {name: of_module(module) for name, module in modules.items() if module}
    for name, hook in hooks.items():
        if hook is None:
            raise BadFile(path, "a module whose place is known", f"'{modules[name]}'")
    common = {"d_in": d_in, "d_sae": d_sae, "model_name": raw.get("model_name"), "normalize_activations": "none"}
    if len(shapes["w_dec"]) != 2:
        architecture = "cross-layer transcoder"
    elif "hook_name_out" in hooks:
        architecture = "jumprelu_skip_transcoder" if "affine_skip_connection" in shapes else "jumprelu_transcoder"
        common["d_out"] = shapes["w_dec"][1]
    else:
        architecture = "jumprelu"
    if architecture == "cross-layer transcoder":
        raise BadFile(path.parent, "an SAE or transcoder of one layer", "a cross-layer transcoder")
    return common | hooks | {"architecture": architecture, "apply_b_dec_to_input": False}
