"""What `compare-designs` was asked for, and which designs there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from analysis.errors import UserError
from analysis.options import Actors, Checked, Device, Least, Parsed, Ray, Within, chosen

PLAIN, RAISED, LOWERED, BOTTLENECK, PRINCIPAL, RANDOM, FREQUENCY, ABSTOPK = (
    "plain", "raised", "lowered", "bottleneck", "principal", "random", "frequency", "abstopk",
)  # fmt: skip
DESIGNS = {
    PLAIN: "the SAE as it is",
    RAISED: "the SAE with k raised by the rank",
    LOWERED: "the SAE with k lowered by the rank and nothing in its place",
    BOTTLENECK: "beside a bottleneck, its rank counted into L0 and not counted",
    PRINCIPAL: "beside the top principal components, which stay as they are",
    RANDOM: "beside random directions, which stay as they are",
    FREQUENCY: "with a penalty on frequent latents",
    ABSTOPK: "AbsTopK",
}
RANKED = (RAISED, LOWERED, BOTTLENECK, PRINCIPAL, RANDOM)
"""Designs that there is one of for each rank."""
KINDS = ("batchtopk", "topk")
"""Whose L0 is set, so that it can be equal."""


def parse_designs(names: list[str]) -> list[str]:
    """Those that were named, and the plain one they are held against."""
    return chosen(names, DESIGNS, "design", always=PLAIN)


@dataclass(frozen=True, kw_only=True)
class DesignsConfig(Checked):
    """One analysed SAE whose model, hook point, texts and recipe all designs have."""

    sae: Annotated[str, typer.Option(help="Slug or layer of an analysed SAE: its model, hook point, texts, recipe.")]
    db: Annotated[str, typer.Option(envvar="DENSE_LATENTS_DB", help="A store that analyze or demo made.")] = (
        "dense-latents.db"
    )
    run: Annotated[int | None, typer.Option(help="Id of the run; the newest complete one without it.")] = None
    designs: Annotated[
        list[str],
        typer.Option("--design", help=f"Repeat for more: {', '.join(DESIGNS)}; all without it."),
        Parsed(parse_designs),
    ] = field(default_factory=lambda: list(DESIGNS))
    ranks: Annotated[
        list[int], typer.Option("--rank", help="Of the bottleneck and its controls; repeat for more; 24 without it.")
    ] = field(default_factory=lambda: [24])
    seeds: Annotated[int, typer.Option(help="SAEs of each design."), Least(1)] = 3
    control_seeds: Annotated[
        int | None, typer.Option(help="SAEs of each design but the plain one and those with a bottleneck; as --seeds.")
    ] = None
    architecture: Annotated[str | None, typer.Option(help="batchtopk or topk; as the SAE.")] = None
    width: Annotated[int | None, typer.Option(help="Number of latents; as the SAE.")] = None
    k: Annotated[float | None, typer.Option(help="Latents on per token; as the SAE.")] = None
    frequency_penalty: Annotated[float, typer.Option(help="Weight of that design's penalty."), Least(0)] = 1.0
    train_tokens: Annotated[int, typer.Option(help="Token-steps of each SAE.")] = 7_000_000
    tokens: Annotated[int, typer.Option(help="Different tokens to cache and train on."), Least(1)] = 600_000
    eval_tokens: Annotated[int, typer.Option(help="Held-out tokens that everything is measured on."), Least(1)] = 60_000
    loss_tokens: Annotated[
        int, typer.Option(help="Of those, how many the model's loss is measured on; 0: not at all."), Least(0)
    ] = 20_000
    batch: Annotated[int | None, typer.Option(help="Tokens per training step; as the SAE.")] = None
    learning_rate: Annotated[float | None, typer.Option(help="Peak of Adam's rate; as the SAE.")] = None
    context: Annotated[int | None, typer.Option(help="Tokens per context, BOS included; as the run."), Least(8)] = None
    held_out: Annotated[float, typer.Option(help="Share of documents that are never trained on."), Within(0, 1)] = 0.1
    energy: Annotated[float, typer.Option(help="Share of the decoder directions that their span keeps.")] = 0.99
    jobs: Annotated[int, typer.Option(help="SAEs trained at the same time."), Least(1)] = 1
    out: Annotated[Path | None, typer.Option(help="Folder of the SAEs; in the cache folder without it.")] = None
    model: Annotated[str | None, typer.Option(help="Where the model is now.")] = None
    weights: Annotated[str | None, typer.Option(help="Where the SAE is now.")] = None
    corpus: Annotated[str | None, typer.Option(help="Where the texts are now.")] = None
    dtype: Annotated[
        str, typer.Option(help="Of the model: run (as in the run), auto, bfloat16, float16 or float32.")
    ] = "run"
    device: Device = "auto"
    ray: Ray = ""
    actors: Actors = 0
    json: Annotated[Path | None, typer.Option(help="Write the comparison there, for another store.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "designs", parse_designs(self.designs))
        object.__setattr__(self, "ranks", sorted(set(self.ranks)))
        if not self.ranks or self.ranks[0] < 1:
            raise UserError(f"--rank {', '.join(map(str, self.ranks)) or 'none'}: expected whole numbers from 1")
        if self.control_seeds is not None and not 1 <= self.control_seeds <= self.seeds:
            raise UserError(f"--control-seeds {self.control_seeds}: expected 1 to --seeds, {self.seeds}")
        if not 0 < self.energy <= 1:
            raise UserError(f"--energy {self.energy}: expected a share above 0, at most 1")
