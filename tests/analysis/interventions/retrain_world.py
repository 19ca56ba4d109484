"""A planted world of activations: a signed direction that is always on, and sixty sparse features.

Three sparse features are on per token, as many as an SAE with k = 3 may use: one that had latents to spare would spend
them on noise, and make dense latents of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.interventions.retrain.arms import ArmPlan, plan_arms
from analysis.interventions.retrain.config import RetrainConfig
from analysis.interventions.retrain.job import Job, prepare
from analysis.interventions.retrain.source import Source
from analysis.interventions.subject import Stored
from analysis.reading.corpus import GROUPS
from analysis.reading.sae import load_sae
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.spread import Spread, spread_of
from tests.planted import sae_folder

HOOK = "blocks.1.hook_resid_post"
D, SPARSE, SIGNED = 48, 60, 1
THRESHOLD = 0.16  # found latents of the signed direction are on a quarter of the tokens, of a sparse feature on 5 %
TRAINED, HELD_OUT = 16_000, 6_000
RECIPE = Recipe("topk", 80, 3, learning_rate=4e-3, batch=256, train_tokens=600 * 256)


def directions() -> Tensor:
    """Unit rows [SPARSE + SIGNED, D], the signed ones last."""
    random = torch.Generator().manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(SPARSE + SIGNED, D, generator=random), dim=1)


def signed() -> Tensor:
    """The signed directions [SIGNED, D]."""
    return directions()[SPARSE:]


def activations(tokens: int, seed: int) -> Tensor:
    """[tokens, D]: what the directions add up to, and a little noise."""
    random = torch.Generator().manual_seed(seed)
    on = torch.rand(tokens, SPARSE, generator=random) < 0.05
    sparse = on * (1 + torch.rand(tokens, SPARSE, generator=random)) * 2
    z = 2 * torch.randn(tokens, SIGNED, generator=random)
    noise = 0.05 * torch.randn(tokens, D, generator=random)
    return torch.cat([sparse, z], 1) @ directions() + noise


def cache_of(folder: Path, x: Tensor) -> ActivationCache:
    """The activations as if a model had been read; documents of 50 tokens."""
    folder.mkdir(parents=True)
    cache = ActivationCache(folder, [HOOK], len(x), x.shape[1])
    cache.rows(HOOK)[:] = x.numpy().astype(np.float16)
    document = np.arange(len(x)) // 50
    np.savez(folder / "groups.npz", group=document % GROUPS, documents=int(document[-1]) + 1)
    return cache


def planted_source(folder: Path, recipe: Recipe = RECIPE) -> Source:
    """An SAE that has found the world: a latent for each sparse feature, two for each signed direction."""
    rows = torch.cat([directions(), -signed()])
    sae = load_sae(str(sae_folder(folder, rows, rows, kind="TopK", k=3, hook=HOOK)))
    dense = list(range(SPARSE, len(rows)))
    stored = Stored(
        run_id=1, analysis_id=1, sae_id=1, slug="planted/l1-resid", hook_point=HOOK, hook_out=HOOK,
        source=str(folder), sha256=sae.sha256,
        model_source="", model_fingerprint="", corpus_sha256="", settings={}, context=32, seed=0,
        dense_threshold=THRESHOLD, dense=dense, controls=[],
        pairs=[(dense[0], dense[SIGNED])], densities=dict.fromkeys(dense, 0.25), median_norm=1.0,
    )  # fmt: skip
    return Source(stored, sae, recipe, list(range(SPARSE)))


def config(**settings: Any) -> RetrainConfig:
    return RetrainConfig(db="none.db", saes=["1"], **settings)


class Planted:
    """The world on disk, and the arms' jobs in it."""

    def __init__(self, folder: Path, recipe: Recipe = RECIPE) -> None:
        self.folder = folder
        self.training = cache_of(folder / "training", activations(TRAINED, 1))
        self.testing = cache_of(folder / "testing", activations(HELD_OUT, 2))
        self.source = planted_source(folder / "source", recipe)
        self.spread: Spread = spread_of(self.training.rows(HOOK))

    def plans(self, arms: Sequence[str], seeds: int, **settings: Any) -> list[ArmPlan]:
        chosen = config(arms=list(arms), seeds=seeds, other_seeds=seeds, **settings)
        return plan_arms(chosen, self.source, self.spread)

    def job(self, plan: ArmPlan, folder: Path, training: ActivationCache | None = None) -> Job:
        prepare(plan.removal, folder)
        return Job(
            name=plan.name,
            recipe=plan.recipe,
            about={
                "arm": plan.name,
                "removed_latents": plan.latents,
                "removed_dimensions": plan.removal.basis.shape[1],
                "removed_variance": plan.variance,
                "short": plan.short,
            },
            hook=HOOK,
            folder=folder,
            training=training or self.training,
            testing=self.testing,
            threshold=THRESHOLD,
            metadata={"hook_name": HOOK, "model_name": "planted"},
            measured_with="",
            device="cpu",
            threads=1,
        )
