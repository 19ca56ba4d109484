"""Single chains on the flow of classes: a dense latent, its continuation in the next layer, and so on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from app.layers.flow import FlowInfo
from app.layers.sankey import Class, Sankey
from app.saes.queries import SaeInfo
from app.shared.language import N_, translated
from app.shared.links import latent_name, link
from app.shared.numbers import fixed
from app.shared.record import Key

MOST, SHORTEST = 12, 3
"""Chains that are offered, and latents that one has at least."""
_WORDS = N_("{latents}; weakest |correlation| {weakest}")


class Chain(NamedTuple):
    """One of them, to be lit alone."""

    name: str
    """As `?chain=` has it: the SAE and index of its first latent."""
    title: str
    """Its first and last latent."""
    words: str
    href: str
    path: str
    """Through the blocks of its latents."""
    lit: bool


def chains(saes: list[SaeInfo], flow: FlowInfo, drawn: Sankey, asked: str) -> list[Chain]:
    """The longest, of equal ones those whose weakest step is strongest; the one that was asked for is among them.

    Args:
        asked: name of the chain to light; empty for none.
    """
    by_id = {sae.analysis_id: sae for sae in saes}
    found = [_chain(by_id, keys, least, flow.groups, drawn, asked) for keys, least in _followed(saes, flow)]
    return found[:MOST] + [chain for chain in found[MOST:] if chain.lit]


def _followed(saes: list[SaeInfo], flow: FlowInfo) -> list[tuple[list[Key], float]]:
    """Every chain from its first latent, with its weakest |correlation|."""
    beside = {(first.analysis_id, second.analysis_id) for first, second in pairwise(saes)}
    steps = {
        (step.analysis_id, step.index): ((step.other_analysis_id, step.other), abs(step.correlation))
        for step in flow.steps
        if (step.analysis_id, step.other_analysis_id) in beside
    }
    first = steps.keys() - {end for end, _strength in steps.values()}
    made = []
    for start in sorted(first):
        keys, least = [start], 1.0
        while keys[-1] in steps:
            end, strength = steps[keys[-1]]
            keys.append(end)
            least = min(least, strength)
        if len(keys) >= SHORTEST:
            made.append((keys, least))
    return sorted(made, key=lambda chain: (-len(chain[0]), -chain[1]))


def _chain(
    by_id: Mapping[int, SaeInfo], keys: list[Key], least: float, groups: Mapping[Key, str], drawn: Sankey, asked: str
) -> Chain:
    names = [latent_name(by_id[analysis].layer, index) for analysis, index in keys]
    name = f"{by_id[keys[0][0]].slug}:{keys[0][1]}"
    words = translated(_WORDS).format(latents=" → ".join(names), weakest=fixed(least))
    places: list[Class] = [(key[0], groups[key]) for key in keys]
    points = [point for place in places if place in drawn.middles for point in drawn.middles[place]]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return Chain(name, f"{names[0]} → {names[-1]}", words, link("/layers", {"chain": name}), path, name == asked)
