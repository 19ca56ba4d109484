"""SAEs: find, check, fingerprint, load, encode. The only file that knows sae-lens at analysis time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from analysis.errors import BadFile, UserError
from analysis.hashing import hash_of, sha256_file
from analysis.process.library import library_warnings, unfollowed
from analysis.reading import hook_names
from analysis.reading.weights import weights_hash

WEIGHTS = "sae_weights.safetensors"
CONFIG = "cfg.json"
REPORT = "training_report.json"
HASH = "sha256.txt"
_MAX_HEADER = 100_000_000
_REFUSED = (".pt", ".pkl", ".pickle", ".bin", ".pth", ".ckpt")


@dataclass(frozen=True)
class LoadedSae:
    """An SAE ready to encode, and all that is stored about it.

    `encoder` is [N, d_in] or None where the architecture has none; `decoder` is [N, d_in];
    `bias` is b_dec [d_in] or None. All float32.
    """

    module: Any
    source: str
    sha256: str
    hook_point: str
    layer: int
    architecture: str
    dtype: str
    encoder: Tensor | None
    decoder: Tensor
    bias: Tensor | None
    details: dict[str, Any]
    training: dict[str, Any] | None

    @property
    def n_latents(self) -> int:
        """N."""
        return self.decoder.shape[0]

    @property
    def d_in(self) -> int:
        """Width of what it reads."""
        return self.decoder.shape[1]

    @property
    def settings(self) -> str:
        """Hash of what besides the weights fixes its activations: architecture, k, hook point, input handling."""
        keep = {name: value for name, value in self.details.items() if name not in ("metadata", "dtype")}
        return hash_of([self.hook_point, self.centred, keep], sort_keys=True)

    @property
    def signed(self) -> bool:
        """Whether activations can be negative (AbsTopK)."""
        return self.architecture == "abstopk"

    @property
    def neuronpedia_id(self) -> str | None:
        """Its name on Neuronpedia, if its metadata have one."""
        name = self.details.get("metadata", {}).get("neuronpedia_id")
        return None if name is None else str(name)

    @property
    def centred(self) -> bool:
        """Whether it was trained on activations with centred writing weights."""
        arguments = self.details.get("metadata", {}).get("model_from_pretrained_kwargs") or {}
        return bool(arguments.get("center_writing_weights"))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """[n, d_in] float32 -> activations [n, N] float32, through sae-lens."""
        return self.module.encode(x).float()  # type: ignore[no-any-return]

    @torch.no_grad()
    def decode(self, acts: Tensor) -> Tensor:
        """[n, N] -> reconstruction [n, d_in] float32; call it right after `encode` of the same tokens."""
        return self.module.decode(acts).float()  # type: ignore[no-any-return]


def load_sae(source: str, *, device: str = "cpu") -> LoadedSae:
    """Load an SAE folder in sae-lens' format, or `release:sae_id` from sae-lens' registry.

    Raises:
        UserError: nothing there, or metadata missing.
        BadFile: pickles, truncated or over-long files, non-finite weights, another hash than recorded.
    """
    path = Path(source)
    if path.exists():
        return _load_folder(path, device)
    if ":" in source:
        return _load_release(source, device)
    raise UserError(f"--sae {source}: expected a folder in sae-lens' format or release:sae_id; found neither")


def check_fits(sae: LoadedSae, d_model: int, n_layers: int) -> None:
    """Refuse an SAE that cannot be read from this model, before the model runs.

    Raises:
        UserError: another width, or a block the model does not have.
    """
    if sae.d_in != d_model:
        raise UserError(f"{sae.source}: expected d_in = {d_model} (the model's d_model); found {sae.d_in}")
    if sae.layer >= n_layers:
        raise UserError(f"{sae.source}: hook point {sae.hook_point}; the model has blocks 0 to {n_layers - 1}")


def slug_part(sae: LoadedSae) -> str:
    """`l15-resid`, `l3-mlp` ... from the hook point."""
    layer, kind = hook_names.parse(sae.hook_point)
    return f"l{layer}-{hook_names.SHORT[kind]}"


def slugify(text: str) -> str:
    """Lower case letters, digits, dots and dashes."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "model"


def _load_folder(path: Path, device: str) -> LoadedSae:
    from sae_lens import SAE

    config = _checked_config(path)
    weights = path / WEIGHTS
    _check_safetensors(weights)
    digest = sha256_file(weights)
    recorded = path / HASH
    if recorded.exists() and (expected := _recorded(recorded)) != digest:
        raise BadFile(weights, f"SHA-256 {expected} (from {HASH})", digest)
    _check_tensors(weights, config)
    try:
        with library_warnings(str(path)):
            module = SAE.load_from_disk(path, device=device, dtype="float32")
    except Exception as error:  # sae-lens raises many kinds
        raise BadFile(path, "an SAE that sae-lens can load", f"{type(error).__name__}: {error}") from error
    report = path / REPORT
    training = _json(report) if report.exists() else None
    return _loaded(module, str(path), digest, config.get("dtype", "float32"), training)


def _recorded(path: Path) -> str:
    """The hash in a file of `sha256sum`'s form."""
    words = path.read_text(encoding="utf-8", errors="replace").lower().split()
    if not words or not re.fullmatch("[0-9a-f]{64}", words[0]):
        raise BadFile(path, "a SHA-256 of 64 hexadecimal digits", repr(" ".join(words)[:80]))
    return words[0]


def _load_release(source: str, device: str) -> LoadedSae:
    from sae_lens import SAE

    release, sae_id = source.split(":", 1)
    try:
        with library_warnings(source):
            module = SAE.from_pretrained(release, sae_id, device=device, dtype="float32")
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise UserError(
            f"--sae {source}: expected a release and id of sae-lens' registry that can be reached;"
            f" found {type(error).__name__}: {first}"
        ) from error
    return _loaded(module, source, weights_hash(module), "float32", None)


def _loaded(module: Any, source: str, sha256: str, dtype: str, training: dict[str, Any] | None) -> LoadedSae:
    module = module.eval()
    details = module.cfg.to_dict()
    details.pop("device", None)
    hook = details["metadata"].get("hook_name")
    if not hook:
        raise UserError(f"{source}: expected metadata with a hook_name; found none, so it is unknown where to read")
    unfollowed(source, details["metadata"].get("model_from_pretrained_kwargs") or {})
    layer = _layer_of(hook, source)
    encoder = getattr(module, "W_enc", None)
    bias = getattr(module, "b_dec", None)
    loaded = LoadedSae(
        module=module,
        source=source,
        sha256=sha256,
        hook_point=hook,
        layer=layer,
        architecture=details["architecture"],
        dtype=dtype,
        encoder=None if encoder is None else encoder.detach().float().T.contiguous(),
        decoder=module.W_dec.detach().float(),
        bias=None if bias is None else bias.detach().float(),
        details=json.loads(json.dumps(details, default=str)),
        training=training,
    )
    _check_finite(module.state_dict().items(), source)
    return loaded


def _layer_of(hook: str, source: str) -> int:
    try:
        return hook_names.parse(hook)[0]
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def _checked_config(path: Path) -> dict[str, Any]:
    if path.is_file():
        raise BadFile(path, "a folder with cfg.json and sae_weights.safetensors", _kind_of(path))
    weights = path / WEIGHTS
    config = path / CONFIG
    if not weights.exists():
        names = sorted(p.name for p in path.iterdir())
        pickles = [name for name in names if name.endswith(_REFUSED)]
        found = (
            f"{pickles[0]} (pickled files are refused: they can run code)" if pickles else ", ".join(names) or "nothing"
        )
        raise BadFile(path, f"{CONFIG} and {WEIGHTS}", found)
    if not config.exists():
        raise BadFile(path, CONFIG, "no such file")
    cfg = _json(config)
    if not isinstance(cfg, dict) or not isinstance(cfg.get("d_in"), int) or not isinstance(cfg.get("d_sae"), int):
        raise BadFile(config, "an object with whole numbers d_in and d_sae", str(cfg)[:80])
    return cfg


def _kind_of(path: Path) -> str:
    if path.name.endswith(_REFUSED):
        return f"'{path.suffix}', a pickle (refused: it can run code)"
    return f"the file '{path.name}'"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadFile(path, "JSON", str(error)) from error


def _check_safetensors(path: Path) -> None:
    """Header within the file, JSON, offsets gapless from 0 to the end: no truncation, no trailing bytes."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(8)
        length = int.from_bytes(head, "little") if len(head) == 8 else -1
        if head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or head[:4] == b"PK\x03\x04":
            raise BadFile(path, "a safetensors file", "a pickle or zip archive (refused: it can run code)")
        if length < 2 or length > _MAX_HEADER or 8 + length > size:
            raise BadFile(path, "a safetensors header that fits the file", f"{size} bytes, header length {length}")
        raw = stream.read(length)
    try:
        header = json.loads(raw)
        offsets = (e["data_offsets"] for name, e in header.items() if name != "__metadata__")
        ends = sorted((int(begin), int(end)) for begin, end in offsets)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadFile(path, "a safetensors header of JSON", f"{type(error).__name__}") from error
    position = 0
    for begin, end in ends:
        if begin != position or end < begin:
            raise BadFile(path, "tensors without gaps or overlaps", f"a tensor at {begin}, expected {position}")
        position = end
    if 8 + length + position != size:
        raise BadFile(path, f"{8 + length + position} bytes, as its header says", f"{size} bytes")


def _check_tensors(path: Path, config: dict[str, Any]) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as tensors:
            _check_shapes(path, config, tensors)
    except SafetensorError as error:
        raise BadFile(path, "a safetensors file", str(error)) from error


def _check_shapes(path: Path, config: dict[str, Any], tensors: Any) -> None:
    expected = {"W_dec": [config["d_sae"], config["d_in"]]}
    names = set(tensors.keys())
    for name, shape in expected.items():
        if name not in names:
            raise BadFile(path, f"a tensor {name} {shape}", f"only {', '.join(sorted(names)) or 'none'}")
    if "W_enc" in names:
        expected["W_enc"] = [config["d_in"], config["d_sae"]]
    for name, shape in expected.items():
        part = tensors.get_slice(name)
        found = list(part.get_shape())
        if found != shape:
            raise BadFile(path, f"{name} of shape {shape} (from {CONFIG})", f"{found}")
        if not part.get_dtype().startswith(("F", "BF")):
            raise BadFile(path, f"{name} of a floating-point type", part.get_dtype())


def _check_finite(tensors: Iterator[tuple[str, Tensor]], source: str) -> None:
    for name, tensor in tensors:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = int((~torch.isfinite(tensor)).sum())
            raise BadFile(source, f"finite numbers in {name}", f"{bad} NaN or infinite")
