"""What latents follow -> rows and columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from analysis.decomposition.beside import Past
from analysis.decomposition.decompose import OWN, SOURCES, Decomposition
from analysis.decomposition.follow import Followed
from analysis.decomposition.shared import GROUPS
from analysis.run.rows.plain import Row, number, numbers
from analysis.statistics.plan import Plan
from store.vocabulary import CONTROL, DETAILS, LITTLE, follows_with

COLUMNS = ("word_share", "past_share", "followed")


def follows_columns(followed: Followed | None, plan: Plan, latents: int) -> dict[str, Tensor]:
    """[N] float64 each: NaN of latents without detail, and of all where nothing was divided."""
    found = {name: torch.full((latents,), torch.nan, dtype=torch.float64) for name in COLUMNS}
    if followed is not None:
        share, where = followed.latents.added.share, plan.latents.cpu()
        found["word_share"][where] = share[SOURCES.index("word")]
        found["past_share"][where] = share[[SOURCES.index(name) for name in OWN]].sum(0)
        found["followed"][where] = followed.latents.total.share
    return found


def follows_rows(followed: Followed | None, plan: Plan) -> Iterator[Row]:
    """One row a latent that was divided, without `analysis_id`."""
    if followed is None:
        return
    found = followed.latents
    for place, index in enumerate(plan.latents.tolist()):
        if not bool(found.total.share[place].isnan()):
            yield {"index": index, "name": "follows", "data": _data(found, followed, place), "values": None}
    pairs = followed.pairs
    for place, (first, second) in enumerate(pairs.latents.tolist()):
        data = {"z": _data(pairs.z, followed, place), "axis": _data(pairs.axis, followed, place)}
        yield {"index": first, "name": follows_with(second), "data": data, "values": None}


def _data(found: Decomposition, followed: Followed, place: int) -> Row:
    """Of one signal."""
    alike = torch.nonzero(found.together.alike[..., place].triu()).tolist()
    return {
        "sources": [_source(found, number_, place) for number_ in range(len(SOURCES))],
        "total": [number(float(part[place]), 4) for part in found.total],
        "orders": [
            {"sources": [SOURCES[n] for n in group], "share": number(float(share[place]), 4)}
            for group, share in zip(GROUPS, found.together.average, strict=True)
        ],
        "alike": [[SOURCES[one], SOURCES[other]] for one, other in alike],
        "half_life": number(float(found.half_life[place])),
        "tokens": followed.tokens,
        "documents": followed.documents,
    }


def _source(found: Decomposition, source: int, place: int) -> Row:
    added, alone = ([number(float(part[source, place]), 4) for part in one] for one in found[:2])
    return {"name": SOURCES[source], "added": added, "alone": alone}


def follows_summary(followed: Followed | None, plan: Plan, is_dense: Tensor) -> Row:
    """What dense latents, sparse controls and random directions follow: medians by source, for the layer."""
    if followed is None:
        return {}
    dense = is_dense.cpu()[plan.latents.cpu()]
    control = (plan.kind.cpu() == DETAILS.index(CONTROL)) & ~dense
    of_random = torch.ones(followed.random.total.share.shape[-1], dtype=torch.bool)
    groups = {
        "dense": (followed.latents, dense),
        "control": (followed.latents, control),
        "random": (followed.random, of_random),
    }
    return {"follows": {name: _medians(*group) for name, group in groups.items()}}


def past_summary(past: Past | None) -> Row:
    """What goes past the latents, for the layer; nothing where nothing does."""
    if past is None:
        return {}
    found = past.axes
    axes = [
        {
            "share": number(float(share), 5),
            "added": dict(zip(SOURCES, numbers(found.added.share[:, place]), strict=True)),
            "total": [number(float(part[place]), 4) for part in found.total],
        }
        for place, share in enumerate(past.share)
    ]
    where = {name: number(getattr(past, name), 4) for name in ("variance", "dense", "components", "chance")}
    return {"beside": {**where, "dense_dimensions": past.dense_dimensions, "axes": axes}}


def _medians(found: Any, some: Tensor) -> Row:
    total = found.total.share[some]
    total = total[~total.isnan()]
    if not len(total):
        return {"latents": 0}
    return {
        "latents": len(total),
        "added": dict(zip(SOURCES, numbers(found.added.share[:, some].nanmedian(1).values), strict=True)),
        "total": number(float(total.median()), 4),
        "little": number(float((total < LITTLE).double().mean()), 4),  # share of them of which less than a fifth
    }
