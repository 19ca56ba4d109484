"""Residual-stream activations on disk: one forward for all layers, read many times by the trainers.

float16 on disk where it holds them: 2 bytes halve the reading, and cost a relative rounding error of 5e-4, far under
what an SAE reconstructs. Some models' activations exceed its 65,504 (Gemma 3: 99,000): a pilot looks, and they are
kept as float32. A larger one that comes later is never stored as infinity: the run is refused, and the same command
then keeps float32.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.process.progress import Progress
from analysis.reading.corpus import ContextStream
from analysis.reading.model import LanguageModel

_PROGRESS = "progress.json"
_ENDS = {"float16": "f16", "float32": "f32"}
FLOAT16_MOST = 65_504.0
_ROOM = 2.0  # the largest of the pilot may be exceeded so many times later
_PILOT = 4  # batches: on 8,192 tokens the largest of a model is met within a few per cent


def _nothing(_words: str) -> None:
    pass


class ActivationCache:
    """`tokens` rows of d_model numbers per hook point, in a folder.

    Args:
        folder: where the files are.
        hooks: hook points.
        tokens: rows per file.
        d_model: columns.
        dtype: float16 or float32.
    """

    def __init__(self, folder: Path, hooks: Sequence[str], tokens: int, d_model: int, dtype: str = "float16") -> None:
        self.folder, self.hooks, self.tokens, self.d_model = folder, list(hooks), tokens, d_model
        self.dtype = dtype

    @property
    def wider(self) -> Path:
        """The folder of the same in float32; where it is there, float32 was chosen."""
        return self.folder.with_name(f"{self.folder.name}-float32")

    def rows(self, hook: str, mode: str = "r") -> np.memmap:
        """The file of one hook point as an array [tokens, d_model]."""
        path = self.folder / f"{hook}.{_ENDS[self.dtype]}"
        shape, kind = (self.tokens, self.d_model), np.dtype(self.dtype).newbyteorder("<")
        return np.memmap(path, dtype=kind, mode=mode if path.exists() else "w+", shape=shape)  # type: ignore[call-overload,no-any-return]

    def fill(self, model: LanguageModel, stream: ContextStream, progress: Progress = lambda _n: None) -> None:
        """Run the model over the stream and write every counted token; goes on where it stopped.

        Raises:
            UserError: the text ended before `tokens` tokens, or a value that the cache cannot hold.
        """
        fill_together([self], model, stream, progress)

    def progress(self) -> tuple[int, int]:
        """Rows that are there, and contexts that gave them."""
        path = self.folder / _PROGRESS
        if not path.exists():
            return 0, 0
        note = json.loads(path.read_text())
        return int(note["done"]), int(note["cursor"])

    def note(self, done: int, cursor: int) -> None:
        """Remember how far the files are filled; they must have been flushed."""
        path = self.folder / _PROGRESS
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps({"done": done, "cursor": cursor}))
        os.replace(temporary, path)


def fill_together(
    caches: Sequence[ActivationCache],
    model: LanguageModel,
    stream: ContextStream,
    progress: Progress = lambda _n: None,
) -> None:
    """Fill several caches of one stream in one forward; all must be filled equally far.

    Raises:
        UserError: the text ended before `tokens` tokens, or a value that a cache cannot hold.
    """
    (done, cursor), tokens = caches[0].progress(), caches[0].tokens
    if done >= tokens:
        return
    files = [(hook, cache, cache.rows(hook, "r+")) for cache in caches for hook in cache.hooks]
    hooks = list(dict.fromkeys(hook for hook, _cache, _rows in files))
    for number, batch in enumerate(stream.batches(skip=cursor)):
        kept = model.read(batch.ids, batch.attention, hooks)
        mask = batch.mask.to(model.device)
        count = min(int(mask.sum()), tokens - done)
        for hook, cache, rows in files:
            values = kept[hook][mask][:count]
            _check_held(cache, hook, _largest(values, hook))
            rows[done : done + count] = values.to(getattr(torch, cache.dtype)).cpu().numpy()
        done += count
        progress(count)
        if number % 16 == 0 or done >= tokens:
            for _hook, _cache, rows in files:
                rows.flush()
            for cache in caches:
                cache.note(done, batch.cursor)
    if done < tokens:
        raise UserError(f"the corpus gave {done:,} tokens; expected {tokens:,}: lower --tokens")


def _largest(values: Tensor, hook: str) -> float:
    """Largest absolute value.

    Raises:
        UserError: the model itself gave no number.
    """
    if not len(values):
        return 0.0
    found = float(values.abs().max())
    if not math.isfinite(found):
        raise UserError(f"{hook}: expected numbers; the model gave {found} there, so nothing can be trained on it")
    return found


def _check_held(cache: ActivationCache, hook: str, largest: float) -> None:
    """Refuse what float16 would make infinite; the next run keeps float32."""
    if cache.dtype == "float16" and largest > FLOAT16_MOST:
        cache.wider.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(cache.folder)
        raise UserError(
            f"{hook}: an activation of {largest:,.0f} is more than the cache's float16 holds ({FLOAT16_MOST:,.0f}), and"
            " the first tokens did not show it: repeat the command, which then keeps float32 (twice the disk)"
        )


def cache_for(
    base: Path,
    model: LanguageModel,
    stream: ContextStream,
    hooks: Sequence[str],
    say: Callable[[str], None] = _nothing,
) -> ActivationCache:
    """The cache folder that belongs to this model, text, sample and hook points; float32 where a pilot demands it.

    Args:
        say: is told so.

    Raises:
        UserError: an activation that is no number.
    """
    parts: list[object] = [model.fingerprint, model.dtype_name, str(model.centred), stream.corpus.sha256, sorted(hooks)]
    parts += [
        stream.bos,
        stream.context,
        stream.batch,
        stream.tokens,
        stream.seed,
        stream.held_out,
        stream.only_held_out,
    ]
    key = hash_of(parts)[:16]
    cache = ActivationCache(base / key, hooks, stream.tokens, model.d_model)
    if not cache.wider.exists() and not cache.progress()[0]:
        _pilot(cache, model, stream, say)
    if cache.wider.exists():
        cache = ActivationCache(cache.wider, hooks, stream.tokens, model.d_model, "float32")
    cache.folder.mkdir(parents=True, exist_ok=True)
    return cache


def _pilot(cache: ActivationCache, model: LanguageModel, stream: ContextStream, say: Callable[[str], None]) -> None:
    """Choose float32, by making its folder, where float16 might not hold what comes."""
    largest = dict.fromkeys(cache.hooks, 0.0)
    for batch in islice(stream.batches(), _PILOT):
        kept = model.read(batch.ids, batch.attention, cache.hooks)
        for hook in cache.hooks:
            largest[hook] = max(largest[hook], _largest(kept[hook][batch.mask.to(model.device)], hook))
    hook = max(largest, key=lambda name: largest[name])
    if largest[hook] * _ROOM > FLOAT16_MOST:
        cache.wider.mkdir(parents=True)
        say(
            f"{hook}: activations reach {largest[hook]:,.0f}, and float16 holds {FLOAT16_MOST:,.0f}: the cache keeps"
            " float32 (twice the disk)"
        )


def shuffled_batches(rows: np.memmap, batch: int, seed: int, start: int = 0) -> Iterator[Tensor]:
    """Endless batches [batch, d_model] float32, in a new random order every epoch.

    Batch number i depends on `seed` and i alone, so training resumes at `start` with the same data.
    """
    per_epoch = len(rows) // batch
    if per_epoch == 0:
        raise UserError(f"{len(rows):,} cached tokens are fewer than one training batch of {batch:,}")
    number = start
    while True:
        epoch = number // per_epoch
        order = np.random.default_rng([seed, epoch]).permutation(len(rows))
        for position in range(number % per_epoch, per_epoch):
            picked = np.sort(order[position * batch : (position + 1) * batch])
            yield torch.from_numpy(rows[picked].astype(np.float32))
        number = (epoch + 1) * per_epoch
