"""What `prune` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from analysis.errors import UserError
from analysis.interventions.config import SubjectConfig
from analysis.options import Least, Within
from store.vocabulary import VERDICTS


@dataclass(frozen=True, kw_only=True)
class PruneConfig(SubjectConfig):
    """One SAE of a store, and which of its latents are to go."""

    out: Annotated[Path, typer.Option(help="Folder of the new SAE; made, or empty.")]
    verdict: Annotated[
        str | None, typer.Option(help="Remove all latents with this verdict by rule: prune, investigate or keep.")
    ] = None
    latents: Annotated[
        str | None,
        typer.Option(help="Or these: 3,17,40, or a file: an index a line, or CSV or JSON with a column `index`."),
    ] = None
    # what ablation found to be the same is a latent at its mean
    fold_mean: Annotated[
        bool, typer.Option("--fold-mean/--no-fold-mean", help="Add what they contribute on average to b_dec.")
    ] = True
    tokens: Annotated[
        int, typer.Option(help="Held-out tokens of the report; means are over as many others."), Least(1)
    ] = 20_000
    # by the same draw as in train-sae
    held_out: Annotated[float, typer.Option(help="Share of documents kept for the report."), Within(0, 0.9)] = 0.1
    contexts: Annotated[int, typer.Option(help="Contexts per batch."), Least(1)] = 8

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.latents is None):
            raise UserError("prune: expected either --verdict or --latents, to say which latents are to go")
        if self.verdict is not None and self.verdict not in VERDICTS:
            raise UserError(f"--verdict {self.verdict}: unknown verdict; choose one of {', '.join(VERDICTS)}")
        super().__post_init__()
