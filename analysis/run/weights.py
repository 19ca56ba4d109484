"""What the weights alone say, kept in the cache by the SAE's identity: a second run pays nothing.

A search that is stopped goes on where it was, whichever run asks next.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.classes.null_space import sensitive_directions
from analysis.hashing import hash_of
from analysis.process.cache import cache_folder
from analysis.process.progress import Progress, progress_bar
from analysis.reading.hook_names import STREAM, parse
from analysis.reading.hook_points import has_layer_norm
from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae
from analysis.statistics.approximate import approximate, recall
from analysis.statistics.geometry import Partners, Promoted, named, promoted_tokens, unit_rows
from analysis.statistics.logit_weights import chance
from analysis.statistics.partner_search import Nearest, compared, search

_FORM = 1  # of what is kept; a search that finds something else gets a new number
_SAVE_EVERY = 60.0  # seconds
_PARTIAL, _RECALL = ".partial", ".json"
_LONG = 16_384  # latents from which on it is worth a progress bar


def partners_of(sae: LoadedSae, console: Console, approximately: bool = False) -> Partners:
    """Antipodal partners of all latents: from the cache, or searched for now."""
    path = _partners_file(sae, approximately)
    kept = _load(path, sae.decoder.device)
    if kept is not None:
        return Partners(**kept)
    encoder = torch.zeros_like(sae.decoder) if sae.encoder is None else sae.encoder
    e, d = unit_rows(encoder), unit_rows(sae.decoder)
    found = _approximate(sae, e, d, path, console) if approximately else _exact(sae, e, d, path, console)
    geometry = named(e, d, found)
    _save(geometry._asdict(), path)
    path.with_suffix(_PARTIAL).unlink(missing_ok=True)
    return geometry


def recall_of(sae: LoadedSae, approximately: bool) -> dict[str, Any] | None:
    """How often the approximate search that was made found what an exact one finds; None of an exact search."""
    if not approximately:
        return None
    found: dict[str, Any] = json.loads(_partners_file(sae, approximately).with_suffix(_RECALL).read_text())
    return found


def _partners_file(sae: LoadedSae, approximately: bool) -> Path:
    return _place("partners", sae.sha256, sae.decoder.device.type, *["cells"] * approximately)


def _exact(sae: LoadedSae, e: Tensor, d: Tensor, path: Path, console: Console) -> Nearest:
    partial = path.with_suffix(_PARTIAL)
    before = _load(partial, e.device)
    found = Nearest.empty(len(e), e.device) if before is None else Nearest.of_state(before)
    total, done = compared(len(e), len(e)), compared(len(e), found.done)
    last = time.monotonic()
    with _bar(console, f"partners in {sae.source}", len(e), total, "products", done) as progress:
        for products in search(e, d, found):
            progress(products)
            if time.monotonic() - last > _SAVE_EVERY:
                _save(found.state_dict(), partial)
                last = time.monotonic()
    return found


def _approximate(sae: LoadedSae, e: Tensor, d: Tensor, path: Path, console: Console) -> Nearest:
    with _bar(console, f"partners in {sae.source}", len(e), len(e), "latents") as progress:
        found = approximate(e, d, step=progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(_RECALL).write_text(json.dumps(recall(e, d, found)))
    return found


def promoted_of(sae: LoadedSae, model: LanguageModel, k: int, console: Console) -> Promoted:
    """The k tokens each latent promotes and suppresses most: from the cache, or computed now."""
    allowed = model.sayable()
    path = _place("promoted", sae.sha256, model.fingerprint, model.dtype_name, k, allowed.int().tolist())
    kept = _load(path, sae.decoder.device)
    if kept is not None:
        return Promoted(**kept)
    with _bar(console, f"promoted tokens of {sae.source}", sae.n_latents, sae.n_latents, "latents") as progress:
        found = promoted_tokens(sae.decoder, model.unembedding(sae.hook_out), allowed, k, progress)
    _save(found._asdict(), path)
    return found


def quiet_of(model: LanguageModel, hook: str, unembedding: Tensor) -> Tensor:
    """Directions [D, D] of a hook point by falling effect on the logits: from the cache, or found now.

    Args:
        unembedding: [D, vocab], for the directions there.
    """
    path = _place("quiet", model.fingerprint, model.dtype_name, place_of(hook))
    kept = _load(path, unembedding.device)
    if kept is not None:
        return kept["quiet"]
    found = sensitive_directions(unembedding, has_layer_norm(model.module))
    _save({"quiet": found}, path)
    return found


def logit_chance_of(model: LanguageModel, hook: str, unembedding: Tensor, seed: int) -> dict[str, list[float]]:
    """What random directions of a hook point have of logit weights: from the cache, or computed now."""
    allowed = model.sayable()
    parts = model.fingerprint, model.dtype_name, place_of(hook), seed, allowed.int().tolist()
    path = _place("logits", *parts)
    kept = _load(path, torch.device("cpu"))
    if kept is None:
        found = chance(unembedding, allowed, seed)
        kept = {name: torch.tensor(ends, dtype=torch.float64) for name, ends in found.items()}
        _save(kept, path)
    return {name: ends.tolist() for name, ends in kept.items()}


def place_of(hook: str) -> str:
    """A name of hook points whose directions the output end reads alike: the residual stream's are one place."""
    return "stream" if parse(hook)[1] in STREAM else hook


def _place(what: str, *parts: object) -> Path:
    return cache_folder() / "weights" / f"{what}-{hash_of([_FORM, *parts])[:32]}.safetensors"


def _load(path: Path, device: torch.device) -> dict[str, Tensor] | None:
    """What is kept there; None where nothing is, or nothing that can be read."""
    try:
        return load_file(path, device=str(device))
    except (FileNotFoundError, SafetensorError):
        return None


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    """In one step, so that no other process reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, fresh)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def _bar(console: Console, what: str, latents: int, total: int, unit: str, before: int = 0) -> Iterator[Progress]:
    if latents < _LONG:
        yield lambda _count: None
        return
    with progress_bar(console, what, total, unit, before) as progress:
        yield progress
