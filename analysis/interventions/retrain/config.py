"""What `retrain` was asked for, and what its arms are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from analysis.errors import UserError
from analysis.options import Actors, Checked, Device, Least, Parsed, Ray, Within, chosen

HEADLINE = ("original", "dense", "dimension")
ARMS = {
    "original": "nothing removed",
    "dense": "the span of the dense latents' decoder directions removed",
    "dimension": "a span of sparse latents of as many dimensions removed",
    "count": "the span of as many sparse latents as there are dense ones removed",
    "variance": "the span of sparse latents that hold as much variance removed",
    "components": "as many top principal components removed",
    "fewer": "the dense latents' span removed, k less the places that they took in the analysed SAE",
    "pairs": "the span of the dense latents in antipodal pairs removed",
    "abstopk": "nothing removed, AbsTopK",
    "abstopk_half": "nothing removed, AbsTopK at half the width",
}

ASKED_FOR = ("fewer", "pairs")
"""Not every SAE has what they need."""


def parse_arms(names: list[str]) -> list[str]:
    """Those that were named; all that need not be asked for where none was."""
    return chosen(names or [arm for arm in ARMS if arm not in ASKED_FOR], ARMS, "arm")


@dataclass(frozen=True, kw_only=True)
class RetrainConfig(Checked):
    """What `retrain` was asked for; None: as the SAE whose dense latents are removed, or as its run."""

    saes: Annotated[
        list[str],
        typer.Option("--sae", help="Slug or layer of an analysed SAE; repeat for more, an experiment each."),
    ]
    db: Annotated[str, typer.Option(envvar="DENSE_LATENTS_DB", help="A store that analyze or demo made.")] = (
        "dense-latents.db"
    )
    run: Annotated[int | None, typer.Option(help="Id of the run; the newest complete one without it.")] = None
    arms: Annotated[
        list[str],
        typer.Option(help=f"Repeat for more: {', '.join(ARMS)}; all but {' and '.join(ASKED_FOR)} without it."),
        Parsed(parse_arms),
    ] = field(default_factory=lambda: parse_arms([]))
    seeds: Annotated[int, typer.Option(help="SAEs of each headline arm: original, dense, dimension."), Least(1)] = 3
    other_seeds: Annotated[int, typer.Option(help="SAEs of each other arm."), Least(1)] = 1
    architecture: Annotated[str | None, typer.Option(help="batchtopk, topk, jumprelu or abstopk; as the SAE.")] = None
    width: Annotated[int | None, typer.Option(help="Number of latents; as the SAE.")] = None
    k: Annotated[float | None, typer.Option(help="Latents on per token; as the SAE.")] = None
    train_tokens: Annotated[int, typer.Option(help="Token-steps of each SAE.")] = 7_000_000
    tokens: Annotated[int, typer.Option(help="Different tokens to cache and train on."), Least(1)] = 600_000
    eval_tokens: Annotated[int, typer.Option(help="Held-out tokens that everything is measured on."), Least(1)] = 60_000
    batch: Annotated[int | None, typer.Option(help="Tokens per training step; as the SAE.")] = None
    learning_rate: Annotated[float | None, typer.Option(help="Peak of Adam's rate; as the SAE.")] = None
    context: Annotated[int | None, typer.Option(help="Tokens per context, BOS included; as the run."), Least(8)] = None
    held_out: Annotated[float, typer.Option(help="Share of documents that are never trained on."), Within(0, 1)] = 0.1
    energy: Annotated[float, typer.Option(help="Share of the decoder directions that their span keeps.")] = 0.99
    mean: Annotated[bool, typer.Option("--mean", help="Put what is removed at its mean, not at zero.")] = False
    found_cosine: Annotated[
        float, typer.Option(help="|cosine| from which a latent counts as found again."), Within(0, 1)
    ] = 0.7
    jobs: Annotated[int, typer.Option(help="SAEs trained at the same time."), Least(1)] = 1
    out: Annotated[Path | None, typer.Option(help="Folder of the arms' SAEs; in the cache folder without it.")] = None
    model: Annotated[str | None, typer.Option(help="Where the model is now.")] = None
    weights: Annotated[list[str], typer.Option(help="Where the SAEs are now, one for each --sae.")] = field(
        default_factory=list
    )
    corpus: Annotated[str | None, typer.Option(help="Where the texts are now.")] = None
    dtype: Annotated[
        str, typer.Option(help="Of the model: run (as in the run), auto, bfloat16, float16 or float32.")
    ] = "run"
    device: Device = "auto"
    ray: Ray = ""
    actors: Actors = 0
    json: Annotated[Path | None, typer.Option(help="Write the experiments there; SLUG goes in for several.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.saes:
            raise UserError("retrain: expected at least one --sae, e.g. --sae 15")
        object.__setattr__(self, "arms", parse_arms(self.arms))
        if not 0 < self.energy <= 1:
            raise UserError(f"--energy {self.energy}: expected a share above 0, at most 1")
        if self.weights and len(self.weights) != len(self.saes):
            raise UserError(f"--weights: expected one for each of {len(self.saes)} --sae; found {len(self.weights)}")

    def seeds_of(self, arm: str) -> int:
        """How many SAEs an arm has."""
        return self.seeds if arm in HEADLINE else self.other_seeds
