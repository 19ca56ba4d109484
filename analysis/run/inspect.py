"""What an SAE is, whether it is read, whether it fits a model and what it will cost: from configurations alone."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from functools import cache

import torch
from rich.console import Console
from torch import nn

from analysis.errors import UserError
from analysis.reading import hook_points
from analysis.reading.described import SAES, SKIP, TRANSCODERS, Described, refusal
from analysis.reading.hook_names import parse
from analysis.reading.model_loading import fast_dtype
from analysis.reading.registry import described_entry, unreadable
from analysis.reading.sae import describe_sae
from analysis.reading.skeleton import skeleton

TOKENS = 1_000_000
REACHED = 0.5
MEMORY_RULE = (
    "the model in the dtype a run takes here, and the SAE in float32; batches and sums come on top, a few hundred"
    " megabytes, and of a wide SAE as much again: analyze says how much"
)
TIME_RULE = (
    f"2 operations a weight and token, up to the block that is read and through the encoder, for {TOKENS:,} tokens, at"
    f" {REACHED:.0%} of what a product of two 1,024 x 1,024 matrices reached on this machine just now; of experts all"
    " are counted, so it is less where few are asked"
)


@dataclass(frozen=True)
class Inspected:
    """What is known of an SAE before anything is loaded."""

    sae: Described
    refused: str | None
    notes: list[str]
    model: str | None = None
    fits: bool | None = None  # None where no model was given
    misfit: str | None = None
    bytes_sae: int | None = None
    bytes_model: int | None = None
    seconds: float | None = None


def inspect(sae: str, model: str | None, as_json: bool, console: Console) -> bool:
    """Print what is known; whether it can be read (and fits the model, where one is given)."""
    found = inspected(sae, model)
    if as_json:
        rules = {"memory": MEMORY_RULE, "time": TIME_RULE, "tokens": TOKENS}
        console.print_json(json.dumps(asdict(found) | {"rules": rules}, default=str))
    else:
        for name, said in lines(found).items():
            console.print(f"{name:<12}{said}")
    return found.refused is None and found.fits is not False


def inspected(sae: str, model: str | None) -> Inspected:
    """Everything that configurations tell.

    Raises:
        UserError: nothing there, or a configuration that is none.
    """
    described, notes = _described(sae)
    refused = refusal(described)
    sizes = _bytes(described)
    if model is None or refused is not None:
        told = unreadable(described) if described.layout.startswith("registry") else None
        return Inspected(described, refused or told, notes, model, bytes_sae=sizes)
    module = skeleton(model)
    misfit = _misfit(described, module)
    if misfit is None:
        described = _with_widths(described, module)
        sizes = _bytes(described)
    dtype = fast_dtype()
    held = sum(p.numel() for p in module.parameters()) * dtype.itemsize
    seconds = None if misfit else _seconds(described, module, dtype)
    return Inspected(described, None, notes, model, misfit is None, misfit, sizes, held, seconds)


def lines(found: Inspected) -> dict[str, str]:
    """Name -> what is said, for people."""
    sae = found.sae
    made_for = sae.model or "a model it does not name"
    said = {"SAE": sae.source, "is": _what(sae), "reads": _reads(sae), "made for": made_for}
    if sae.n_latents or sae.l0:
        wide = f"{sae.n_latents:,} latents" if sae.n_latents else "latents"
        said["size"] = wide + (f"; {sae.l0:g} fire on a token" if sae.l0 else "")
    if sae.normalisation != "none":
        said["scales"] = f"what it reads: {sae.normalisation}"
    said["read here"] = "yes" if found.refused is None else f"no: {found.refused}"
    if found.model is not None and found.fits is not None:
        said["fits"] = f"{found.model}: " + ("yes" if found.fits else f"no: {found.misfit}")
    if found.bytes_sae:
        model = f" + {_size(found.bytes_model)} for the model" if found.bytes_model else ""
        said["memory"] = f"{_size(found.bytes_sae)}{model} ({MEMORY_RULE})"
    if found.seconds is not None:
        said["time"] = f"about {duration(found.seconds)} ({TIME_RULE})"
    return said | {f"note {n}": note for n, note in enumerate(found.notes, 1)}


def _described(source: str) -> tuple[Described, list[str]]:
    """What the hub does not tell when it cannot be reached, names may still tell."""
    try:
        return describe_sae(source), []
    except UserError as error:
        release, _, sae_id = source.partition(":")
        known = described_entry(release, sae_id) if sae_id else None
        if known is None:
            raise
        return known, [f"from the registry's names alone; its configuration was not reached ({error})"]


def _what(sae: Described) -> str:
    if refusal(sae) and sae.architecture not in SAES | TRANSCODERS:
        return f"{sae.architecture}, {sae.layout}"
    kind = "transcoder" if sae.transcodes else "SAE"
    skip = " with a skip connection" if sae.architecture in SKIP else ""
    architecture = f" ({sae.architecture})" if sae.architecture else ""
    beside = f" beside a linear bottleneck of rank {sae.bottleneck}" if sae.bottleneck else ""
    return f"{kind}{architecture}{skip}{beside}, {sae.layout}"


def _reads(sae: Described) -> str:
    read = sae.hook_point or "nobody knows where"
    wide = f", {sae.d_in:,} numbers a token" if sae.d_in else ""
    return f"{read}{wide}" + (f"; predicts {sae.hook_out}" if sae.transcodes else "")


def _with_widths(sae: Described, module: nn.Module) -> Described:
    """Widths that names alone do not tell are the model's."""
    d_model = module.config.get_text_config().hidden_size  # type: ignore[union-attr,operator]
    read, out = (hook_points.width(module, str(hook), d_model) for hook in (sae.hook_point, sae.hook_out))
    return replace(sae, d_in=sae.d_in or read, d_out=sae.d_out or out)


def _misfit(sae: Described, module: nn.Module) -> str | None:
    d_model = module.config.get_text_config().hidden_size  # type: ignore[union-attr,operator]
    try:
        layers = len(hook_points.blocks(module))
        for hook, wide in ((str(sae.hook_point), sae.d_in), (str(sae.hook_out), sae.d_out)):
            if parse(hook)[0] >= layers:
                return f"expected a block 0 to {layers - 1}; found {hook}"
            expected = hook_points.width(module, hook, d_model)
            if wide is not None and wide != expected:
                return f"expected {expected} numbers a token at {hook}; found {wide}"
    except UserError as error:
        return str(error)
    return None


def _bytes(sae: Described) -> int | None:
    if not (sae.n_latents and sae.d_in and sae.d_out):
        return None
    skip = sae.d_in * sae.d_out if sae.architecture in SKIP else 0
    return 4 * (sae.n_latents * (sae.d_in + sae.d_out + 2) + skip)


def _seconds(sae: Described, module: nn.Module, dtype: torch.dtype) -> float | None:
    if not (sae.n_latents and sae.d_in and sae.d_out):
        return None
    last = max(parse(str(hook))[0] for hook in (sae.hook_point, sae.hook_out))
    blocks = list(hook_points.blocks(module))[: last + 1]
    weights = sum(p.numel() for block in blocks for p in block.parameters())
    encoder = sae.n_latents * (sae.d_in + sae.d_out / 8)  # one batch in eight is decoded
    rates = {each: _rate(each) for each in {dtype, torch.float32}}
    return TOKENS * 2 * (weights / rates[dtype] + encoder / rates[torch.float32]) / REACHED


@cache
def _rate(dtype: torch.dtype) -> float:
    """Operations a second of a matrix product here, the best of a fifth of a second."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.ones(1024, 1024, dtype=dtype, device=device)
    best, until = 0.0, time.monotonic() + 0.2
    while not best or time.monotonic() < until:
        start = time.perf_counter()
        float((a @ a)[0, 0])  # waits for the device
        best = max(best, 2 * 1024**3 / (time.perf_counter() - start))
    return best


def _size(number: int | None) -> str:
    size = float(number or 0)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} GB"


def duration(seconds: float) -> str:
    """In the unit one would say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
