"""Loading language models and tokenizers: the only file that reads Hugging Face's. Pickles and a model's code never.

A model's dtype and device are chosen here too.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from functools import partial
from logging import WARNING
from pathlib import Path
from typing import Any

import torch
from torch import nn

from analysis.errors import BadFile, UserError
from analysis.hashing import sha256_file
from analysis.process.library import Heard, library_warnings
from analysis.reading import gguf_cache
from analysis.reading.identity import model_hash
from analysis.reading.model import LanguageModel


def fast_dtype() -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware (AMX, AVX512-BF16) or a GPU does; else float32."""
    if torch.cuda.is_available():
        return torch.bfloat16
    capability = torch.backends.cpu.get_cpu_capability()
    flags = _cpu_flags()
    return torch.bfloat16 if "amx_bf16" in flags or ("avx512_bf16" in flags and "512" in capability) else torch.float32


def _cpu_flags() -> set[str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return set()
    for line in path.read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


def load_model(
    source: str, *, dtype: str = "auto", device: str = "auto", centred: bool = False, prepend_bos: bool = True
) -> LanguageModel:
    """Load a model from a local folder, a local `.gguf` file, `demo`, or a hub id.

    Args:
        source: the above. `demo` is SmolLM2-135M-Instruct out of a PyPI wheel.
        dtype: auto (bfloat16 where the hardware has it), bfloat16, float32, float16.
        device: auto (CUDA where there is one), cpu, cuda, cuda:1 ...
        centred, prepend_bos: see `LanguageModel`.

    Raises:
        UserError: nothing there, not a causal language model, or not supported.
        BadFile: a `.gguf` file that cannot be read.
    """
    torch_dtype = fast_dtype() if dtype == "auto" else _dtype(dtype)
    place = _device(device)
    licence = None
    name = source
    if source == "demo":
        from analysis.reading.demo_parts import LICENCE, MODEL_NAME, demo_model_file

        path, licence, name = demo_model_file(), LICENCE, MODEL_NAME
    else:
        path = Path(source)
    if path.is_file():
        fingerprint, former = sha256_file(path), None
        module, tokenizer = _load_gguf(path, torch_dtype, fingerprint)
        name = name if source == "demo" else path.stem
    else:
        folder = path if path.is_dir() else _fetched(source)
        module, tokenizer = _load_pretrained(source, folder, torch_dtype)
        fingerprint = model_hash(folder, tokenizer)
        former = partial(_files_hash, path) if path.is_dir() else partial(_bytes_hash, module)
        name = path.resolve().name if path.is_dir() else source
    if not tokenizer.is_fast:
        raise UserError(f"{source}: expected a fast tokenizer (it gives character offsets); found a slow one")
    return LanguageModel(
        module.to(place), tokenizer, name=name, source=source, fingerprint=fingerprint, former=former, licence=licence,
        centred=centred, prepend_bos=prepend_bos,
    )  # fmt: skip


def load_tokenizer(source: str) -> Any:
    """The tokenizer alone, of what `load_model` takes.

    Raises:
        UserError: nothing there.
        BadFile: a `.gguf` file that cannot be read.
    """
    from transformers import AutoTokenizer

    if source == "demo":
        from analysis.reading.demo_parts import demo_model_file

        source = str(demo_model_file())
    path = Path(source)
    where = {"pretrained_model_name_or_path": source}
    if path.is_file():
        kept = gguf_cache.tokenizer_folder(path, sha256_file(path))
        where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
        where = where if kept is None else {"pretrained_model_name_or_path": str(kept)}
    try:
        with _quiet(source):
            return AutoTokenizer.from_pretrained(**where, local_files_only=path.exists(), trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds
        first = (str(error).strip().splitlines() or [""])[0]
        raise UserError(f"model '{source}': expected a tokenizer; found {type(error).__name__}: {first}") from error


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"--device {name}: expected auto, cpu or a cuda device of this machine; {first}") from error
    return name


def _dtype(name: str) -> torch.dtype:
    known = {"bfloat16": torch.bfloat16, "float32": torch.float32, "float16": torch.float16}
    if name not in known:
        raise UserError(f"unknown dtype '{name}'; choose one of auto, {', '.join(known)}")
    return known[name]


def _load_gguf(path: Path, dtype: torch.dtype, sha256: str) -> tuple[Any, Any]:
    """From the cache, where it was read before."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    kept = gguf_cache.folder_of(path, sha256, dtype)
    again = partial(_load_pretrained, str(path), dtype=dtype)
    if kept is not None and kept.exists():
        return again(kept)

    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic != b"GGUF":
        raise BadFile(path, "a GGUF file (it begins with 'GGUF')", repr(magic))
    arguments = {
        "pretrained_model_name_or_path": str(path.parent),
        "gguf_file": path.name,
        "trust_remote_code": False,
    }
    try:
        with _quiet(str(path)):
            tokenizer = AutoTokenizer.from_pretrained(**arguments)
            module = AutoModelForCausalLM.from_pretrained(**arguments, **_unpacked(), dtype=dtype)
    except Exception as error:  # gguf and transformers raise many kinds
        raise BadFile(path, "a readable GGUF causal language model", _first_line(error)) from error
    if kept is not None:
        gguf_cache.keep(kept, module, tokenizer, again)
    return module, tokenizer


def _unpacked() -> dict[str, Any]:
    """What has newer versions of transformers give weights as numbers, not as blocks for kernels of another package."""
    import transformers

    config = getattr(transformers, "GgufConfig", None)
    return {} if config is None else {"quantization_config": config(dequantize=True)}


def _fetched(source: str) -> Path:
    from analysis.reading.hub import model_folder

    try:
        return model_folder(source)
    except UserError as error:
        raise UserError(
            f"model '{source}': expected a local folder, a .gguf file or a hub id that can be reached; {error}"
        ) from error


def _load_pretrained(source: str, folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _refuse_pickles(folder)
    try:
        with _quiet(source):
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            module, loaded = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False,
                output_loading_info=True, ignore_mismatched_sizes=True,
            )  # fmt: skip
    except Exception as error:
        raise UserError(
            f"model '{source}': expected a folder with a causal language model and its tokenizer;"
            f" found {_first_line(error)}"
        ) from error
    _refuse_gaps(source, loaded)
    return module, tokenizer


def _first_line(error: Exception) -> str:
    said = str(error).strip().splitlines() or [""]
    if "trust_remote_code" in str(error):
        return "one that needs code of its own (auto_map), which is never run"
    return f"{type(error).__name__}: {said[0]}"


def _refuse_gaps(source: str, loaded: dict[str, Any]) -> None:
    """transformers fills what is missing or of another shape with random numbers, and warns."""
    gaps = [f"{name} of shape {list(found)}, not {list(wanted)}" for name, found, wanted in loaded["mismatched_keys"]]
    gaps += [f"no {name}" for name in loaded["missing_keys"]]
    if gaps:
        more = f" and {len(gaps) - 3:,} more" if len(gaps) > 3 else ""
        raise UserError(
            f"model '{source}': expected weights for all that its configuration names; found"
            f" {', '.join(sorted(gaps)[:3])}{more}"
        )


def _refuse_pickles(path: Path) -> None:
    if not any(path.glob("*.safetensors")):
        found = sorted(p.name for p in path.iterdir())[:6]
        raise UserError(f"{path}: expected *.safetensors weights (pickled ones are refused); found {', '.join(found)}")


def _files_hash(path: Path) -> str:
    """What versions up to 0.4 called a model in a folder."""
    files = "".join(sha256_file(file) for file in sorted(path.glob("*.safetensors")))
    return hashlib.sha256(files.encode()).hexdigest()


def _bytes_hash(module: nn.Module) -> str:
    """What versions up to 0.4 called a model of the hub: it depends on the dtype."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def _quiet(source: str) -> Iterator[None]:
    """Hush transformers' loading bars, since the product has its own; what it warns of is said once, in our words."""
    from transformers.utils import logging

    heard, logger = Heard("transformers"), logging.get_logger("transformers")
    level = logger.level
    logger.addHandler(heard)
    logger.setLevel(min(level, WARNING))  # TransformerLens, once imported, hushes it for all of the process
    logging.disable_default_handler()
    logging.disable_progress_bar()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        with library_warnings(source, "transformers"), redirect_stderr(io.StringIO()):  # the GGUF bar has no switch
            yield
    finally:
        logging.enable_default_handler()
        logging.enable_progress_bar()
        logger.setLevel(level)
        logger.removeHandler(heard)
    heard.tell(source)
