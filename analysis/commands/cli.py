"""The worker's commands: argv -> config -> one call. torch is imported only once a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)

Models = Annotated[str, typer.Option(help="Local folder, .gguf file, hub id, or 'demo' (SmolLM2-135M-Instruct).")]
Texts = Annotated[str, typer.Option(help=".jsonl or .txt, gzipped or not, or a folder of those.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def analyze(
    sae: Annotated[list[str], typer.Option(help="SAE folder in sae-lens' format, or release:sae_id; repeat for more.")],
    model: Models = "demo",
    corpus: Texts = "demo",
    tokens: Annotated[int, typer.Option(help="Tokens to read, special ones not counted.")] = 100_000,
    db: Annotated[
        str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL; made if missing.")
    ] = "dense-latents.db",
    dense_threshold: Annotated[float, typer.Option(help="A latent is dense above this density.")] = 0.1,
    context: Annotated[int, typer.Option(help="Tokens per context, BOS included.")] = 256,
    seed: Annotated[int, typer.Option(help="Of the sample of contexts and examples.")] = 0,
    detail: Annotated[
        list[str] | None, typer.Option(help="LAYER:INDEX[,INDEX ...]: further latents with examples and profiles.")
    ] = None,
    text_field: Annotated[str, typer.Option(help="Column of a .jsonl that holds the text.")] = "text",
    classes: Annotated[
        bool,
        typer.Option("--classes/--no-classes", help="Say what each dense latent does; hold your labels against it."),
    ] = True,
    class_tokens: Annotated[int, typer.Option(help="Tokens of the sample for classes and labels.")] = 65_536,
    cut: Annotated[list[str] | None, typer.Option(help="NAME=VALUE: what a class must reach; see /methods.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of the same run.")] = False,
    contexts: Annotated[int, typer.Option(help="Contexts per batch.")] = 8,
    checkpoint_seconds: Annotated[float, typer.Option(help="Time between checkpoints.")] = 60.0,
    dtype: Annotated[str, typer.Option(help="Of the model: auto, bfloat16, float16 or float32.")] = "auto",
    device: Device = "auto",
) -> None:
    """Read text through a model and its SAEs once, and store what every latent does."""
    from analysis.config import AnalyzeConfig, parse_cuts, parse_detail

    config = AnalyzeConfig(
        model=model,
        saes=sae,
        corpus=_corpus(corpus),
        tokens=tokens,
        db=db,
        dense_threshold=dense_threshold,
        context=context,
        contexts=contexts,
        seed=seed,
        detail=parse_detail(detail or []),
        text_field=text_field,
        dtype=dtype,
        device=device,
        classes=classes,
        class_tokens=class_tokens,
        cuts=parse_cuts(cut or []),
        resume=resume,
        checkpoint_seconds=checkpoint_seconds,
    )
    from analysis.run.analyze import analyze as run

    run(config, console)


def analyze_demo(tokens: int, db: str) -> None:
    """The shipped parts, analysed once: a store that has this very run is left as it is."""
    from analysis.reading.demo_parts import demo_corpus, demo_saes, demo_tag

    tag = demo_tag(tokens)
    if not has_run(db, tag):
        from analysis.config import AnalyzeConfig
        from analysis.run.analyze import analyze as run

        saes = [str(folder) for folder in demo_saes()]
        run(AnalyzeConfig("demo", saes, str(demo_corpus()), tokens, db=db, tag=tag, resume=True), console)
    from analysis.interventions.shipped import take_in

    if new := take_in(db):
        console.print(f"{new} experiments and interventions that were measured before; their pages say how")


def has_run(db: str, tag: str) -> bool:
    """Whether `db` holds a complete run with this tag. Takes no torch, so that a second demo starts at once."""
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from store.session import database_url, make_engine, session_factory, sqlite_path
    from store.tables import Run

    path = sqlite_path(database_url(db))
    if path is not None and not path.exists():
        return False
    try:
        with session_factory(make_engine(db, read_only=True))() as session:
            settings = session.scalars(select(Run.settings).where(Run.status == "complete")).all()
    except SQLAlchemyError:
        return False  # no such table, another schema, no database: `analyze` says what is wrong
    return any(found.get("tag") == tag for found in settings)


def bench(
    model: Models = "demo",
    sae: Annotated[list[str] | None, typer.Option(help="As in analyze; the shipped SAEs where none is given.")] = None,
    corpus: Texts = "demo",
    tokens: Annotated[int, typer.Option(help="N: timed tokens. Memory is measured at N and at 8 N.")] = 16_384,
    classes: Annotated[bool, typer.Option("--classes", help="With classes, labels and chains.")] = False,
    context: Annotated[int, typer.Option(help="Tokens per context, BOS included.")] = 256,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    memory: Annotated[bool, typer.Option(help="Measure memory too (two more processes).")] = True,
    dtype: Annotated[str, typer.Option(help="Of the model: auto, bfloat16, float16 or float32.")] = "auto",
    device: Device = "auto",
) -> None:
    """What the analysis costs over the bare loop (forward to the last analysed layer, plus encode)."""
    from analysis.config import AnalyzeConfig
    from analysis.reading.demo_parts import demo_saes
    from analysis.run.bench import bench as run

    saes = sae or [str(folder) for folder in demo_saes()]
    run(
        AnalyzeConfig(
            model, saes, _corpus(corpus), tokens, context=context, dtype=dtype, device=device, classes=classes
        ),
        console,
        json,
        memory,
    )


def calibrate(
    model: Models = "demo",
    sae: Annotated[list[str] | None, typer.Option(help="As in analyze; the shipped SAEs where none is given.")] = None,
    corpus: Texts = "demo",
    tokens: Annotated[int, typer.Option(help="Tokens to read.")] = 60_000,
    directions: Annotated[int, typer.Option(help="Random directions tried for each SAE.")] = 192,
    controls: Annotated[int, typer.Option(help="Sparse latents tried for each SAE.")] = 192,
    seed: Annotated[int, typer.Option(help="Of sample and directions.")] = 0,
    cut: Annotated[list[str] | None, typer.Option(help="NAME=VALUE: what a class must reach; see /methods.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    dtype: Annotated[str, typer.Option(help="Of the model: auto, bfloat16, float16 or float32.")] = "auto",
    device: Device = "auto",
) -> None:
    """How often each class is given to random directions and sparse latents, where it should not be."""
    from analysis.calibration.calibrate import calibrate as run
    from analysis.config import AnalyzeConfig, parse_cuts
    from analysis.reading.demo_parts import demo_saes

    saes = sae or [str(folder) for folder in demo_saes()]
    config = AnalyzeConfig(
        model,
        saes,
        _corpus(corpus),
        tokens,
        controls=controls,
        seed=seed,
        cuts=parse_cuts(cut or []),
        dtype=dtype,
        device=device,
    )
    run(config, directions, console, json)


def train_sae(
    hook: Annotated[list[str], typer.Option(help="Hook point, e.g. blocks.7.hook_resid_post; repeat for more.")],
    out: Annotated[Path, typer.Option(help="Each SAE gets a folder in here.")],
    model: Models = "demo",
    corpus: Texts = "demo",
    architecture: Annotated[str, typer.Option(help="batchtopk, topk, jumprelu or abstopk.")] = "batchtopk",
    width: Annotated[int, typer.Option(help="Number of latents.")] = 2304,
    k: Annotated[float, typer.Option(help="Latents on per token; unused by jumprelu.")] = 32,
    l0_coefficient: Annotated[float, typer.Option(help="Weight of the sparsity loss; jumprelu only.")] = 1.0,
    learning_rate: Annotated[float, typer.Option(help="Peak of Adam's rate.")] = 2e-3,
    batch: Annotated[int, typer.Option(help="Tokens per training step.")] = 2048,
    train_tokens: Annotated[int, typer.Option(help="Token-steps in all.")] = 15_000_000,
    tokens: Annotated[int, typer.Option(help="Different tokens to read and cache.")] = 600_000,
    context: Annotated[int, typer.Option(help="Tokens per context, BOS included.")] = 256,
    held_out: Annotated[float, typer.Option(help="Share of documents kept for the report.")] = 0.1,
    jobs: Annotated[int, typer.Option(help="SAEs trained at the same time.")] = 1,
    seed: Annotated[int, typer.Option(help="Of weights, data order and sample.")] = 0,
    device: Device = "auto",
) -> None:
    """Train SAEs with sae-lens on a model's activations; stopped, it goes on where it was."""
    from analysis.training.command import TrainConfig, train_saes
    from analysis.training.train import Recipe

    recipe = Recipe(architecture, width, k, l0_coefficient, learning_rate, batch, train_tokens, seed)
    config = TrainConfig(
        model=model,
        corpus=_corpus(corpus),
        hooks=hook,
        out=out,
        recipe=recipe,
        tokens=tokens,
        context=context,
        held_out=held_out,
        jobs=jobs,
        device=device,
    )
    train_saes(config, console)


def _corpus(source: str) -> str:
    if source != "demo":
        return source
    from analysis.reading.demo_parts import demo_corpus

    return str(demo_corpus())
