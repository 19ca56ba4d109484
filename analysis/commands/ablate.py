"""The options of `ablate`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


def ablate(
    sae: Annotated[list[str], typer.Option(help="Slug of an analysed SAE, or its layer; repeat for more.")],
    db: Annotated[
        str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL with the analysis.")
    ] = "dense-latents.db",
    run: Annotated[int | None, typer.Option(help="Id of the run; the newest complete one without it.")] = None,
    tokens: Annotated[int, typer.Option(help="Tokens of text to ablate on.")] = 20_000,
    controls: Annotated[int, typer.Option(help="Controls of each kind for each dense latent and pair.")] = 1,
    sets: Annotated[int, typer.Option(help="Controls of each kind for the whole dense set.")] = 3,
    epsilon: Annotated[float, typer.Option(help="Nats per token; a loss within +- epsilon is equivalent to none.")] = (
        0.002
    ),
    seed: Annotated[int, typer.Option(help="Of controls and bootstrap.")] = 0,
    contexts: Annotated[int, typer.Option(help="Contexts per forward pass.")] = 2,
    rows: Annotated[int, typer.Option(help="Tokens x ablations per forward pass.")] = 16_384,
    model: Annotated[str | None, typer.Option(help="Where the model is now, should it have moved.")] = None,
    weights: Annotated[str | None, typer.Option(help="Where the SAE is now, should it have moved.")] = None,
    corpus: Annotated[str | None, typer.Option(help="Where the text is now, should it have moved.")] = None,
    dtype: Annotated[str, typer.Option(help="Of the model: float32, bfloat16, float16 or auto.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    checkpoint_seconds: Annotated[float, typer.Option(help="Time between checkpoints.")] = 60.0,
) -> None:
    """Hold each dense latent, each pair and all of them at their mean, and measure what the model says then."""
    from analysis.interventions.ablate.command import ablate as measure
    from analysis.interventions.ablate.config import AblateConfig

    for each in sae:
        config = AblateConfig(
            sae=each,
            db=db,
            run=run,
            tokens=tokens,
            controls=controls,
            sets=sets,
            epsilon=epsilon,
            seed=seed,
            contexts=contexts,
            rows=rows,
            model=model,
            weights=weights,
            corpus=corpus,
            dtype=dtype,
            device=device,
            checkpoint_seconds=checkpoint_seconds,
        )
        measure(config, console)
