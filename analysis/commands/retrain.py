"""The worker's `retrain` command: argv -> config -> one call. torch is imported only once it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from analysis.interventions.retrain.config import ARMS, RetrainConfig

console = Console(highlight=False, soft_wrap=True)


def retrain(
    sae: Annotated[
        list[str], typer.Option(help="Slug or layer of an analysed SAE; repeat for more, an experiment each.")
    ],
    db: Annotated[
        str, typer.Option(envvar="DENSE_LATENTS_DB", help="A store that analyze or demo made.")
    ] = "dense-latents.db",
    run: Annotated[int | None, typer.Option(help="Id of the run; the newest complete one without it.")] = None,
    arms: Annotated[list[str] | None, typer.Option(help=f"Repeat for more: {', '.join(ARMS)}; all without it.")] = None,
    seeds: Annotated[int, typer.Option(help="SAEs of each headline arm: original, dense, dimension.")] = 3,
    other_seeds: Annotated[int, typer.Option(help="SAEs of each other arm.")] = 1,
    architecture: Annotated[str | None, typer.Option(help="batchtopk, topk, jumprelu or abstopk; as the SAE.")] = None,
    width: Annotated[int | None, typer.Option(help="Number of latents; as the SAE.")] = None,
    k: Annotated[float | None, typer.Option(help="Latents on per token; as the SAE.")] = None,
    train_tokens: Annotated[int, typer.Option(help="Token-steps of each SAE.")] = 7_000_000,
    tokens: Annotated[int, typer.Option(help="Different tokens to cache and train on.")] = 600_000,
    eval_tokens: Annotated[int, typer.Option(help="Held-out tokens that everything is measured on.")] = 60_000,
    batch: Annotated[int | None, typer.Option(help="Tokens per training step; as the SAE.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of Adam's rate; as the SAE.")] = None,
    context: Annotated[int | None, typer.Option(help="Tokens per context, BOS included; as the run.")] = None,
    held_out: Annotated[float, typer.Option(help="Share of documents that are never trained on.")] = 0.1,
    energy: Annotated[float, typer.Option(help="Share of the decoder directions that their span keeps.")] = 0.99,
    mean: Annotated[bool, typer.Option("--mean", help="Put what is removed at its mean, not at zero.")] = False,
    found_cosine: Annotated[float, typer.Option(help="|cosine| from which a latent counts as found again.")] = 0.7,
    jobs: Annotated[int, typer.Option(help="SAEs trained at the same time.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder of the arms' SAEs; in the cache folder without it.")] = None,
    model: Annotated[str | None, typer.Option(help="Where the model is now.")] = None,
    weights: Annotated[list[str] | None, typer.Option(help="Where the SAEs are now, one for each --sae.")] = None,
    corpus: Annotated[str | None, typer.Option(help="Where the texts are now.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the model: auto, bfloat16, float16 or float32.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json: Annotated[Path | None, typer.Option(help="Write the experiments there; SLUG goes in for several.")] = None,
) -> None:
    """Train SAEs without the dense latents' subspace, and with fair controls: do dense latents come back?"""
    config = RetrainConfig(
        db=db,
        saes=sae,
        run=run,
        arms=arms or list(ARMS),
        seeds=seeds,
        other_seeds=other_seeds,
        architecture=architecture,
        width=width,
        k=k,
        learning_rate=learning_rate,
        batch=batch,
        train_tokens=train_tokens,
        tokens=tokens,
        eval_tokens=eval_tokens,
        context=context,
        held_out=held_out,
        energy=energy,
        mean=mean,
        found_cosine=found_cosine,
        jobs=jobs,
        out=out,
        model=model,
        weights=weights or [],
        corpus=corpus,
        dtype=dtype,
        device=device,
    )
    from analysis.interventions.retrain.command import retrain as start

    start(config, console, json)
