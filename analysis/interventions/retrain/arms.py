"""The arms of one experiment: what each removes, and how each is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.retrain.config import RetrainConfig
from analysis.interventions.retrain.source import Source, abstopk, half
from analysis.interventions.retrain.spans import Removal
from analysis.statistics.geometry import span
from analysis.training.config import Recipe
from analysis.training.spread import Spread


class ArmPlan(NamedTuple):
    """One SAE to be trained."""

    name: str
    recipe: Recipe
    removal: Removal
    latents: list[int]  # whose decoder directions span what is removed
    variance: float  # share of the activations' variance that is removed
    short: bool = False  # the share that was wanted could not be reached

    @property
    def seed(self) -> int:
        """Of weights and data order."""
        return self.recipe.seed


class _Part(NamedTuple):
    basis: Tensor  # [d, r] float64
    latents: list[int]
    short: bool = False


def plan_arms(config: RetrainConfig, source: Source, spread: Spread) -> list[ArmPlan]:
    """All arms, the headline's first, seed by seed.

    The sparse latents of the controls are drawn anew for every seed, so that the interval over seeds
    holds the draw as well.
    """
    dense = _Part(span(_rows(source, source.stored.dense), config.energy), source.stored.dense)
    longest = max(config.seeds_of(name) for name in config.arms)
    named = [(name, seed) for seed in range(longest) for name in config.arms if seed < config.seeds_of(name)]
    return [_plan(config, source, spread, dense, name, seed) for name, seed in dict.fromkeys(named)]


def _plan(config: RetrainConfig, source: Source, spread: Spread, dense: _Part, name: str, seed: int) -> ArmPlan:
    part = _PARTS[name](config, source, spread, dense, seed)
    mean = spread.mean if config.mean else torch.zeros_like(spread.mean)
    return ArmPlan(
        name,
        replace(_recipe(name, source), seed=seed),
        Removal(part.basis.float(), mean.float()),
        part.latents,
        spread.share(part.basis) if part.basis.shape[1] else 0.0,
        part.short,
    )


def _recipe(name: str, source: Source) -> Recipe:
    recipe = source.recipe
    if name == "abstopk":
        return abstopk(recipe)
    if name == "fewer":
        return replace(recipe, k=_fewer(source))
    return half(recipe) if name == "abstopk_half" else recipe


def _fewer(source: Source) -> float:
    """k less the mean number of dense latents that are on: without them the others have as many places as before."""
    recipe, took = source.recipe, sum(source.stored.densities[latent] for latent in source.stored.dense)
    left = recipe.k - took
    if recipe.architecture == "jumprelu":
        raise UserError(
            f"--sae {source.stored.slug}: the arm 'fewer' expects an SAE whose L0 is set by k; found jumprelu: leave it"
            " out with --arms"
        )
    if left < 1:
        raise UserError(
            f"--sae {source.stored.slug}: the arm 'fewer' expects a k of more than the {took:.1f} dense latents that"
            f" are on at a token; found {recipe.k:g}: leave it out with --arms"
        )
    return round(left, 2) if recipe.architecture == "batchtopk" else float(round(left))


def _rows(source: Source, latents: list[int]) -> Tensor:
    return source.sae.decoder[latents].cpu()


def _nothing(_config: RetrainConfig, source: Source, *_rest: object) -> _Part:
    return _Part(torch.zeros(source.sae.d_in, 0, dtype=torch.float64), [])


def _dense(_config: RetrainConfig, _source: Source, _spread: Spread, dense: _Part, _seed: int) -> _Part:
    return dense


def _pairs(config: RetrainConfig, source: Source, _spread: Spread, dense: _Part, _seed: int) -> _Part:
    """Both of a pair are dense: a mirror image that fires rarely is none of them."""
    both = sorted({one for pair in source.stored.pairs if {*pair} <= {*dense.latents} for one in pair})
    if not both:
        raise UserError(
            f"--sae {source.stored.slug}: the arm 'pairs' expects two dense latents that are an antipodal pair; found"
            " none: leave it out with --arms"
        )
    return _Part(span(_rows(source, both), config.energy), both)


def _dimension(config: RetrainConfig, source: Source, _spread: Spread, dense: _Part, seed: int) -> _Part:
    """As few sparse latents as span the dense span's dimensions; its first so many directions."""
    wanted, drawn = dense.basis.shape[1], source.drawn(seed)
    for count in range(wanted, len(drawn) + 1):
        basis = span(_rows(source, drawn[:count]), config.energy)
        if basis.shape[1] >= wanted:
            return _Part(basis[:, :wanted], drawn[:count])
    raise _too_few(source, f"{wanted} dimensions")


def _count(config: RetrainConfig, source: Source, _spread: Spread, dense: _Part, seed: int) -> _Part:
    drawn = source.drawn(seed)[: len(dense.latents)]
    if len(drawn) < len(dense.latents):
        raise _too_few(source, f"{len(dense.latents)} of them")
    return _Part(span(_rows(source, drawn), config.energy), drawn)


def _variance(config: RetrainConfig, source: Source, spread: Spread, dense: _Part, seed: int) -> _Part:
    """As few sparse latents, in the drawn order, as hold the dense span's share; all where they do not suffice."""
    drawn, wanted = source.drawn(seed), spread.share(dense.basis)

    def basis(count: int) -> Tensor:
        return span(_rows(source, drawn[:count]), config.energy)

    if not drawn:
        raise _too_few(source, "one at least")
    low, high = 0, len(drawn)
    if spread.share(basis(high)) < wanted:
        return _Part(basis(high), drawn, short=True)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if spread.share(basis(middle)) >= wanted else (middle, high)
    return _Part(basis(high), drawn[:high])


def _components(_config: RetrainConfig, _source: Source, spread: Spread, dense: _Part, _seed: int) -> _Part:
    return _Part(spread.components(dense.basis.shape[1]), [])


def _too_few(source: Source, what: str) -> UserError:
    return UserError(
        f"--sae {source.stored.slug}: expected sparse latents for {what}; found {len(source.sparse)} that fire on less"
        " than a quarter of the dense threshold; leave out the arms that need them with --arms"
    )


_PARTS: dict[str, Callable[[RetrainConfig, Source, Spread, _Part, int], _Part]] = {
    "original": _nothing,
    "dense": _dense,
    "dimension": _dimension,
    "count": _count,
    "variance": _variance,
    "components": _components,
    "fewer": _dense,
    "pairs": _pairs,
    "abstopk": _nothing,
    "abstopk_half": _nothing,
}
