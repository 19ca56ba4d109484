"""What SAEs of other seeds have in common: angles between their dense spans, and latents that come back."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from app.experiments.arms import ARMS, title_of
from app.experiments.plots import AngleLine, angles_figure
from app.experiments.queries import ExperimentInfo, StabilityInfo
from app.shared.figures import View
from app.shared.language import _
from app.shared.numbers import count, fixed, percent
from app.shared.stored import Data, items, known, numbers, one, part

SOURCE = "source"


@dataclass(frozen=True)
class StabilityRow:
    """A dense latent of the experiment's SAE, and whether other seeds have it."""

    index: int
    found: str
    cosines: list[str]
    stable: bool


@dataclass(frozen=True)
class StabilityTable:
    """All of them, with what chance does."""

    words: str
    rows: list[StabilityRow]


def angles_view(experiment: ExperimentInfo) -> View | None:
    """Principal angles between the dense spans of two seeds, arm by arm; None where no arm has two seeds."""
    held = part(experiment.summary, "angles")
    groups = [(name, title_of(name), items(held, name)) for name in [*ARMS, *(n for n in held if n not in ARMS)]]
    groups.append((SOURCE, _("the SAE itself against the original arm"), items(experiment.summary, "angles_to_source")))
    lines = [line for name, title, pairs in groups for item in pairs if (line := _line(name, title, item)) is not None]
    if not lines:
        return None
    rows = [_row(title, pairs) for _name, title, pairs in groups if pairs]
    summary = _(
        "Cosines of the principal angles between the spans of the dense latents of two seeds, largest"
        " first. 1: a direction both have. Dotted: spans of as many dimensions drawn at random."
    )
    head = ("arm", _("pairs of seeds"), "dimensions", "shared", _("shared by chance"), _("95 %% of chance below"))
    return View("angles", _("principal angles"), angles_figure(lines), summary, head, rows)


def _line(name: str, title: str, item: Data) -> AngleLine | None:
    cosines = known(item, "cosines")
    if not cosines:
        return None
    seeds = [int(seed) for seed in known(item, "seeds")]
    which = " and ".join(_("the SAE") if seed < 0 else f"seed {seed}" for seed in seeds)
    return AngleLine(name, f"{title}, {which}", cosines, known(item, "chance_cosines"))


def _row(title: str, pairs: list[Data]) -> tuple[str, ...]:
    sizes = sorted({int(size) for item in pairs for size in known(item, "dimensions")})
    between = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else "".join(map(str, sizes))
    means = [_mean(pairs, name) for name in ("shared", "chance", "chance_high")]
    return (title, count(len(pairs)), between, *(fixed(value) for value in means))


def _mean(pairs: list[Data], name: str) -> float | None:
    held = [value for item in pairs if (value := one(item, name)) is not None]
    return fmean(held) if held else None


def stability_table(experiment: ExperimentInfo, found: list[StabilityInfo]) -> StabilityTable | None:
    """None where too few seeds were trained to say."""
    if not found:
        return None
    return StabilityTable(_words(experiment, found), [_stability(one_of) for one_of in found])


def _stability(found: StabilityInfo) -> StabilityRow:
    cosines = [fixed(cosine) for cosine in found.cosines]
    return StabilityRow(found.index, f"{found.found} of {len(cosines)}", cosines, found.stable)


def _words(experiment: ExperimentInfo, found: list[StabilityInfo]) -> str:
    held: dict[str, Any] = part(experiment.summary, "stability")
    stable = sum(one_of.stable for one_of in found)
    cut, share = one(held, "cut"), one(held, "sparse_stable_share")
    chance = [value for value in numbers(held, "chance") if value is not None]
    at = "" if cut is None else _(" (|cosine| of %(cut)s or more with a latent there", cut=fixed(cut))
    at += _("; random directions reach %(chance)s)", chance=fixed(max(chance))) if at and chance else ")" if at else ""
    sparse = (
        ""
        if share is None
        else _(
            " Of %(or_)s sparse latents %(value)s are.", or_=count(int(one(held, "sparse") or 0)), value=percent(share)
        )
    )
    said = _(
        "%(stable)s of %(value)s dense latents are found again in at least two thirds of the seeds",
        stable=count(stable),
        value=count(len(found)),
    )
    return f"{said}{at}.{sparse}"
