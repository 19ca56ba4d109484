"""What the model's next-token loss is with an SAE's reconstruction in its place, by group of documents."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from analysis.interventions.activations import SplitText
from analysis.interventions.retrain.held_out import draws_of
from analysis.process.progress import Progress
from analysis.reading.corpus import GROUPS
from analysis.reading.sae import LoadedSae
from analysis.statistics.intervals import percentiles

Losses = dict[str, list[float]]
"""Of the model as it is and changed: summed loss in nats of each of the 64 groups; `targets`: how many tokens."""
CLEAN, ZEROED, SPLICED, WITHOUT = "clean", "zeroed", "spliced", "without"
_Change = Callable[[Tensor], Tensor]


class Meter:
    """Losses on the held-out documents.

    Args:
        text: with the model.
        hook: where activations are replaced, on counted tokens alone.
        tokens: how many are read.
        measured_with: hash of what besides the SAE fixes the numbers.
    """

    def __init__(self, text: SplitText, hook: str, tokens: int, measured_with: str) -> None:
        self.text, self.hook, self.tokens, self.measured_with = text, hook, tokens, measured_with

    def of_model(self, path: Path, progress: Progress) -> Losses:
        """Clean, and with the activation put at zero; kept in a file."""
        return self._kept(path, {CLEAN: lambda x: x, ZEROED: torch.zeros_like}, progress)

    def of_sae(self, path: Path, sae: Callable[[], LoadedSae], progress: Progress) -> Losses:
        """With its reconstruction, and without what a bottleneck carries; kept in a file."""
        if (found := self._read(path)) is not None:
            return found
        loaded = sae()

        def splice(x: Tensor) -> Tensor:
            return loaded.decode(loaded.encode(x))

        changes: dict[str, _Change] = {SPLICED: splice}
        if loaded.bottleneck is not None:
            changes[WITHOUT] = loaded.bottleneck.rest
        return self._kept(path, changes, progress)

    def _read(self, path: Path) -> Losses | None:
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found["losses"] if found.get("measured_with") == self.measured_with else None

    def _kept(self, path: Path, changes: dict[str, _Change], progress: Progress) -> Losses:
        found = self._read(path)
        if found is None:
            found = self._measured(changes, progress)
            temporary = path.with_suffix(".new")
            temporary.write_text(json.dumps({"measured_with": self.measured_with, "losses": found}) + "\n")
            os.replace(temporary, path)
        return found

    @torch.no_grad()
    def _measured(self, changes: dict[str, _Change], progress: Progress) -> Losses:
        model = self.text.subject.model
        sums = {name: torch.zeros(GROUPS, dtype=torch.float64) for name in (*changes, "targets")}
        for batch in self.text.stream(self.tokens, only_held_out=True).batches():
            mask = batch.mask.to(model.device)
            targets = batch.mask[:, 1:]
            group = batch.group[:, None].expand_as(targets)[targets]
            for name, change in changes.items():
                losses = model.token_losses(batch.ids, batch.attention, {self.hook: _on(mask, change)}).cpu()
                sums[name].index_add_(0, group, losses[targets].double())
            sums["targets"] += torch.bincount(group, minlength=GROUPS)
            progress(int(batch.mask.sum()))
        return {name: values.tolist() for name, values in sums.items()}


def _on(mask: Tensor, change: _Change) -> _Change:
    def replaced(x: Tensor) -> Tensor:
        made = x.clone()
        made[mask] = change(x[mask]).to(made)
        return made

    return replaced


def loss_numbers(model: Losses, sae: Losses) -> dict[str, float | None]:
    """The share of the loss that is recovered, (zeroed - spliced) / (zeroed - clean), with its 95 % interval over
    documents, and the losses per token; None where zeroing costs nothing.
    """
    sums = {name: torch.tensor(values, dtype=torch.float64) for name, values in {**model, **sae}.items()}
    above, below = sums[ZEROED] - sums[SPLICED], sums[ZEROED] - sums[CLEAN]
    targets = float(sums["targets"].sum())
    found: dict[str, float | None] = {
        f"loss_{name}": float(sums[name].sum()) / targets if name in sums else None
        for name in (CLEAN, ZEROED, SPLICED, WITHOUT)
    }
    recovered: list[float | None] = [None] * 3
    if float(below.sum()) > 0:
        recovered[0] = float(above.sum() / below.sum())
        used = sums["targets"] > 0
        if int(used.sum()) > 1:
            weights = draws_of(int(used.sum()))
            recovered[1:] = percentiles((weights @ above[used]) / (weights @ below[used])).tolist()
    return found | dict(zip(("loss_recovered", "loss_recovered_low", "loss_recovered_high"), recovered, strict=True))
