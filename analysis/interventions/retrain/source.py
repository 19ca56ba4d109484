"""The analysed SAE whose dense latents are removed: its latents, and the recipe it was trained with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import select

from analysis.errors import UserError
from analysis.interventions.retrain.config import RetrainConfig
from analysis.interventions.subject import Stored, Subject, look_up, open_subject, same_sae
from analysis.reading.sae import LoadedSae, load_sae
from analysis.training.config import ARCHITECTURES, Recipe
from store.session import make_engine, session_factory
from store.tables import Latent, Sae

SPARSE = 4  # a sparse latent's density is under a quarter of the threshold


class Source(NamedTuple):
    """One SAE of the store."""

    stored: Stored
    sae: LoadedSae
    recipe: Recipe  # of seed 0
    sparse: list[int]  # latents that may stand as controls, by index

    def drawn(self, seed: int) -> list[int]:
        """The sparse latents in an order that the seed alone fixes."""
        order = np.random.default_rng([seed, self.stored.seed]).permutation(len(self.sparse))
        return [self.sparse[place] for place in order]


def open_sources(config: RetrainConfig) -> tuple[Subject, list[Source]]:
    """The first SAE with model and text, and all of them, checked by hash.

    Raises:
        UserError: something is missing, is not what was analysed, or has no dense latent.
    """
    for name in config.saes:  # before the model is loaded
        refuse_transcoder(look_up(config.db, name, config.run))
    places: list[str | None] = [*config.weights] or [None] * len(config.saes)
    subject = open_subject(
        config.db, config.saes[0], run=config.run, model=config.model, weights=places[0],
        corpus=config.corpus, dtype=config.dtype, device=config.device,
    )  # fmt: skip
    found = [_source(config, subject.stored, subject.sae)]
    for name, place in zip(config.saes[1:], places[1:], strict=True):
        stored = look_up(config.db, name, subject.stored.run_id)
        found.append(_source(config, stored, _loaded(stored, place, subject)))
    if len({source.stored.sae_id for source in found}) < len(found):
        raise UserError(f"--sae {', '.join(config.saes)}: expected each SAE once")
    return subject, found


def refuse_transcoder(stored: Stored) -> None:
    """sae-lens trains none."""
    if stored.hook_out != stored.hook_point:
        raise UserError(
            f"--sae {stored.slug}: expected an SAE, which gives back what it reads; found a transcoder, which"
            f" predicts {stored.hook_out} from {stored.hook_point}: sae-lens has no trainer for one"
        )


def _loaded(stored: Stored, place: str | None, subject: Subject) -> LoadedSae:
    sae = load_sae(place or stored.source, device=str(subject.model.device))
    same_sae(stored, sae, "--weights, one for each --sae")
    if sae.centred != subject.model.centred:
        raise UserError(
            f"--sae {stored.slug}: reads {'centred' if sae.centred else 'uncentred'} activations, {subject.stored.slug}"
            " does not; retrain them one at a time"
        )
    return sae


def _source(config: RetrainConfig, stored: Stored, sae: LoadedSae) -> Source:
    if sae.bottleneck is not None:
        raise UserError(
            f"--sae {stored.slug}: retrain expects an SAE without a bottleneck, whose dense latents are all that is"
            f" dense; found one of rank {sae.bottleneck.rank}: see compare-designs"
        )
    if not stored.dense:
        raise UserError(
            f"--sae {stored.slug}: expected dense latents to remove; none is above the run's threshold of"
            f" {stored.dense_threshold}; choose another SAE, or analyse with a lower --dense-threshold"
        )
    with session_factory(make_engine(config.db, read_only=True))() as session:
        row = session.get_one(Sae, stored.sae_id)
        latents = session.execute(
            select(Latent.index, Latent.density, Latent.is_dense, Latent.partner)
            .where(Latent.analysis_id == stored.analysis_id)
            .order_by(Latent.index)
        ).all()
    asked = {name: getattr(config, name) for name in ASKED}
    return Source(stored, sae, recipe_of(row, config.train_tokens, asked), _sparse(latents, stored.dense_threshold))


def _sparse(latents: Sequence[Any], threshold: float) -> list[int]:
    """Latents that fire, on less than a quarter of the threshold, and are no partner of a dense one."""
    dense = {latent.index for latent in latents if latent.is_dense}
    taken = {latent.partner for latent in latents if latent.is_dense}
    return [
        latent.index
        for latent in latents
        if 0 < latent.density < threshold / SPARSE and latent.index not in taken and latent.partner not in dense
    ]


ASKED = ("architecture", "width", "k", "learning_rate", "batch")
"""Options that stand in the place of the SAE's own recipe."""


def recipe_of(row: Sae, train_tokens: int, asked: Mapping[str, Any]) -> Recipe:
    """As the SAE was trained, as far as that is known, with what was asked for in its place; None is not."""
    known = {**((row.training or {}).get("recipe") or {})}
    known = {each.name: known[each.name] for each in fields(Recipe) if each.name in known}
    known |= {"architecture": row.architecture, "width": row.n_latents, "seed": 0}
    known["train_tokens"] = train_tokens
    known.setdefault("k", _k(row.details))
    known |= {name: value for name, value in asked.items() if value is not None}
    if asked.get("architecture") is None and known["architecture"] not in ARCHITECTURES:
        known["architecture"] = "batchtopk"
    return Recipe(**{name: value for name, value in known.items() if value is not None})


def _k(details: dict[str, Any]) -> float | None:
    metadata = details.get("metadata") or {}
    trained = metadata.get("training_architecture_details") or {}
    found = details.get("k") or trained.get("k") or metadata.get("l0")
    return None if found is None else float(found)


def half(recipe: Recipe) -> Recipe:
    """The AbsTopK recipe at half the width."""
    return replace(abstopk(recipe), width=recipe.width // 2)


def abstopk(recipe: Recipe) -> Recipe:
    """The same recipe for sae-lens' AbsTopK, whose k is a whole number."""
    return replace(recipe, architecture="abstopk", k=max(1, round(recipe.k)))
