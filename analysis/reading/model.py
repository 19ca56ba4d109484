"""A language model and what is read from it. The only file that loads Hugging Face models."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from analysis.errors import BadFile, UserError
from analysis.hashing import sha256_file
from analysis.reading import hook_points
from analysis.reading.hook_names import STREAM, parse
from analysis.reading.identity import model_hash
from analysis.reading.vocabulary import sayable, special_ids, token_strings

Replace = Callable[[Tensor], Tensor]


_LOGITS = 1 << 25  # held at once: 128 MB in float32


class _Done(Exception):  # noqa: N818 - no error: it ends the pass early
    """The last wanted module has run; the rest of the forward pass is not needed."""


class LanguageModel:
    """A causal language model, read at named hook points in one forward pass.

    Args:
        module: a Hugging Face `...ForCausalLM` in eval mode.
        tokenizer: its fast tokenizer.
        name: what people call it.
        source: where it came from.
        fingerprint: hex SHA-256 that identifies it; see `identity`.
        former: gives what older versions called it.
        licence: if known.
        centred: subtract each token's mean over d_model, as TransformerLens' centred writing
            weights do (for SAEs trained on such activations).
    """

    def __init__(
        self,
        module: nn.Module,
        tokenizer: Any,
        *,
        name: str,
        source: str,
        fingerprint: str,
        former: Callable[[], str] | None = None,
        licence: str | None = None,
        centred: bool = False,
    ) -> None:
        self.module, self.tokenizer, self.name, self.source = module.eval(), tokenizer, name, source
        self.fingerprint, self.licence, self.centred = fingerprint, licence, centred
        self._former = former
        self.config = module.config.get_text_config()  # type: ignore[union-attr,operator]
        self.family: str = self.config.model_type
        self.n_layers = len(hook_points.blocks(module))
        if centred and not hook_points.has_layer_norm(module):
            raise UserError(
                f"{name}: the SAE was trained on centred writing weights, which leave the outputs alone only where"
                f" LayerNorm subtracts the mean; found a '{self.family}' model, whose RMSNorm does not: expected an"
                " SAE of uncentred activations"
            )
        self.d_model: int = self.config.hidden_size
        self.vocab_size: int = self.config.vocab_size

    @cached_property
    def former(self) -> list[str]:
        """What older versions would have called it; takes as long as reading its weights."""
        return [self._former()] if self._former else []

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.module.parameters()).device

    @property
    def dtype_name(self) -> str:
        """bfloat16, float32 ..."""
        return str(next(self.module.parameters()).dtype).removeprefix("torch.")

    @property
    def special_ids(self) -> set[int]:
        """Ids that are no text: in no numerator and no denominator."""
        return special_ids(self.tokenizer)

    @property
    def bos_id(self) -> int | None:
        """What stands before each context; EOS where the model has no BOS of its own (GPT-2, NeoX)."""
        tokenizer = self.tokenizer
        found: int | None = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return found

    def words(self) -> list[str]:
        """The readable string of every vocabulary id."""
        return token_strings(self.tokenizer, self.vocab_size)

    def sayable(self) -> Tensor:
        """[vocab] bool: ids that stand for text by themselves."""
        return torch.tensor(sayable(self.tokenizer, self.vocab_size))

    @torch.no_grad()
    def read(self, ids: Tensor, attention: Tensor, hooks: Sequence[str]) -> dict[str, Tensor]:
        """Activations at `hooks` for one batch; the pass stops after the last of them.

        Args:
            ids: [B, T] int64. attention: [B, T] bool, False at padding (right side).
            hooks: hook point names.

        Returns:
            name -> [B, T, width] float32; the width is d_model, but for the heads' results.
        """
        kept: dict[str, Tensor] = {}
        with self._reading(hooks, kept), suppress(_Done):
            self._forward(ids, attention)
        return {hook: self.as_read(kept[hook], hook) for hook in hooks}

    @torch.no_grad()
    def token_losses(self, ids: Tensor, attention: Tensor, replace: dict[str, Replace] | None = None) -> Tensor:
        """Next-token cross-entropy, optionally with activations replaced at hook points.

        Args:
            ids: [B, T]. attention: [B, T] bool.
            replace: hook point -> function of the activation [B, T, d_model] as `read` gives it; where
                the model is centred, the mean over d_model is taken off before and put back after.

        Returns:
            [B, T-1] float32, in nats; 0 where the target is padding.
        """
        with self._replacing(replace or {}), self._last_hidden() as kept, suppress(_Done):
            self._forward(ids, attention)
        target = ids[:, 1:].to(self.device)
        rows = max(1, _LOGITS // (target.shape[1] * self.vocab_size))
        pieces = torch.split(kept[0][:, :-1], rows)
        losses = [
            nn.functional.cross_entropy(self._logits(hidden).transpose(1, 2), wanted, reduction="none")
            for hidden, wanted in zip(pieces, torch.split(target, rows), strict=True)
        ]
        return torch.cat(losses) * attention[:, 1:].to(self.device)

    @contextmanager
    def _last_hidden(self) -> Iterator[list[Tensor]]:
        """What the unembedding is given, in place of the logits: of a large vocabulary they would fill the memory."""
        kept: list[Tensor] = []

        def stop(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            kept.append(given[0])
            raise _Done

        handle = self.module.get_output_embeddings().register_forward_pre_hook(stop)  # type: ignore[operator]
        try:
            yield kept
        finally:
            handle.remove()

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.module.get_output_embeddings()(hidden).float()  # type: ignore[operator]
        cap = getattr(self.config, "final_logit_softcapping", None)
        return logits if not cap else cap * torch.tanh(logits / cap)

    def width(self, hook: str) -> int:
        """How many numbers a token has at a hook point."""
        return hook_points.width(self.module, hook, self.d_model)

    def unembedding(self, hook: str | None = None) -> Tensor:
        """W_U with the final norm's gain folded in: [d_model, vocab] float32.

        With a hook point, for the directions there: [width, vocab]; see `hook_points.to_stream`.
        """
        stream = self._unembedding()
        there = None if hook is None else hook_points.to_stream(self.module, hook)
        return stream if there is None else there @ stream

    def _unembedding(self) -> Tensor:
        weight = self.module.get_output_embeddings().weight.detach().float()  # type: ignore[operator]
        folded: Tensor = (weight * hook_points.final_gain(self.module)).T[:, : self.vocab_size]
        # LayerNorm takes a direction's mean off before the gain, so it must not reach the logits here either
        return folded - folded.mean(0) if hook_points.has_layer_norm(self.module) else folded

    def embedding(self, ids: Tensor) -> Tensor:
        """What the model puts in for token ids [n]: [n, d_model] float32."""
        table = self.module.get_input_embeddings().weight.detach()  # type: ignore[operator]
        found: Tensor = table[ids.to(table.device)].float()
        return found

    def _forward(self, ids: Tensor, attention: Tensor) -> Any:
        return self.module(input_ids=ids.to(self.device), attention_mask=attention.to(self.device), use_cache=False)

    def as_read(self, activation: Tensor, hook: str) -> Tensor:
        """What the model has at a hook point, [..., width], as `read` gives it."""
        activation = activation.float()
        # centred writing weights centre what is written to the stream, not what stays inside a module
        inside = parse(hook)[1] not in STREAM
        return activation if inside or not self.centred else activation - activation.mean(-1, keepdim=True)

    def _seen(self, change: Replace, hook: str) -> Replace:
        """`change` on activations as `read` gives them."""

        def changed(activation: Tensor) -> Tensor:
            seen = self.as_read(activation, hook)
            return change(seen) + (activation - seen)

        return changed if self.centred else change

    @contextmanager
    def _reading(self, hooks: Sequence[str], kept: dict[str, Tensor]) -> Iterator[None]:
        waiting = set(hooks)

        def keep(hook: str, activation: Tensor) -> None:
            kept[hook] = activation
            waiting.discard(hook)
            if not waiting:
                raise _Done

        handles = [hook_points.on_read(self.module, hook, keep) for hook in hooks]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def _replacing(self, replace: dict[str, Replace]) -> Iterator[None]:
        handles = [
            hook_points.on_write(self.module, hook, self._seen(change, hook)) for hook, change in replace.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


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


def load_model(source: str, *, dtype: str = "auto", device: str = "auto", centred: bool = False) -> LanguageModel:
    """Load a model from a local folder, a local `.gguf` file, `demo`, or a hub id.

    Args:
        source: the above. `demo` is SmolLM2-135M-Instruct out of a PyPI wheel.
        dtype: auto (bfloat16 where the hardware has it), bfloat16, float32, float16.
        device: auto (CUDA where there is one), cpu, cuda, cuda:1 ...
        centred: see `LanguageModel`.

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
        module, tokenizer = _load_gguf(path, torch_dtype)
        fingerprint, former = sha256_file(path), None
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
        centred=centred,
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
        where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    try:
        with _quiet():
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


def _load_gguf(path: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

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
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(**arguments)
            module = AutoModelForCausalLM.from_pretrained(**arguments, dtype=dtype)
    except Exception as error:  # gguf and transformers raise many kinds
        raise BadFile(path, "a readable GGUF causal language model", _first_line(error)) from error
    return module, tokenizer


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
        with _quiet():
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
def _quiet() -> Iterator[None]:
    """Hush transformers' loading bars; the product has its own."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        with redirect_stderr(io.StringIO()):  # the GGUF reader's bar has no switch
            yield
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()
