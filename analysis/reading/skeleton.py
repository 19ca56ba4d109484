"""A model without its weights, made from its configuration alone: its places, widths and sizes are all there."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from analysis.errors import UserError
from analysis.reading.hub import CONFIG, fetch


@lru_cache(maxsize=1)
def skeleton(source: str) -> nn.Module:
    """A causal language model on torch's meta device, of a folder, a `.gguf` file, `demo` or a hub id; the last one is
    kept, since several SAEs are held against it.

    Raises:
        UserError: nothing there, or no causal language model.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    try:
        config = AutoConfig.from_pretrained(**_where(source), trust_remote_code=False)
        with torch.device("meta"):
            module: nn.Module = auto.from_config(config, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds
        first = (str(error).strip().splitlines() or [""])[0]
        raise UserError(
            f"model '{source}': expected the configuration of a causal language model;"
            f" found {type(error).__name__}: {first}"
        ) from error
    return module


def _where(source: str) -> dict[str, Any]:
    if source == "demo":
        from analysis.reading.demo_parts import demo_model_file

        source = str(demo_model_file())
    path = Path(source)
    if path.is_file():
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    folder = path if path.is_dir() else Path(fetch(source, CONFIG)).parent
    return {"pretrained_model_name_or_path": str(folder), "local_files_only": True}
