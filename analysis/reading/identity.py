"""Which model, which SAE: their numbers say it, not the file, the registry or the dtype they came in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_INDEX, _WHOLE = "model.safetensors.index.json", "model.safetensors"
# how and by whom the numbers were saved, not which they are
_OF_THE_FILE = {"transformers_version", "torch_dtype", "dtype", "_name_or_path", "use_cache"}
_OF_THE_TOKENIZER = {"version", "truncation", "padding"}


def weights_hash(module: nn.Module, bottleneck: nn.Module | None = None) -> str:
    """Hex SHA-256 of the names and float32 values of a module's tensors, in the order of their names.

    Args:
        bottleneck: what stands beside it, if anything does: it is another SAE then.
    """
    digest = hashlib.sha256()
    beside = {} if bottleneck is None else bottleneck.state_dict()
    tensors = module.state_dict() | {f"bottleneck.{name}": tensor for name, tensor in beside.items()}
    for name, tensor in sorted(tensors.items()):
        _add(digest, name, tensor)
    return digest.hexdigest()


def model_hash(folder: Path, tokenizer: Any) -> str:
    """Hex SHA-256 of a model's tensors as they lie in its safetensors files, its configuration and its tokenizer.

    The same for one file and for shards of it, for a folder and the hub's cache, for float32 and a shorter dtype with
    the same values, and whatever dtype the model then runs in.
    """
    digest = hashlib.sha256()
    for name, tensor in _saved_tensors(folder):
        _add(digest, name, tensor)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    saved = folder / "tokenizer.json"
    words = json.loads(saved.read_text(encoding="utf-8")) if saved.exists() else {"vocabulary": tokenizer.get_vocab()}
    for part, left_out in ((config, _OF_THE_FILE), (words, _OF_THE_TOKENIZER)):
        kept = {key: value for key, value in part.items() if key not in left_out}
        digest.update(json.dumps(kept, sort_keys=True).encode())
    return digest.hexdigest()


def _saved_tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Of the files of weights that transformers loads, one at a time, by name."""
    from safetensors import safe_open

    index = folder / _INDEX
    if (folder / _WHOLE).exists():
        files = [_WHOLE]
    elif index.exists():
        files = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        files = sorted(path.name for path in folder.glob("*.safetensors"))
    with ExitStack() as stack:
        opened = [stack.enter_context(safe_open(folder / name, framework="pt")) for name in files]
        where = {name: tensors for tensors in opened for name in tensors.keys()}  # noqa: SIM118  # no dictionary
        for name in sorted(where):
            yield name, where[name].get_tensor(name)


def _add(digest: Any, name: str, tensor: Tensor) -> None:
    tensor = tensor.detach().cpu()
    tensor = tensor.float() if tensor.is_floating_point() else tensor
    digest.update(name.encode())
    digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
