"""How good an SAE is, on documents it was not trained on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from analysis.reading.corpus import ContextStream
from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae
from analysis.statistics.plan import MASSIVE


def evaluate(model: LanguageModel, sae: LoadedSae, stream: ContextStream) -> dict[str, Any]:
    """FVU, L0, share of latents that never fire, and loss recovered, over the stream's counted tokens.

    FVU is summed squared error over summed squared distance from the mean, massive tokens left out as in the
    analysis: longer than 6 times the median of the first batch. Loss recovered is
    (loss with the activation zeroed - loss with the SAE spliced in) / (zeroed - clean), where
    only counted positions are replaced and only counted targets are averaged.

    Returns:
        plain numbers; losses in nats per token. `loss_without_bottleneck` is that of what a bottleneck leaves of x.
    """
    total = _Sums(sae)
    for batch in stream.batches():
        mask = batch.mask.to(model.device)
        targets = batch.mask[:, 1:]
        x = model.read(batch.ids, batch.attention, [sae.hook_point])[sae.hook_point]
        rebuilt = total.add(x[mask])
        spliced = x.clone()
        spliced[mask] = rebuilt
        zeroed = torch.where(mask[..., None], torch.zeros_like(x), x)
        values = {"clean": x, "spliced": spliced, "zeroed": zeroed}
        if sae.bottleneck is not None:
            values["without_bottleneck"] = torch.where(mask[..., None], sae.bottleneck.rest(x), x)
        for name, value in values.items():
            losses = _losses_with(model, sae.hook_point, batch.ids, batch.attention, value, name == "clean")
            total.losses[name] += float(losses.cpu()[targets].double().sum())
        total.targets += int(targets.sum())
    return total.result()


def _losses_with(model: LanguageModel, hook: str, ids: Tensor, attention: Tensor, value: Tensor, clean: bool) -> Tensor:
    return model.token_losses(ids, attention, None if clean else {hook: lambda _x: value})


class _Sums:
    def __init__(self, sae: LoadedSae) -> None:
        self.sae = sae
        self.tokens = self.targets = self.ordinary = 0
        self.longest: float | None = None
        self.firing = self.error = self.squares = 0.0
        self.sum = torch.zeros(sae.d_in, dtype=torch.float64)
        self.fired = torch.zeros(sae.n_latents, dtype=torch.bool)
        self.losses = dict.fromkeys(("clean", "spliced", "zeroed"), 0.0)
        if sae.bottleneck is not None:
            self.losses["without_bottleneck"] = 0.0

    def add(self, x: Tensor) -> Tensor:
        acts = self.sae.encode(x)
        rebuilt = self.sae.decode(acts)
        self.tokens += len(x)
        self.firing += float((acts != 0).sum())
        self.fired |= (acts != 0).any(0).cpu()
        lengths = x.norm(dim=1)
        if self.longest is None:
            self.longest = MASSIVE * float(lengths.median())
        ordinary = lengths <= self.longest
        self.ordinary += int(ordinary.sum())
        self.error += float((x - rebuilt)[ordinary].double().square().sum())
        self.squares += float(x[ordinary].double().square().sum())
        self.sum += x[ordinary].double().sum(0).cpu()
        return rebuilt

    def result(self) -> dict[str, Any]:
        variance = self.squares - float(self.sum.square().sum()) / max(1, self.ordinary)
        per_token = {name: value / self.targets for name, value in self.losses.items()}
        gap = per_token["zeroed"] - per_token["clean"]
        return {
            "held_out_tokens": self.tokens,
            "fvu": self.error / variance,
            "l0": self.firing / self.tokens,
            "never_fired_share": 1 - float(self.fired.double().mean()),
            **{f"loss_{name}": value for name, value in per_token.items()},
            "loss_recovered": (per_token["zeroed"] - per_token["spliced"]) / gap if gap > 0 else None,
        }
