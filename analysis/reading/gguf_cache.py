"""A GGUF file's model and tokenizer as transformers saves them, kept in the user's cache folder.

To read 100 MB of GGUF takes transformers ten times as long as to read what came of it: weights are unpacked and the
tokenizer is built anew. So it is done once for each file, dtype and version of transformers. What is kept is loaded
again before it is trusted, and is used only where it is the same, bit by bit. Cost: the disk space of the weights.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from analysis.errors import UserError
from analysis.process.cache import cache_folder

_OF_THE_FILE = {"quantization_config", "_name_or_path"}

Loaded = tuple[Any, Any]  # module, tokenizer


def folder_of(path: Path, sha256: str, dtype: torch.dtype) -> Path | None:
    """Where what comes of a file in this dtype is kept; None where other files beside it have a say."""
    return (
        None if _has_company(path) else _folders() / f"{sha256[:32]}-{str(dtype).removeprefix('torch.')}-{_made_by()}"
    )


def tokenizer_folder(path: Path, sha256: str) -> Path | None:
    """Where the tokenizer of a file is kept, whatever the dtype of the weights with it; None where it is not."""
    return None if _has_company(path) else next(_folders().glob(f"{sha256[:32]}-*-{_made_by()}"), None)


def keep(folder: Path, module: Any, tokenizer: Any, load: Callable[[Path], Loaded]) -> None:
    """Save both in `folder`, if that can be done and `load` finds the same there; else there is no such folder."""
    # no room, another process was faster, or it is no model that can be saved: the next run reads the GGUF again
    with suppress(OSError, UserError, RuntimeError, ValueError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            fresh = Path(temporary) / "model"
            fresh.mkdir()
            _save(fresh, module, tokenizer)
            if _same((module, tokenizer), load(fresh)):
                os.replace(fresh, folder)


def _has_company(path: Path) -> bool:
    return any(each.suffix in (".json", ".jinja") for each in path.parent.iterdir())


def _folders() -> Path:
    return cache_folder() / "models"


def _made_by() -> str:
    return "-".join(version(name) for name in ("transformers", "gguf"))


def _save(folder: Path, module: nn.Module, tokenizer: Any) -> None:
    from safetensors.torch import save_model

    save_model(module, str(folder / "model.safetensors"), metadata={"format": "pt"})
    type(module.config).from_dict(_plain_config(module)).save_pretrained(folder)  # type: ignore[union-attr]
    tokenizer.save_pretrained(folder)


def _same(one: Loaded, other: Loaded) -> bool:
    (module, words), (module_again, words_again) = one, other
    if _plain_config(module) != _plain_config(module_again):
        return False
    tensors, again = module.state_dict(), module_again.state_dict()
    if tensors.keys() != again.keys() or not all(torch.equal(tensors[name], again[name]) for name in tensors):
        return False
    of_words = [
        (each._tokenizer.to_str(), each.special_tokens_map, each.chat_template) for each in (words, words_again)
    ]
    return of_words[0] == of_words[1]


def _plain_config(module: Any) -> dict[str, Any]:
    """Without where it came from and how it was packed there."""
    return {name: value for name, value in module.config.to_dict().items() if name not in _OF_THE_FILE}
