"""Designs in words and numbers: over seeds where there are several, else over documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from app.designs.queries import ComparisonDetail, DesignInfo
from app.shared.followed import PARTS, SOURCES, Segment, segments, share_of
from app.shared.language import N_, _
from app.shared.numbers import count, fixed, minus, percent
from app.shared.stored import Data, items, known, one, part

PLAIN, BOTTLENECK = "plain", "bottleneck"


class _Measure(NamedTuple):
    """How a value and a difference of it are said."""

    field: str
    write: Callable[[float], str]
    off: Callable[[float], str]
    """Of a difference."""
    more: str
    """In a sentence: what is larger ..."""
    less: str
    """... or smaller than the plain design's."""
    plainly: str


def _points(value: float) -> str:
    return f"{100 * value:.1f} points"


def _latents(value: float) -> str:
    return f"{value:.1f}"


def _share(value: float) -> str:
    return f"{value:.3f}"


_DENSE = _Measure(
    "n_dense",
    _latents,
    _latents,
    N_("{} more dense latents"),
    N_("{} fewer dense latents"),
    N_("count of dense latents"),
)
_FVU = _Measure("fvu", _share, _share, N_("{} more FVU"), N_("{} less FVU"), "FVU")
_LOSS = _Measure(
    "loss_recovered", percent, _points, N_("{} more of the loss recovered"), N_("{} less of the loss recovered"),
    N_("recovered loss"),
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A mean with its interval, and its difference from the plain design's."""

    value: str
    span: str
    gap: str
    """Empty for the plain design, and where it cannot be told."""
    gap_span: str


@dataclass(frozen=True)
class DesignRow:
    """One design, over its seeds."""

    title: str
    control: bool
    seeds: str
    training: str
    dense: Value
    fvu: Value
    loss: Value
    pairs: str
    alive: str
    l0: str
    both: str
    """L0 with the numbers that go past the latents."""
    signed: str
    shared: str
    """Of the dense spans of two seeds, mean; empty below two."""
    chance: str


@dataclass(frozen=True)
class BesideRow:
    """What stands beside an SAE: what it holds, and what the model loses without it."""

    title: str
    control: bool
    loss: str
    loss_gap: str
    """Of that, what is more than the loss of the model as it is."""
    dense: str
    components: str
    seeds: str
    chance: str


def title_of(design: DesignInfo) -> str:
    """A design as people read it."""
    if design.kind == BOTTLENECK:
        if design.counted:
            return _("bottleneck of rank %(rank)s, counted", rank=design.rank)
        return _("bottleneck of rank %(rank)s, not counted", rank=design.rank)
    return {
        PLAIN: _("plain SAE"),
        "raised": _("plain SAE, k raised by %(rank)s", rank=design.rank),
        "lowered": _("plain SAE, k lowered by %(rank)s", rank=design.rank),
        "principal": _("top %(rank)s principal components", rank=design.rank),
        "random": _("%(rank)s random directions", rank=design.rank),
        "frequency": _("frequency penalty"),
        "abstopk": "AbsTopK",
    }.get(design.kind, design.name.replace("_", " "))


@dataclass(frozen=True)
class DesignFollows:
    """What the latents of one design follow, or what goes past them: medians or means of shares of variance."""

    title: str
    control: bool
    group: str
    signals: str
    bar: list[Segment]
    cells: list[str]
    total: str


CONTROLS = {"raised", "lowered", "principal", "random"}


def by_name(comparison: ComparisonDetail) -> dict[str, list[DesignInfo]]:
    """The SAEs of each design, in order."""
    names = dict.fromkeys(design.name for design in comparison.designs)
    return {name: [design for design in comparison.designs if design.name == name] for name in names}


def design_rows(comparison: ComparisonDetail) -> list[DesignRow]:
    """A row a design."""
    return [_row(comparison, name, found) for name, found in by_name(comparison).items()]


def _row(comparison: ComparisonDetail, name: str, found: Sequence[DesignInfo]) -> DesignRow:
    first, summary = found[0], comparison.summary
    l0, beside = _mean(found, "l0"), first.rank if first.kind not in (PLAIN, "raised", "lowered") else 0
    pairs = items(part(summary, "angles"), name)
    shared = [value for pair in pairs if (value := one(pair, "shared")) is not None]
    chance = [value for pair in pairs if (value := one(pair, "chance")) is not None]
    signed = _mean(found, "signed_share")
    alive = _mean(found, "alive_share")
    return DesignRow(
        title=title_of(first),
        control=first.kind in CONTROLS,
        seeds=f"{count(len(found))} seed{'s' if len(found) != 1 else ''}",
        training=_(
            "%(architecture)s, %(width)s latents, k = %(first)s",
            architecture=first.architecture,
            width=count(first.width),
            first=f"{first.k:g}",
        ),
        dense=_value(summary, name, _DENSE),
        fvu=_value(summary, name, _FVU),
        loss=_value(summary, name, _LOSS),
        pairs=f"{fmean(design.n_pairs for design in found):.1f}",
        alive="" if alive is None else percent(alive),
        l0="" if l0 is None else fixed(l0, 1),
        both="" if l0 is None else fixed(l0 + beside, 1),
        signed="" if signed is None else percent(signed),
        shared=fixed(fmean(shared), 2) if shared else "",
        chance=fixed(fmean(chance), 2) if chance else "",
    )


def _mean(found: Sequence[DesignInfo], name: str) -> float | None:
    there = [value for design in found if (value := getattr(design, name)) is not None]
    return fmean(there) if there else None


def _value(summary: Data, name: str, measure: _Measure) -> Value:
    held = part(part(part(summary, "designs"), name), measure.field)
    mean, low, high = (one(held, field) for field in ("mean", "low", "high"))
    gap = part(part(part(summary, "less_plain"), name), measure.field)
    off = one(gap, "mean")
    return Value(
        value="" if mean is None else measure.write(mean),
        span=_span(low, high, measure),
        gap="" if off is None else _signed(off, measure),
        gap_span=_span(one(gap, "low"), one(gap, "high"), measure, signed=True),
    )


def _signed(value: float, measure: _Measure) -> str:
    return minus(f"{'+' if value > 0 else '-' if value < 0 else ''}{measure.off(abs(value))}")


def _span(low: float | None, high: float | None, measure: _Measure, signed: bool = False) -> str:
    if low is None or high is None:
        return ""
    ends = (_signed(end, measure) if signed else minus(measure.write(end)) for end in (low, high))
    return " to ".join(ends)


def gains(comparison: ComparisonDetail) -> list[str]:
    """A sentence each bottleneck, counted ones first: what it gains and loses against the plain SAE; then controls."""
    found = by_name(comparison)
    learned = [name for name, own in found.items() if own[0].kind == BOTTLENECK]
    chosen = sorted(learned, key=lambda name: not found[name][0].counted)
    said = [sentence for name in chosen for sentence in _against(comparison, name, title_of(found[name][0]))]
    ranks = {found[name][0].rank for name in chosen}
    controls = [name for name, own in found.items() if own[0].kind in CONTROLS and own[0].rank in ranks]
    counts = [f"{title_of(found[name][0])} {_value(comparison.summary, name, _DENSE).value}" for name in controls]
    return said + (
        [_("Dense latents of the controls: %(counts)s.", counts="; ".join(counts))] if counts and said else []
    )


def _against(comparison: ComparisonDetail, name: str, title: str) -> list[str]:
    """What is more or less than the plain design's, and what the interval leaves open."""
    told, untold = list[str](), list[str]()
    for measure in (_DENSE, _FVU, _LOSS):
        gap = part(part(part(comparison.summary, "less_plain"), name), measure.field)
        mean, low, high = (one(gap, field) for field in ("mean", "low", "high"))
        if mean is None:
            continue
        words = (measure.more if mean > 0 else measure.less).format(measure.off(abs(mean)))
        if low is None or high is None:
            told.append(_("%(words)s (one seed: no interval)", words=words))
        elif low > 0 or high < 0:
            told.append(
                _("%(words)s (95 %% interval %(true)s)", words=words, true=_span(low, high, measure, signed=True))
            )
        else:
            untold.append(measure.plainly)
    said = (
        [_("Beside a %(title)s into L0, an SAE has %(told)s than the plain one.", title=title, told=_listed(told))]
        if told
        else []
    )
    whose = "Its" if told else _("Beside a %(title)s into L0, an SAE's", title=title)
    return said + (
        [_("%(whose)s %(untold)s cannot be told from the plain one's.", whose=whose, untold=_listed(untold))]
        if untold
        else []
    )


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def beside_rows(comparison: ComparisonDetail) -> list[BesideRow]:
    """What stands beside SAEs, the learned with its controls."""
    return [
        _beside(comparison, name, found)
        for name, found in by_name(comparison).items()
        if any(design.loss_without is not None for design in found) or name in part(comparison.summary, "bottlenecks")
    ]


def _beside(comparison: ComparisonDetail, name: str, found: Sequence[DesignInfo]) -> BesideRow:
    held = part(part(comparison.summary, "bottlenecks"), name)
    loss, clean = _mean(found, "loss_without"), _mean(found, "loss_clean")

    def share(field: str) -> str:
        values = known(held, field)
        return percent(fmean(values)) if values else ""

    chance = one(held, "chance")
    return BesideRow(
        title=title_of(found[0]),
        control=found[0].kind in CONTROLS,
        loss="" if loss is None else fixed(loss, 2),
        loss_gap="" if loss is None or clean is None else f"+{fixed(loss - clean, 2)}",
        dense=share("dense"),
        components=share("components"),
        seeds=share("seeds"),
        chance="" if chance is None else percent(chance),
    )


_GROUPS = {"dense": N_("dense latents"), "sparse": N_("sparse latents"), "beside": N_("axes past them")}


def follow_rows(comparison: ComparisonDetail) -> list[DesignFollows]:
    """Up to three rows a design."""
    return [
        _follows(found[0], group, held)
        for name, found in by_name(comparison).items()
        for group in _GROUPS
        if (held := part(part(part(comparison.summary, "follows"), name), group))
    ]


def _follows(design: DesignInfo, group: str, held: Data) -> DesignFollows:
    added = {name: one(part(held, "added"), name) for name in SOURCES}
    signals, total = one(held, "signals"), one(held, "total")
    return DesignFollows(
        title=title_of(design),
        control=design.kind in CONTROLS,
        group=_GROUPS[group],
        signals="" if signals is None else fixed(signals, 0),
        bar=segments(added),
        cells=[percent(share_of(added, one_part)) for one_part in PARTS],
        total="" if total is None else percent(max(0.0, total)),
    )
