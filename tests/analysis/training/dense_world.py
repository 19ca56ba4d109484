"""A planted world for designs of SAEs: a Gaussian signal of rank two, always on, and two hundred sparse signals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from analysis.interventions.retrain.job import Job, prepare
from analysis.interventions.retrain.spans import Removal
from analysis.reading.sae import LoadedSae, load_sae
from analysis.statistics.geometry import unit_rows
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.train import train
from tests.analysis.interventions.retrain_world import cache_of

HOOK = "blocks.1.hook_resid_post"
D, SPARSE, DENSE = 64, 200, 2
ON = 0.02  # of the tokens: four sparse signals are on at a time
_STRONG = 5.0


class DenseWorld:
    """The world on disk, and SAEs trained in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directions = unit_rows(torch.randn(SPARSE + DENSE, D, generator=torch.Generator().manual_seed(0)))
        self.training: ActivationCache = cache_of(folder / "training", self.activations(16_000, 1))
        self.testing: ActivationCache = cache_of(folder / "testing", self.activations(6_000, 2))

    def activations(self, tokens: int, seed: int) -> Tensor:
        """[tokens, D]."""
        random = torch.Generator().manual_seed(seed)
        on = torch.rand(tokens, SPARSE, generator=random) < ON
        sparse = on * (2 + 2 * torch.rand(tokens, SPARSE, generator=random))
        dense = _STRONG * torch.randn(tokens, DENSE, generator=random)
        return torch.cat([sparse, dense], 1) @ self.directions + 0.05 * torch.randn(tokens, D, generator=random) + 0.5

    def sparse_directions(self) -> Tensor:
        """[SPARSE, D]."""
        return self.directions[:SPARSE]

    def dense_basis(self) -> Tensor:
        """[D, DENSE] float64, orthonormal."""
        basis: Tensor = torch.linalg.qr(self.directions[SPARSE:].T.double()).Q
        return basis

    def held_out(self) -> Tensor:
        """[6000, D] float32."""
        return torch.from_numpy(self.testing.rows(HOOK)[:].astype("float32"))

    def sae(self, name: str, **settings: Any) -> LoadedSae:
        """Trained with a recipe that finds the sparse signals."""
        folder = self.folder / name
        train(self.recipe(**settings), self.training, HOOK, folder, {"hook_name": HOOK, "model_name": "planted"})
        return load_sae(str(folder))

    def recipe(self, **settings: Any) -> Recipe:
        """That finds the sparse signals."""
        chosen: dict[str, Any] = {
            "architecture": "topk", "width": 240, "k": 6, "batch": 256, "train_tokens": 600 * 256,
            "learning_rate": 1e-2,
        }  # fmt: skip
        return Recipe(**(chosen | settings))

    def job(self, name: str, recipe: Recipe) -> Job:
        """To train and measure one, as `retrain` and `compare-designs` do."""
        folder = self.folder / name
        prepare(Removal(torch.zeros(D, 0), torch.zeros(D)), folder)
        return Job(
            name=name, recipe=recipe, about={}, hook=HOOK, folder=folder, training=self.training, testing=self.testing,
            threshold=0.15, metadata={"hook_name": HOOK, "model_name": "planted"}, measured_with="", device="cpu",
            threads=1,
        )  # fmt: skip

    def density(self, sae: LoadedSae) -> Tensor:
        """[N]: share of the held-out tokens on which each latent fires."""
        return (sae.encode(self.held_out()) != 0).double().mean(0)

    def fvu(self, sae: LoadedSae) -> float:
        """On held-out tokens."""
        x = self.held_out()
        return float((x - sae.decode(sae.encode(x))).square().sum() / (x - x.mean(0)).square().sum())


def cosines(directions: Tensor, decoder: Tensor) -> Tensor:
    """[m]: the largest cosine of each direction with a row of the decoder."""
    return (unit_rows(directions) @ unit_rows(decoder).T).max(1).values
