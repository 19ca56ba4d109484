"""Residual-stream activations on disk: one forward for all layers, read many times by the trainers.

float16 on disk: the residual stream without BOS stays far below its limit, and 2 bytes halve the
reading. Cost: a relative rounding error of 5e-4, far under what an SAE reconstructs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
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


class ActivationCache:
    """`tokens` rows of d_model float16 numbers per hook point, in a folder.

    Args:
        folder: where the files are.
        hooks: hook points.
        tokens: rows per file.
        d_model: columns.
    """

    def __init__(self, folder: Path, hooks: Sequence[str], tokens: int, d_model: int) -> None:
        self.folder, self.hooks, self.tokens, self.d_model = folder, list(hooks), tokens, d_model

    def rows(self, hook: str, mode: str = "r") -> np.memmap:
        """The file of one hook point as an array [tokens, d_model] float16."""
        path = self.folder / f"{hook}.f16"
        shape = (self.tokens, self.d_model)
        return np.memmap(path, dtype="<f2", mode=mode if path.exists() else "w+", shape=shape)  # type: ignore[call-overload,no-any-return]

    def fill(self, model: LanguageModel, stream: ContextStream, progress: Progress = lambda _n: None) -> None:
        """Run the model over the stream and write every counted token; goes on where it stopped.

        Raises:
            UserError: the text ended before `tokens` tokens.
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
        UserError: the text ended before `tokens` tokens.
    """
    (done, cursor), tokens = caches[0].progress(), caches[0].tokens
    if done >= tokens:
        return
    files = [(hook, cache.rows(hook, "r+")) for cache in caches for hook in cache.hooks]
    hooks = list(dict.fromkeys(hook for hook, _rows in files))
    for number, batch in enumerate(stream.batches(skip=cursor)):
        kept = model.read(batch.ids, batch.attention, hooks)
        mask = batch.mask.to(model.device)
        count = min(int(mask.sum()), tokens - done)
        for hook, rows in files:
            rows[done : done + count] = kept[hook][mask][:count].to(torch.float16).cpu().numpy()
        done += count
        progress(count)
        if number % 16 == 0 or done >= tokens:
            for _hook, rows in files:
                rows.flush()
            for cache in caches:
                cache.note(done, batch.cursor)
    if done < tokens:
        raise UserError(f"the corpus gave {done:,} tokens; expected {tokens:,}: lower --tokens")


def cache_for(base: Path, model: LanguageModel, stream: ContextStream, hooks: Sequence[str]) -> ActivationCache:
    """The cache folder that belongs to this model, text, sample and hook points."""
    parts: list[object] = [model.fingerprint, str(model.centred), stream.corpus.sha256, sorted(hooks)]
    parts += [stream.context, stream.batch, stream.tokens, stream.seed, stream.held_out, stream.only_held_out]
    key = hash_of(parts)[:16]
    folder = base / key
    folder.mkdir(parents=True, exist_ok=True)
    return ActivationCache(folder, hooks, stream.tokens, model.d_model)


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
