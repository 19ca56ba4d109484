"""Which SAEs one comparison trains: every design with every seed, at equal L0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from analysis.errors import UserError
from analysis.interventions.designs.config import (
    ABSTOPK,
    BOTTLENECK,
    FREQUENCY,
    KINDS,
    LOWERED,
    PLAIN,
    PRINCIPAL,
    RAISED,
    RANDOM,
    RANKED,
    DesignsConfig,
)
from analysis.training.config import LEARNED, Recipe


class DesignPlan(NamedTuple):
    """One SAE to be trained."""

    name: str
    kind: str
    rank: int  # of what stands beside it, or of what k is raised or lowered by; 0 for neither
    counted: bool  # whether the rank is taken off k, so that both parts together are L0
    recipe: Recipe

    @property
    def seed(self) -> int:
        """Of weights and data order."""
        return self.recipe.seed


def plan_designs(config: DesignsConfig, recipe: Recipe, threshold: float) -> tuple[list[DesignPlan], list[str]]:
    """All SAEs, seed by seed, and the names of designs that cannot be: k less the rank is nothing.

    Args:
        recipe: of the plain SAE.
        threshold: density from which a latent is dense, where the penalty on frequent ones begins.

    Raises:
        UserError: a recipe whose L0 is not set.
    """
    if recipe.architecture not in KINDS:
        raise UserError(
            f"--architecture {recipe.architecture}: expected one of {', '.join(KINDS)}, whose L0 is set, so that it can"
            " be equal"
        )
    plain = replace(recipe, bottleneck=0, bottleneck_kind=LEARNED, frequency_penalty=0.0)
    made = [plan for kind in config.designs for plan in _of_kind(config, kind, plain, threshold)]
    gone = [rank for rank in config.ranks if rank >= plain.k]
    left_out = [_counted(rank) for rank in gone if BOTTLENECK in config.designs]
    left_out += [f"{LOWERED}_{rank}" for rank in gone if LOWERED in config.designs]
    few = config.seeds if config.control_seeds is None else config.control_seeds
    return [
        plan._replace(recipe=replace(plan.recipe, seed=seed))
        for seed in range(config.seeds)
        for plan in made
        if seed < few or plan.kind in (PLAIN, BOTTLENECK)
    ], left_out


def _of_kind(config: DesignsConfig, kind: str, plain: Recipe, threshold: float) -> Iterator[DesignPlan]:
    if kind not in RANKED:
        yield DesignPlan(kind, kind, 0, False, _recipe(config, kind, plain, threshold))
        return
    for rank in config.ranks:
        if kind in (RAISED, LOWERED):
            k = plain.k + (rank if kind == RAISED else -rank)
            if k > 0:
                yield DesignPlan(f"{kind}_{rank}", kind, rank, False, replace(plain, k=k))
            continue
        beside = replace(plain, bottleneck=rank, bottleneck_kind=_BESIDE[kind])
        yield DesignPlan(f"{kind}_{rank}", kind, rank, False, beside)
        if kind == BOTTLENECK and rank < plain.k:
            yield DesignPlan(_counted(rank), kind, rank, True, replace(beside, k=plain.k - rank))


_BESIDE = {BOTTLENECK: LEARNED, PRINCIPAL: PRINCIPAL, RANDOM: RANDOM}


def _counted(rank: int) -> str:
    return f"{BOTTLENECK}_{rank}_counted"


def _recipe(config: DesignsConfig, kind: str, plain: Recipe, threshold: float) -> Recipe:
    if kind == FREQUENCY:
        return replace(plain, frequency_penalty=config.frequency_penalty, frequency_above=threshold)
    return replace(plain, architecture=ABSTOPK, k=max(1, round(plain.k))) if kind == ABSTOPK else plain
