"""What dense latents follow, layer by layer, beside sparse ones and random directions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from app.saes.queries import SaeInfo
from app.shared.followed import PARTS, Part, Segment, segments, share_of
from app.shared.language import _, translated
from app.shared.statements import upper

LEAST = 0.05  # share of variance from which on a part leads


@dataclass(frozen=True)
class FollowedLayer:
    """What the dense latents of an SAE follow: medians of shares of variance."""

    sae: SaeInfo
    dense: list[Segment]
    sparse: list[Segment]
    random: list[Segment]
    cells: list[str]
    """Per cent of each part, sparse in brackets."""
    total: str
    little: str
    """Share of them of which less than a fifth follows anything."""


def followed_layers(saes: Iterable[SaeInfo]) -> list[FollowedLayer]:
    """An SAE each, of those that were divided."""
    return [_layer(sae) for sae in _divided(saes)]


def _divided(saes: Iterable[SaeInfo]) -> list[SaeInfo]:
    return [sae for sae in saes if sae.followed.get("dense", {}).get("latents")]


def _layer(sae: SaeInfo) -> FollowedLayer:
    dense, sparse, random = sae.followed["dense"], sae.followed.get("control", {}), sae.followed.get("random", {})
    added, beside = dense["added"], sparse.get("added", {})
    cells = [both(share_of(added, part), share_of(beside, part) if beside else None) for part in PARTS]
    total, little = (both(dense[name], sparse.get(name)) for name in ("total", "little"))
    return FollowedLayer(
        sae, segments(added), segments(beside), segments(random.get("added", {})), cells, total, little
    )


def both(dense: float, sparse: float | None) -> str:
    """Per cent of dense latents, and of sparse ones in brackets."""
    return f"{100 * max(0.0, dense):.0f}" + ("" if sparse is None else f" ({100 * max(0.0, sparse):.0f})")


def followed_words(saes: Iterable[SaeInfo]) -> str:
    """What leads from which layer to which, and whether controls have as much; empty where nothing was divided."""
    stretches = groupby(_divided(saes), key=_leading)
    return " ".join(f"{upper(_said(part, list(some)))}{_('.')}" for part, some in stretches)


def _leading(sae: SaeInfo) -> Part | None:
    share, part = max(((_share(sae, "dense", part), part) for part in PARTS), key=lambda one: one[0])
    return part if share >= LEAST else None


def _share(sae: SaeInfo, group: str, part: Part) -> float:
    return share_of(sae.followed.get(group, {}).get("added", {}), part)


def _said(part: Part | None, saes: list[SaeInfo]) -> str:
    layers = [sae.layer for sae in saes]
    several, where = len({*layers}) > 1, _span(layers)
    if part is None:
        if several:
            return _("after layers %(span)s the median dense latent follows nothing that was looked for", span=where)
        return _("after layer %(span)s the median dense latent follows nothing that was looked for", span=where)
    own, sparse, random = (
        _span([round(100 * _share(sae, group, part)) for sae in saes]) for group in ("dense", "control", "random")
    )
    held = {"span": where, "what": translated(part.title), "own": own, "sparse": sparse, "random": random}
    if several:
        return _(
            "after layers %(span)s the median dense latent follows %(what)s most (%(own)s\u202f%% of its variance;"
            " sparse latents %(sparse)s\u202f%%, random directions %(random)s\u202f%%)",
            **held,
        )
    return _(
        "after layer %(span)s the median dense latent follows %(what)s most (%(own)s\u202f%% of its variance;"
        " sparse latents %(sparse)s\u202f%%, random directions %(random)s\u202f%%)",
        **held,
    )


def _span(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else _("%(first)s to %(second)s", first=low, second=high)
