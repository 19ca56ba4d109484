"""A comparison of designs at a glance: one sentence, and slopes from the plain SAE's dense latents."""

from __future__ import annotations

from statistics import fmean

from app.designs.queries import ComparisonDetail, DesignInfo
from app.designs.rows import BOTTLENECK, CONTROLS, PLAIN, by_name, title_of
from app.shared.colours import Stroke
from app.shared.language import N_, _, translated
from app.shared.numbers import minus
from app.shared.slopes import End, Slopes, rough, slopes
from app.shared.stored import one, part

_DASHES = ("solid", "dash", "dot", "dashdot")
_SHORT = {
    "raised": N_("k raised by {rank}"),
    "lowered": N_("k lowered by {rank}"),
    "principal": N_("top {rank} axes"),
    "random": N_("{rank} random axes"),
}
_BESIDE = N_(
    "Beside a {design} into L0, an SAE has {dense} dense latents, the plain one {plain} (95 %"
    " interval of the difference {low} to {high}, {seeds} seeds); the control, {control}, has"
    " {controls}."
)
_ALONE = N_(
    "Beside a {design} into L0, an SAE has {dense} dense latents, the plain one {plain} (95 %"
    " interval of the difference {low} to {high}, {seeds} seeds); no control was trained."
)
_ONE_SEED = N_(
    "Beside a {design} into L0, an SAE has {dense} dense latents, the plain one {plain}: one seed gives no interval."
)


def _end(comparison: ComparisonDetail, name: str, found: list[DesignInfo], stroke: Stroke) -> End:
    held = part(part(part(comparison.summary, "designs"), name), "n_dense")
    mean, low, high = (one(held, field) for field in ("mean", "low", "high"))
    value = fmean(design.n_dense for design in found) if mean is None else mean
    return End(_short(found[0]), value, low, high, stroke)


def _short(design: DesignInfo) -> str:
    if design.kind == BOTTLENECK:
        return _("bottleneck, counted") if design.counted else _("bottleneck")
    return translated(_SHORT[design.kind]).format(rank=design.rank) if design.kind in _SHORT else title_of(design)


def picture(comparison: ComparisonDetail) -> Slopes | None:
    """From the plain SAE's dense latents to each design's."""
    found = by_name(comparison)
    if PLAIN not in found:
        return None
    groups = {True: list[str](), False: list[str]()}
    for name, own in found.items():
        if name != PLAIN:
            groups[own[0].kind in CONTROLS].append(name)
    strokes = {
        name: Stroke("--n" if control else "--p", _DASHES[place % len(_DASHES)], 1.8 if place == 0 else 1.4)
        for control, names in groups.items()
        for place, name in enumerate(names)
    }
    after = [_end(comparison, name, own, strokes[name]) for name, own in found.items() if name in strokes]
    return slopes(_end(comparison, PLAIN, found[PLAIN], Stroke("--ink", "solid", 1.8)), after)


def answer(comparison: ComparisonDetail) -> str:
    """What a bottleneck changes, the control of its rank beside it; empty where none was compared."""
    found = by_name(comparison)
    learned = [name for name, own in found.items() if own[0].kind == BOTTLENECK]
    if PLAIN not in found or not learned:
        return ""
    name = sorted(learned, key=lambda name: not found[name][0].counted)[0]
    design = found[name][0]
    counts = {one_name: rough(_end(comparison, one_name, found[one_name], _ANY).value) for one_name in found}
    values = {"design": title_of(design), "dense": counts[name], "plain": counts[PLAIN]}
    gap = part(part(part(comparison.summary, "less_plain"), name), "n_dense")
    low, high = one(gap, "low"), one(gap, "high")
    if low is None or high is None:
        return translated(_ONE_SEED).format(**values)
    values |= {"low": minus(f"{low:.2g}"), "high": minus(f"{high:.2g}"), "seeds": f"{one(gap, 'seeds') or 0:g}"}
    control = _control(found, design)
    if not control:
        return translated(_ALONE).format(**values)
    return translated(_BESIDE).format(**values, control=title_of(found[control][0]), controls=counts[control])


_ANY = Stroke("--ink", "solid", 1.8)


def _control(found: dict[str, list[DesignInfo]], design: DesignInfo) -> str:
    """What has the same k without the bottleneck, else as many fixed directions: the fairest that was trained."""
    wanted = ("lowered", "principal", "random") if design.counted else ("principal", "random", "raised")
    own = {one[0].kind: name for name, one in found.items() if one[0].rank == design.rank}
    return next((own[kind] for kind in wanted if kind in own), "")
