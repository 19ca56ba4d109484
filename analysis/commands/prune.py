"""The options of `prune`. torch is imported only once it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


def prune(
    sae: Annotated[str, typer.Option(help="Slug of an analysed SAE, or its layer.")],
    out: Annotated[Path, typer.Option(help="Folder of the new SAE; made, or empty.")],
    verdict: Annotated[
        str | None, typer.Option(help="Remove all latents with this verdict by rule: prune, investigate or keep.")
    ] = None,
    latents: Annotated[
        str | None,
        typer.Option(help="Or these: 3,17,40, or a file: an index a line, or CSV or JSON with a column `index`."),
    ] = None,
    db: Annotated[
        str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL with the analysis.")
    ] = "dense-latents.db",
    run: Annotated[int | None, typer.Option(help="Id of the run; the newest complete one without it.")] = None,
    fold_mean: Annotated[
        bool, typer.Option("--fold-mean/--no-fold-mean", help="Add what they contribute on average to b_dec.")
    ] = True,
    tokens: Annotated[int, typer.Option(help="Held-out tokens of the report; means are over as many others.")] = 20_000,
    held_out: Annotated[float, typer.Option(help="Share of documents kept for the report.")] = 0.1,
    contexts: Annotated[int, typer.Option(help="Contexts per batch.")] = 8,
    model: Annotated[str | None, typer.Option(help="Where the model is now, should it have moved.")] = None,
    weights: Annotated[str | None, typer.Option(help="Where the SAE is now, should it have moved.")] = None,
    corpus: Annotated[str | None, typer.Option(help="Where the text is now, should it have moved.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the model: float32, bfloat16, float16 or auto.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Write the SAE without some latents, in sae-lens' format, and say what that costs on held-out text."""
    from analysis.interventions.prune.command import prune as run_it
    from analysis.interventions.prune.config import PruneConfig

    config = PruneConfig(
        sae=sae,
        out=out,
        verdict=verdict,
        latents=latents,
        db=db,
        run=run,
        fold_mean=fold_mean,
        tokens=tokens,
        held_out=held_out,
        contexts=contexts,
        model=model,
        weights=weights,
        corpus=corpus,
        dtype=dtype,
        device=device,
    )
    run_it(config, console)
