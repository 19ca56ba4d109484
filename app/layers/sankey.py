"""The flow of classes over layers: a column a layer, a block a class, ribbons along the chains between them.

Drawn by the server, so that it needs no script: a block leads to its latents, and tells what it is when pointed at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from app.classes.groups import fill_of, filters_of, mark_of, ordered, title_of
from app.layers.flow import FlowInfo
from app.layers.plots import place_of
from app.saes.queries import SaeInfo
from app.shared.language import _, ngettext
from app.shared.links import link
from app.shared.numbers import count

WIDTH, HEIGHT, HEAD = 760.0, 330.0, 26.0
_BLOCK, _GAP = 22.0, 3.0
_LETTER = 15.0  # height of a block that holds its letter
_LEAST = 1.2  # of a block, so that one latent is seen


Class = tuple[int, str]
"""Analysis and group."""


class Block(NamedTuple):
    """The dense latents of a layer that have one class."""

    mark: str
    letter: str
    words: str
    href: str
    x: float
    y: float
    height: float


class Ribbon(NamedTuple):
    """Chains from one block to another: as thick as there are latents that they come from."""

    mark: str
    words: str
    path: str


class Column(NamedTuple):
    """A layer's name above its blocks."""

    x: float
    title: str
    total: str


class Sankey(NamedTuple):
    """The picture, in units of its own."""

    width: float
    height: float
    block: float
    columns: list[Column]
    ribbons: list[Ribbon]
    blocks: list[Block]
    words: str
    middles: dict[Class, tuple[tuple[float, float], tuple[float, float]]]
    """Of each block: the middles of its left and right edge, where a chain goes through."""


def sankey(saes: list[SaeInfo], groups: Mapping[int, Mapping[str, int]], flow: FlowInfo) -> Sankey | None:
    """Lay out; None where there is no dense latent.

    Args:
        saes: by layer.
        groups: by analysis: dense latents by group, each counted once.
        flow: their chains.
    """
    totals = [sum(groups.get(sae.analysis_id, {}).values()) for sae in saes]
    if not any(totals):
        return None
    names = list(ordered(name for held in groups.values() for name in held))
    unit = (HEIGHT - HEAD - (_GAP + _LEAST) * len(names)) / max(totals)  # the smallest block has its height, too
    steps = _neighbours(saes, flow)
    between = (WIDTH - _BLOCK) / max(1, len(saes) - 1)
    blocks: dict[Class, Block] = {}
    for place, sae in enumerate(saes):
        y = HEIGHT
        for name in names:
            if held := groups.get(sae.analysis_id, {}).get(name, 0):
                height = max(_LEAST, held * unit)
                y -= height + _GAP
                blocks[sae.analysis_id, name] = _block(sae, saes, name, held, place * between, y, height)
    columns = [
        Column(round(place * between, 1), place_of(sae, saes), count(total))
        for place, (sae, total) in enumerate(zip(saes, totals, strict=True))
    ]
    return Sankey(WIDTH, HEIGHT, _BLOCK, columns, _ribbons(saes, names, blocks, steps, unit), list(blocks.values()),
                  _words(saes, sum(steps.values())),
                  {name: _middle(block) for name, block in blocks.items()})  # fmt: skip


def _block(sae: SaeInfo, saes: list[SaeInfo], name: str, held: int, x: float, y: float, height: float) -> Block:
    words = _(
        "layer %(layer)s, %(group)s: %(n)s of %(all)s dense latents",
        layer=place_of(sae, saes),
        group=title_of(name),
        n=count(held),
        all=count(sae.n_dense),
    )
    letter = fill_of(name).letter if height >= _LETTER else ""
    href = link("/latents", {"sae": sae.slug, **filters_of(name)})
    return Block(mark_of(name).split()[-1], letter, words, href, round(x, 1), round(y, 1), round(height, 1))


def _middle(block: Block) -> tuple[tuple[float, float], tuple[float, float]]:
    y = block.y + block.height / 2
    return (block.x, y), (block.x + _BLOCK, y)


def _neighbours(saes: list[SaeInfo], flow: FlowInfo) -> Counter[tuple[Class, Class]]:
    """Chains from a class of one column to a class of the next: the others have no room in the picture."""
    beside = {(first.analysis_id, second.analysis_id) for first, second in pairwise(saes)}
    return Counter(
        (
            (step.analysis_id, flow.groups[step.analysis_id, step.index]),
            (step.other_analysis_id, flow.groups[step.other_analysis_id, step.other]),
        )
        for step in flow.steps
        if (step.analysis_id, step.other_analysis_id) in beside
    )


def _ribbons(
    saes: list[SaeInfo],
    names: list[str],
    blocks: Mapping[Class, Block],
    steps: Counter[tuple[Class, Class]],
    unit: float,
) -> list[Ribbon]:
    made = []
    for first, second in pairwise(saes):
        left, right = _tops(first, names, blocks), _tops(second, names, blocks)
        coming = Counter[str]()
        for (source, target), chains in steps.items():
            if (source[0], target[0]) == (first.analysis_id, second.analysis_id):
                coming[target[1]] += chains
        for one in names:
            for other in names:
                chains = steps[(first.analysis_id, one), (second.analysis_id, other)]
                if not chains or one not in left or other not in right:
                    continue
                start, end = blocks[first.analysis_id, one], blocks[second.analysis_id, other]
                thick, thin = chains * unit, min(chains * unit, chains / coming[other] * end.height)
                words = ngettext(
                    "%(n)s chain, %(one)s to %(other)s, layer %(first)s to %(second)s",
                    "%(n)s chains, %(one)s to %(other)s, layer %(first)s to %(second)s",
                    chains,
                    one=title_of(one),
                    other=title_of(other),
                    first=place_of(first, saes),
                    second=place_of(second, saes),
                )
                path = _path(start.x + _BLOCK, left[one], thick, end.x, right[other], thin)
                made.append(Ribbon(start.mark, words, path))
                left[one] += thick
                right[other] += thin
    return made


def _tops(sae: SaeInfo, names: list[str], blocks: Mapping[Class, Block]) -> dict[str, float]:
    return {name: blocks[sae.analysis_id, name].y for name in names if (sae.analysis_id, name) in blocks}


def _path(x: float, y: float, thick: float, to_x: float, to_y: float, thin: float) -> str:
    """A band from a block's right edge to another's left one."""
    middle = (x + to_x) / 2
    points = (x, y, middle, y, middle, to_y, to_x, to_y, to_x, to_y + thin, middle, to_y + thin, middle, y + thick, x,
              y + thick)  # fmt: skip
    a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q = (f"{point:.1f}" for point in points)
    return f"M{a} {b}C{c} {d} {e} {f} {g} {h}L{i} {j}C{k} {m} {n} {o} {p} {q}Z"


def _words(saes: list[SaeInfo], chains: int) -> str:
    dense = sum(sae.n_dense for sae in saes if sae.layer < saes[-1].layer)
    if not dense or len(saes) < 2:
        return _("Each dense latent is counted once.")
    return _(
        "Each dense latent is counted once. A ribbon is made of chains: from a dense latent to the one of the next"
        " layer whose signal correlates most with it, where by 0.4 or more; %(n)s of %(all)s dense latents before the"
        " last layer have one.",
        n=count(chains),
        all=count(dense),
    )
