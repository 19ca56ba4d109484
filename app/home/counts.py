"""How many of everything pass each threshold: what the sentence, the curve and the table say when it is moved.

A count at a threshold is a sum over what lies above it, so latents are kept by their place among the thresholds: some
hundred numbers an SAE, exact at each stop.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from app.home.queries import Ends, Needs
from app.saes.queries import SaeInfo
from app.shared.densities import CurveInfo
from app.shared.record import Key
from store.vocabulary import PARTLY, UNEXPLAINED, UNMEASURED

DENSE, PAIRS, CLASSED, TAKEN_OUT, NEEDED = "dense", "pairs", "classed", "taken_out", "needed"
Places = Counter[int]
"""Latents by how many thresholds they are above."""


@dataclass(frozen=True)
class Tallies:
    """Places by what is counted; of SAEs dense latents, pairs and groups of classes, of all also what is said."""

    thresholds: tuple[float, ...]
    start: int
    saes: dict[str, dict[str, Places]]
    """By slug."""
    whole: dict[str, Places]

    def now(self, name: str, slug: str | None = None) -> int:
        """How many pass the run's own threshold."""
        held = self.whole if slug is None else self.saes[slug]
        return sum(count for place, count in held.get(name, Places()).items() if place > self.start)

    def place(self, density: float) -> int:
        """How many thresholds a density is above."""
        return place_of(density, self.thresholds)

    def data(self) -> dict[str, object]:
        """For the slider: place and count in turn."""
        return {
            "thresholds": self.thresholds,
            "start": self.start,
            "saes": {slug: _flat(held) for slug, held in self.saes.items()},
            "whole": _flat(self.whole),
        }


def place_of(density: float, thresholds: tuple[float, ...]) -> int:
    """How many thresholds a density is above, strictly, as `counts_above` has it."""
    return bisect_right(thresholds, density - 1e-12)


def _flat(held: Mapping[str, Places]) -> dict[str, list[int]]:
    return {name: [n for pair in sorted(places.items()) for n in pair] for name, places in held.items()}


def tallies(
    info: CurveInfo,
    saes: list[SaeInfo],
    densities: Mapping[Key, float],
    groups: Mapping[Key, str],
    pairs: Iterable[Ends],
    needs: Needs,
) -> Tallies:
    """Sort everything into places.

    Args:
        groups: of dense latents; empty where no class was measured. What is less dense than the run's threshold counts
            as not measured.
    """
    by_id = {sae.analysis_id: sae.slug for sae in saes}
    held = {slug: {DENSE: _steps(counts)} for slug, counts in info.counts.items()}
    place: Callable[[float], int] = lambda density: place_of(density, info.thresholds)  # noqa: E731 one line, used thrice
    for ends in pairs:
        held[by_id[ends.analysis_id]].setdefault(PAIRS, Places())[place(ends.density)] += 1
    for key, group in groups.items():
        held[by_id[key[0]]].setdefault(group, Places())[place(densities[key])] += 1
    if groups:
        for own in held.values():
            below = {at: count for at, count in own[DENSE].items() if 0 < at <= info.start}
            own.setdefault(UNMEASURED, Places()).update(below)
    whole: dict[str, Places] = {}
    for own in held.values():
        for name, places in own.items():
            known = name in {DENSE, PAIRS, PARTLY, UNEXPLAINED, UNMEASURED}
            whole.setdefault(name if known else CLASSED, Places()).update(places)
    for name, keys in ((TAKEN_OUT, needs.done), (NEEDED, needs.needed)):
        if needs.done:
            whole[name] = Places(place(densities[key]) for key in keys)
    return Tallies(info.thresholds, info.start, held, whole)


def _steps(above: list[int]) -> Places:
    """Counts above each threshold -> latents between neighbouring ones."""
    between = ((at + 1, many - few) for at, (many, few) in enumerate(pairwise([*above, 0])))
    return Places({at: count for at, count in between if count})
