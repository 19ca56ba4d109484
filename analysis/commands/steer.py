"""The options of `steer`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


def steer(
    sae: Annotated[list[str], typer.Option(help="Slug of an analysed SAE, or its layer; repeat for more.")],
    db: Annotated[
        str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL with the analysis.")
    ] = "dense-latents.db",
    run: Annotated[int | None, typer.Option(help="Id of the run; the newest complete one without it.")] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(help="POS:NEG, an antipodal pair; repeat for more. Without --pair and --latent: candidates of"
                     " context binding first, then other pairs."),
    ] = None,
    latent: Annotated[list[int] | None, typer.Option(help="A latent without a mirror image; repeat for more.")] = None,
    limit: Annotated[int, typer.Option(help="Signals at most, where none is named.")] = 8,
    texts: Annotated[int, typer.Option(help="Pairs of texts: half choose the dose, the others measure.")] = 24,
    controls: Annotated[int, typer.Option(help="Random directions, and sparse latents, both ways round each.")] = 3,
    length: Annotated[int, typer.Option(help="Tokens of each text.")] = 24,
    examples: Annotated[int, typer.Option(help="Beginnings continued with and without steering, for each pair.")] = 3,
    seed: Annotated[int, typer.Option(help="Of controls and bootstrap.")] = 0,
    model: Annotated[str | None, typer.Option(help="Where the model is now, should it have moved.")] = None,
    weights: Annotated[str | None, typer.Option(help="Where the SAE is now, should it have moved.")] = None,
    corpus: Annotated[str | None, typer.Option(help="Where the text is now, should it have moved.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the model: float32, bfloat16, float16 or auto.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:  # fmt: skip
    """Push the model along a signal: does it then find the text of that side the likelier one?"""
    from analysis.interventions.steer.command import steer as measure
    from analysis.interventions.steer.config import SteerConfig, parse_pairs

    for each in sae:
        config = SteerConfig(
            sae=each,
            db=db,
            run=run,
            pairs=parse_pairs(pair or []),
            latents=latent or [],
            limit=limit,
            texts=texts,
            controls=controls,
            length=length,
            examples=examples,
            seed=seed,
            model=model,
            weights=weights,
            corpus=corpus,
            dtype=dtype,
            device=device,
        )
        measure(config, console)
