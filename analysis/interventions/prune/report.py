"""An SAE before and after, on the same tokens of documents that were held out; a transcoder where it writes."""

from __future__ import annotations

from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from analysis.process.progress import Progress
from analysis.reading.batches import TokenBatch
from analysis.reading.corpus import GROUPS, ContextStream
from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae
from analysis.statistics.intervals import jackknife_ratio
from analysis.statistics.signals import sum_by

Report = dict[str, Any]


class Side:
    """Sums of one SAE over groups of documents."""

    def __init__(self, sae: LoadedSae) -> None:
        self.sae = sae
        self.fired = torch.zeros(sae.n_latents, dtype=torch.int64)
        self.error, self.firing, self.loss = (torch.zeros(GROUPS, dtype=torch.float64) for _ in range(3))

    def rebuild(self, x: Tensor, target: Tensor, group: Tensor) -> Tensor:
        """What it makes of the tokens [n, d_in], to be `target` [n, d_out]; `group` [n]."""
        acts = self.sae.encode(x)
        rebuilt = self.sae.decode(acts)
        on = (acts != 0).cpu()
        self.fired += on.sum(0)
        self.firing += sum_by(group, on.sum(1), GROUPS)
        self.error += sum_by(group, (target - rebuilt).double().square().sum(1).cpu(), GROUPS)
        return rebuilt


class Comparison:
    """Both, with what they share: the tokens, the model as it is, the spread of what is rebuilt or predicted.

    Args:
        model: the language model.
        before, after: of the same hook points.
    """

    def __init__(self, model: LanguageModel, before: LoadedSae, after: LoadedSae) -> None:
        self.model, self.sides = model, (Side(before), Side(after))
        self.tokens, self.targets, self.squares, self.clean = (
            torch.zeros(GROUPS, dtype=torch.float64) for _ in range(4)
        )
        self.sums = torch.zeros(GROUPS, before.d_out, dtype=torch.float64)
        self.documents: set[int] = set()

    def read(self, stream: ContextStream, progress: Progress) -> None:
        """Add all tokens of the stream."""
        for batch in stream.batches():
            self._add(batch)
            progress(int(batch.mask.sum()))

    def _add(self, batch: TokenBatch) -> None:
        sae = self.sides[0].sae
        found = self.model.read(batch.ids, batch.attention, sae.hooks)
        whole = found[sae.hook_out]
        mask = batch.mask.to(whole.device)
        x, wanted = found[sae.hook_point][mask], whole[mask]
        group = batch.group[:, None].expand_as(batch.mask)[batch.mask]
        self.tokens += sum_by(group, torch.ones(len(group)), GROUPS)
        self.squares += sum_by(group, wanted.double().square().sum(1).cpu(), GROUPS)
        self.sums += sum_by(group, wanted.cpu(), GROUPS)
        self.documents.update(batch.document[batch.mask.any(1)].tolist())
        target = batch.mask[:, 1:]
        owner = batch.group[:, None].expand_as(target)[target]
        self.targets += sum_by(owner, torch.ones(len(owner)), GROUPS)
        self.clean += sum_by(owner, self._losses(batch, None)[target], GROUPS)
        for side in self.sides:
            spliced = whole.clone()
            spliced[mask] = side.rebuild(x, wanted, group)
            side.loss += sum_by(owner, self._losses(batch, spliced)[target], GROUPS)

    def _losses(self, batch: TokenBatch, spliced: Tensor | None) -> Tensor:
        """[B, T-1]: with what the SAE gives in the place of the counted tokens, or as the model is."""
        hook = self.sides[0].sae.hook_out
        replace = None if spliced is None else {hook: lambda _x: spliced}
        return self.model.token_losses(batch.ids, batch.attention, replace).cpu()

    def report(self, threshold: float) -> Report:
        """Plain numbers. Loss in nats per token with the SAE spliced in; changes are after less before, with 95 %
        intervals over groups of documents. FVU is summed squared error over summed squared distance from the mean.

        Args:
            threshold: a latent is dense above this density.
        """
        before, after = self.sides
        spread = self._spread()
        change = {
            "loss": _interval(after.loss - before.loss, self.targets),
            "fvu": _interval(after.error - before.error, spread),
            "l0": _interval(after.firing - before.firing, self.tokens),
        }
        return {
            "tokens": int(self.tokens.sum()),
            "documents": len(self.documents),
            "dense_threshold": threshold,
            "loss_clean": float(self.clean.sum() / self.targets.sum()),
            "before": self._side(before, spread, threshold),
            "after": self._side(after, spread, threshold),
            "change": change,
        }

    def _side(self, side: Side, spread: Tensor, threshold: float) -> Report:
        tokens = float(self.tokens.sum())
        return {
            "latents": side.sae.n_latents,
            "loss": float(side.loss.sum() / self.targets.sum()),
            "fvu": float(side.error.sum() / spread.sum()),
            "l0": float(side.firing.sum()) / tokens,
            "dense": int((side.fired.double() / tokens > threshold).sum()),
        }

    def _spread(self) -> Tensor:
        """[groups]: squared distance of the tokens from the mean over all of them."""
        mean = self.sums.sum(0) / self.tokens.sum()
        return self.squares - 2 * self.sums @ mean + self.tokens * (mean @ mean)


def _interval(above: Tensor, below: Tensor) -> dict[str, float | None]:
    """The ratio with its interval; bounds None where only one group of documents was read."""
    value, low, high = (float(part) for part in jackknife_ratio(above, below))
    known = low == low and high == high
    return {"value": value, "low": low if known else None, "high": high if known else None}


def table(report: Report, title: str) -> Table:
    """The report for people."""
    made = Table(title=title)
    for head in ("", "before", "after", "change (95 % over documents)"):
        made.add_column(head, justify="left" if not head else "right")
    before, after, change = report["before"], report["after"], report["change"]
    made.add_row("latents", f"{before['latents']:,}", f"{after['latents']:,}", _count(before, after, "latents"))
    loss = "loss with the SAE in place, nats per token"
    made.add_row(loss, f"{before['loss']:.4f}", f"{after['loss']:.4f}", _shown(change["loss"], 4))
    made.add_row("loss of the model as it is", f"{report['loss_clean']:.4f}", f"{report['loss_clean']:.4f}", "")
    made.add_row(
        "variance not explained (FVU)", f"{before['fvu']:.4f}", f"{after['fvu']:.4f}", _shown(change["fvu"], 4)
    )
    made.add_row("latents on per token (L0)", f"{before['l0']:.2f}", f"{after['l0']:.2f}", _shown(change["l0"], 2))
    dense = f"dense latents (density above {report['dense_threshold']:g})"
    made.add_row(dense, f"{before['dense']:,}", f"{after['dense']:,}", _count(before, after, "dense"))
    return made


def _count(before: Report, after: Report, name: str) -> str:
    return _signed(after[name] - before[name], 0) if after[name] != before[name] else "0"


def _shown(change: dict[str, float | None], digits: int) -> str:
    value, low, high = change["value"], change["low"], change["high"]
    text = _signed(value or 0.0, digits)
    if low is None or high is None:
        return f"{text} (no interval: one group of documents)"
    return f"{text} ({_signed(low, digits)} to {_signed(high, digits)})"


def _signed(value: float, digits: int) -> str:
    return f"{value:+,.{digits}f}".replace("-", "\u2212")
