"""A store that was analysed from a tiny model, that model asked directly, and processes found by what they run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from rich.console import Console

from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from analysis.reading.sae import LoadedSae, load_sae
from analysis.run.analyze import analyze
from tests.analysis.conftest import Parts

CONTEXT = 48
TEXT = "The sea and the sky 日本語 🐳 of whales; no wind came.\n" + "All hands slept under stars. " * 6
"""More than one context of the tiny model, with characters of several tokens."""


def analysed(parts: Parts, folder: Path) -> str:
    """Path of a store with one run of two SAEs."""
    db = folder / "live.db"
    analyze(parts.config(db, classes=False), Console(quiet=True))
    return str(db)


def tiny(parts: Parts) -> LanguageModel:
    """Its model, as the run had it."""
    return _model(str(parts.model))


def sae_of(parts: Parts, place: int) -> LoadedSae:
    """One of its SAEs."""
    return _sae(str(parts.saes[place]))


_sae = cache(load_sae)


@cache
def _model(path: str) -> LanguageModel:
    return load_model(path, dtype="float32")


def directly(parts: Parts, place: int, text: str) -> torch.Tensor:
    """[tokens, latents]: context by context and token by token, with BOS before each context."""
    model, sae = tiny(parts), sae_of(parts, place)
    ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    rows = []
    for start in range(0, len(ids), CONTEXT - 1):
        own = torch.tensor([[model.bos_id, *ids[start : start + CONTEXT - 1]]])
        read = model.read(own, torch.ones_like(own, dtype=torch.bool), [sae.hook_point])[sae.hook_point]
        rows += [sae.encode(token[None]) for token in read[0, 1:]]
    return torch.cat(rows)


def running(word: str, parent: int | None = None) -> list[int]:
    """Processes whose command line has a word; those of a parent."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            process = int(folder.name)
            words = (folder / "cmdline").read_bytes().split(b"\0")
            above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if word.encode() in words and parent in (None, above):
                found.append(process)
    return found


def holds(process: int, library: str) -> bool:
    """Whether it has a library in memory."""
    return library in Path(f"/proc/{process}/maps").read_text()


def wait_until(holds_: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes to hold in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds_():
            return True
        time.sleep(0.05)
    return holds_()


def is_alive(process: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
