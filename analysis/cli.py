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
    from analysis.demo_parts import demo_corpus

    return str(demo_corpus())
