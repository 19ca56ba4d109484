"""What goes past an SAE's latents through a bottleneck, as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from app.saes.queries import SaeInfo
from app.shared.followed import PARTS, SOURCES, Part, Segment, segments, share_of
from app.shared.language import _
from app.shared.numbers import percent
from app.shared.stored import Data, items, one, part

LEAST = 0.05  # share of variance from which on a part leads


@dataclass(frozen=True)
class AxisRow:
    """One principal axis."""

    number: int
    share: str
    """Of the variance of what goes past the latents."""
    bar: list[Segment]
    cells: list[str]
    total: str


@dataclass(frozen=True)
class BesideCard:
    """The card."""

    words: str
    legend: tuple[Part, ...]
    axes: list[AxisRow]
    held: list[tuple[str, str]]
    """What lies in the span, and by chance."""


def beside_card(sae: SaeInfo) -> BesideCard | None:
    """Of an SAE beside a bottleneck whose run looked at it."""
    axes = items(sae.beside, "axes")
    if not axes:
        return None
    names = (("dense", _("of the span of the dense latents")), ("components", _("of as many top principal components")))
    held = [(title, percent(share)) for name, title in names if (share := one(sae.beside, name)) is not None]
    return BesideCard(
        words=_words(sae.beside, axes),
        legend=PARTS,
        axes=[_row(number, axis) for number, axis in enumerate(axes, 1)],
        held=[*held, (_("of a random direction"), percent(one(sae.beside, "chance")))],
    )


def _words(beside: Data, axes: list[Data]) -> str:
    """How much it varies, and what leads in it."""
    variance = one(beside, "variance")
    size = (
        ""
        if variance is None
        else _("What goes past the latents has %(variance)s of the activations' variance. ", variance=percent(variance))
    )
    shares = {key.key: sum((one(axis, "share") or 0.0) * share_of(_added(axis), key) for axis in axes) for key in PARTS}
    key = max(PARTS, key=lambda one_part: shares[one_part.key])
    if shares[key.key] < LEAST:
        return _("%(size)sLess than a twentieth of it is predicted by anything that was measured.", size=size)
    return _(
        "%(size)sIt follows %(title)s most: %(key)s of its variance.",
        size=size,
        title=key.title,
        key=percent(shares[key.key]),
    )


def _added(axis: Data) -> dict[str, float | None]:
    return {name: one(part(axis, "added"), name) for name in SOURCES}


def _row(number: int, axis: Data) -> AxisRow:
    added, totals = _added(axis), axis.get("total")
    total = totals[0] if isinstance(totals, list) and totals and isinstance(totals[0], float | int) else None
    return AxisRow(
        number=number,
        share=percent(one(axis, "share")),
        bar=segments(added),
        cells=[percent(share_of(added, key)) for key in PARTS],
        total="" if total is None else percent(max(0.0, total)),
    )
