"""The plain way to ablate, one latent at a time through the whole model, and what the fast way saves over it.

Run it: python -m tests.plain_ablation --db STORE --sae LAYER
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import torch
import typer
from torch import Tensor

from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.ablate.measure import Ablation
from analysis.interventions.ablate.sums import EffectSums
from analysis.interventions.ablate.variants import Variant, Wanted, variants
from analysis.interventions.readout import Changes
from analysis.interventions.subject import Subject, open_subject
from analysis.reading import hook_points
from analysis.reading.batches import TokenBatch


class Run(NamedTuple):
    """One whole forward pass."""

    final: Tensor  # [B, T, D], the final norm's input
    logp: Tensor  # [B, T - 1, vocab]


@torch.no_grad()
def run(subject: Subject, batch: TokenBatch, change: Tensor | None = None) -> Run:
    """The model, with `change` [B, T, D] added at the hook point."""
    model = subject.model
    kept: list[Tensor] = []
    handles: list[Any] = [
        hook_points.final_norm(model.module).register_forward_pre_hook(lambda _m, args: kept.append(args[0]))
    ]
    if change is not None:
        handles.append(hook_points.on_write(model.module, subject.stored.hook_point, lambda x: x + change))
    try:
        logits = model._forward(batch.ids, batch.attention).logits
    finally:
        for handle in handles:
            handle.remove()
    return Run(kept[0], logits[:, :-1, : model.vocab_size].log_softmax(-1))


@torch.no_grad()
def plain_changes(subject: Subject, batch: TokenBatch, clean: Run, change: Tensor) -> Changes:
    """What one change does; the final norm with the clean scale is written out, and unembedded by the model's own head.

    Returns:
        [1, B, T - 1] each.
    """
    total = run(subject, batch, change)
    head = subject.model.module.get_output_embeddings()  # type: ignore[operator]
    frozen = head(_normed(subject, total.final, _scale(subject, clean.final)))
    cap: float | None = getattr(subject.model.config, "final_logit_softcapping", None)
    frozen = frozen if cap is None else (frozen / cap).tanh() * cap
    direct = frozen[:, :-1, : subject.model.vocab_size].log_softmax(-1)
    right = batch.ids[:, 1:, None].to(direct.device)

    def loss(logp: Tensor) -> Tensor:
        return -logp.gather(-1, right)[..., 0]

    def entropy(logp: Tensor) -> Tensor:
        return -(logp.exp() * logp).sum(-1)

    def rank(logp: Tensor) -> Tensor:
        return ((logp > logp.gather(-1, right)).sum(-1) + 1).to(logp.dtype).log2()

    found = (
        loss(total.logp) - loss(clean.logp),
        entropy(total.logp) - entropy(clean.logp),
        (clean.logp.exp() * (clean.logp - total.logp)).sum(-1),
        (clean.logp.argmax(-1) != total.logp.argmax(-1)).to(clean.logp.dtype),
        rank(total.logp) - rank(clean.logp),
        loss(direct) - loss(clean.logp),
        entropy(direct) - entropy(clean.logp),
    )
    return Changes(*(part[None] for part in found))


def _scale(subject: Subject, x: Tensor) -> Tensor:
    norm: Any = hook_points.final_norm(subject.model.module)
    if hook_points.has_layer_norm(subject.model.module):
        spread: Tensor = (x.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt()
        return spread
    eps: float = norm.variance_epsilon if hasattr(norm, "variance_epsilon") else norm.eps
    scale: Tensor = (x.square().mean(-1, keepdim=True) + eps).sqrt()
    return scale


def _normed(subject: Subject, x: Tensor, scale: Tensor) -> Tensor:
    gain = hook_points.final_gain(subject.model.module).to(x)
    if not hook_points.has_layer_norm(subject.model.module):
        return x / scale * gain
    norm: Any = hook_points.final_norm(subject.model.module)
    return (x - x.mean(-1, keepdim=True)) / scale * gain + cast(Tensor, norm.bias)


def compare(
    db: Annotated[str, typer.Option(help="A store with the analysis.")] = "demo.db",
    sae: Annotated[str, typer.Option(help="Slug, or layer.")] = "29",
    tokens: Annotated[int, typer.Option(help="Tokens both ways are timed on.")] = 1000,
    latents: Annotated[int, typer.Option(help="Latents the plain way is timed on; each takes it as long.")] = 4,
) -> None:
    """Time both ways on the same batches, taking turns, and compare their numbers."""
    subject = open_subject(db, sae, dtype="float32")
    with tempfile.TemporaryDirectory() as folder:
        typer.echo(
            json.dumps(_compare(subject, AblateConfig(sae=sae, db=db, tokens=tokens), Path(folder), latents), indent=1)
        )


def _compare(subject: Subject, config: AblateConfig, folder: Path, few: int) -> dict[str, Any]:
    ablation = Ablation(subject, config, folder)
    totals = ablation.read(lambda _tokens: None)
    made = variants(subject.stored, subject.sae.decoder.cpu(), totals, Wanted(0, 0, 0))
    made = [each for each in made if each.subject == "latent" and each.index in set(subject.stored.dense)]
    fast, plain = EffectSums(len(made), subject.sae.d_in), torch.zeros(few, len(Changes._fields), dtype=torch.float64)
    seconds = {"fast": 0.0, "plain": 0.0}
    for number, batch in enumerate(ablation.batches()):
        started = time.perf_counter()
        ablation.add(number, batch, made, totals.mean, fast)
        seconds["fast"] += time.perf_counter() - started
        clean = run(subject, batch)  # once for all latents, and not counted
        started = time.perf_counter()
        for place in range(few):
            plain[place] += _plain_sums(subject, batch, clean, made[place], totals.mean)
        seconds["plain"] += time.perf_counter() - started
    mine = fast.tensors["changes"][:few, : len(Changes._fields)].sum(-1)
    return {
        "hook_point": subject.stored.hook_point,
        "tokens": config.tokens,
        "latents": len(made),
        "fast_seconds_per_latent": seconds["fast"] / len(made),
        "plain_seconds_per_latent": seconds["plain"] / few,
        "ratio": seconds["plain"] / few / (seconds["fast"] / len(made)),
        "largest_difference": dict(zip(Changes._fields, _difference(mine, plain, config.tokens), strict=True)),
    }


def _difference(mine: Tensor, plain: Tensor, tokens: int) -> list[float]:
    """The largest difference of a mean, by measure."""
    found: list[float] = ((mine - plain).abs().amax(0) / tokens).tolist()
    return found


def _plain_sums(subject: Subject, batch: TokenBatch, clean: Run, variant: Variant, mean: Tensor) -> Tensor:
    """[measures]: sums over the measured tokens of a batch."""
    hook = subject.stored.hook_point
    mask = batch.mask.to(subject.model.device)
    x = subject.model.read(batch.ids, batch.attention, [hook])[hook]
    acts = subject.sae.encode(x[mask])[:, variant.latents] - mean[variant.latents].float().to(x.device)
    change = torch.zeros_like(x)
    change[mask] = -acts @ variant.directions.to(x)
    found = plain_changes(subject, batch, clean, change)
    measured = mask[:, :-1] & mask[:, 1:]
    return torch.stack([part[0][measured].double().sum() for part in found]).cpu()


if __name__ == "__main__":
    typer.run(compare)
