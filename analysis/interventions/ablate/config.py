"""What `ablate` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from analysis import __version__
from analysis.hashing import hash_of
from analysis.interventions.config import SubjectConfig
from analysis.options import Above, Actors, Least, Ray
from store.vocabulary import EPSILON

if TYPE_CHECKING:
    from analysis.interventions.subject import Subject

SHARD = 4  # batches that are added up by themselves, so that any number of actors give the same digits


@dataclass(frozen=True, kw_only=True)
class AblateConfig(SubjectConfig):
    """One SAE of a store."""

    tokens: Annotated[int, typer.Option(help="Tokens of text to ablate on."), Least(1)] = 20_000
    # random directions, and sparse latents' directions
    controls: Annotated[int, typer.Option(help="Controls of each kind for each dense latent and pair."), Least(0)] = 1
    sets: Annotated[int, typer.Option(help="Controls of each kind for the whole dense set."), Least(0)] = 3
    epsilon: Annotated[
        float,
        typer.Option(help="Nats per token; a loss within +- epsilon is equivalent to none."),
        Above(0),
    ] = EPSILON
    seed: Annotated[int, typer.Option(help="Of controls and bootstrap.")] = 0
    contexts: Annotated[int, typer.Option(help="Contexts per forward pass."), Least(1)] = 2
    rows: Annotated[int, typer.Option(help="Tokens x ablations per forward pass."), Least(1)] = 16_384
    checkpoint_seconds: Annotated[float, typer.Option(help="Time between checkpoints.")] = 60.0
    ray: Ray = ""
    actors: Actors = 0

    def key(self, subject: Subject) -> str:
        """Hash of all that fixes the numbers: the same key, the same rows."""
        stored = subject.stored
        parts: list[object] = [
            __version__,
            stored.sha256,
            subject.sae.settings,
            stored.model_fingerprint,
            stored.corpus_sha256,
        ]
        parts += [stored.context, stored.seed, sorted(stored.densities.items()), stored.pairs, stored.dense]
        parts += [self.tokens, self.controls, self.sets, self.epsilon, self.seed, self.contexts, SHARD]
        parts += [subject.model.dtype_name, stored.analysis_id]
        return hash_of(parts)
