"""The designs of one comparison, read back from disk: means over seeds, differences from the plain one, subspaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from rich.table import Table
from torch import Tensor

from analysis.interventions.designs.config import BOTTLENECK, PLAIN
from analysis.interventions.designs.plans import DesignPlan
from analysis.interventions.retrain.result import interval
from analysis.interventions.retrain.spans import Dictionary, angles
from analysis.reading.sae import LoadedSae, load_sae
from analysis.statistics.geometry import held, span

Report = dict[str, Any]
MEASURES = ("n_dense", "fvu", "loss_recovered", "loss_without", "n_pairs", "alive_share", "l0", "dense_mass_share")
_INTERVALS = ("n_dense", "fvu", "loss_recovered")  # of one seed: over documents


class Trained(NamedTuple):
    """One SAE with what was measured of it."""

    plan: DesignPlan
    report: Report
    folder: Path


class Comparison(NamedTuple):
    """All that is stored of one comparison."""

    trained: list[Trained]
    summary: Report
    identities: list[str]  # SHA-256 of each SAE, bottleneck included


def compared(trained: list[Trained], components: Tensor, energy: float) -> Comparison:
    """Means, differences and subspaces.

    Args:
        components: [d, R] float64, the top principal components of the training activations, for the largest rank.
        energy: share of the dense latents' decoder directions that their span keeps.
    """
    saes = [load_sae(str(each.folder)) for each in trained]
    names = list(dict.fromkeys(each.plan.name for each in trained))
    reports = {name: [each.report for each in trained if each.plan.name == name] for name in names}
    summary = {
        "designs": {name: _means(own) for name, own in reports.items()},
        "less_plain": {name: _differences(own, reports[PLAIN]) for name, own in reports.items() if name != PLAIN},
        "angles": _angles(trained, saes, names, energy),
        "bottlenecks": _bottlenecks(trained, saes, components, energy),
        "follows": {name: _follows([report.get("follows", {}) for report in own]) for name, own in reports.items()},
    }
    return Comparison(trained, summary, [sae.sha256 for sae in saes])


def _means(reports: Sequence[Report]) -> Report:
    """Each measure with its 95 % interval: Student's t over seeds, of one seed over documents where there is one."""
    return {name: _mean(reports, name) for name in MEASURES}


def _mean(reports: Sequence[Report], name: str) -> Report:
    known = [report[name] for report in reports if report.get(name) is not None]
    if len(known) > 1:
        mean, low, high = interval(known)
        return {"mean": mean, "low": low, "high": high, "of": "seeds"}
    ends = (reports[0].get(f"{name}_low"), reports[0].get(f"{name}_high")) if name in _INTERVALS else (None, None)
    return {"mean": known[0] if known else None, "low": ends[0], "high": ends[1], "of": "documents"}


def _differences(own: Sequence[Report], plain: Sequence[Report]) -> Report:
    """Of each measure less the plain design's, seed by seed: the same first weights and order of tokens."""
    return {name: _difference(own, plain, name) for name in _INTERVALS}


def _difference(own: Sequence[Report], plain: Sequence[Report], name: str) -> Report | None:
    other = {report["recipe"]["seed"]: report.get(name) for report in plain}
    pairs = [(report.get(name), other.get(report["recipe"]["seed"])) for report in own]
    gaps = [float(mine - theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
    if len(gaps) < 2:
        return {"mean": gaps[0], "low": None, "high": None, "seeds": 1} if gaps else None
    mean, low, high = interval(gaps)
    return {"mean": mean, "low": low, "high": high, "seeds": len(gaps)}


def _angles(trained: list[Trained], saes: list[LoadedSae], names: list[str], energy: float) -> Report:
    """By design: how much the dense latents' spans of two seeds have in common, beside random spans."""
    found = {}
    for name in names:
        seeds = [
            (each.plan.seed, Dictionary(sae.decoder, each.report["dense"]))
            for each, sae in zip(trained, saes, strict=True)
            if each.plan.name == name
        ]
        found[name] = angles(seeds, energy)
    return {name: pairs for name, pairs in found.items() if pairs}


def _bottlenecks(trained: list[Trained], saes: list[LoadedSae], components: Tensor, energy: float) -> Report:
    """By learned bottleneck's design: what its span shares with the plain SAE's dense span of the same seed, with as
    many principal components, and with the spans of other seeds. `dense` is the mean share of a direction of the dense
    span that lies in the bottleneck's; random spans would share rank / d of it.
    """
    plain = {
        each.plan.seed: span(sae.decoder[each.report["dense"]], energy)
        for each, sae in zip(trained, saes, strict=True)
        if each.plan.kind == PLAIN and each.report["dense"]
    }
    spans: dict[str, dict[int, Tensor]] = {}
    for each, sae in zip(trained, saes, strict=True):
        if each.plan.kind == BOTTLENECK and sae.bottleneck is not None:
            spans.setdefault(each.plan.name, {})[each.plan.seed] = sae.bottleneck.span()
    return {name: _bottleneck(own, plain, components) for name, own in spans.items()}


def _bottleneck(own: dict[int, Tensor], plain: dict[int, Tensor], components: Tensor) -> Report:
    top = {seed: components[:, : basis.shape[1]] for seed, basis in own.items()}
    seeds = sorted(own)
    pairs = [(own[a], own[b]) for place, a in enumerate(seeds) for b in seeds[place + 1 :]]
    return {
        "dense": [_held(plain[seed], own[seed]) for seed in seeds if seed in plain],
        "dense_dimensions": [plain[seed].shape[1] for seed in seeds if seed in plain],
        "components": [_held(own[seed], top[seed]) for seed in seeds],
        "seeds": [_held(a, b) for a, b in pairs],
        "chance": own[seeds[0]].shape[1] / own[seeds[0]].shape[0],
    }


def _follows(found: Sequence[Report]) -> Report:
    """Means over seeds, of those that have such signals."""
    parts = dict.fromkeys(name for one in found for name in one)
    return {part: _mean_shares([one[part] for one in found if part in one]) for part in parts}


def _mean_shares(found: Sequence[Report]) -> Report:
    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return round(fmean(known), 4) if known else None

    return {
        "signals": fmean(one["signals"] for one in found),
        "added": {name: mean([one["added"][name] for one in found]) for name in found[0]["added"]},
        "total": mean([one["total"] for one in found]),
    }


def _held(basis: Tensor, other: Tensor) -> float:
    return round(held(basis.cpu(), other.cpu()), 5)


def table(slug: str, comparison: Comparison) -> Table:
    """The designs as the command prints them."""
    shown = Table(title=f"{slug}: designs of SAEs on held-out text (95 % interval over seeds, else over documents)")
    for name in ("design", "L0", "with rank", "dense", "FVU", "loss recovered", "pairs", "alive"):
        shown.add_column(name, justify="left" if name == "design" else "right", no_wrap=True)
    plans = {each.plan.name: each.plan for each in comparison.trained}
    for name, means in comparison.summary["designs"].items():
        shown.add_row(name, *_cells(means, plans[name]))
    return shown


def _cells(means: Report, plan: DesignPlan) -> list[str]:
    l0 = means["l0"]["mean"]
    return [
        f"{l0:.1f}",
        f"{l0 + beside(plan):.1f}",
        _cell(means["n_dense"], ".1f"),
        _cell(means["fvu"], ".3f"),
        _cell(means["loss_recovered"], ".1%"),
        f"{means['n_pairs']['mean']:.1f}",
        f"{means['alive_share']['mean']:.1%}",
    ]


def beside(plan: DesignPlan) -> int:
    """How many numbers a token go past the latents."""
    return plan.recipe.bottleneck


def _cell(value: Report, form: str) -> str:
    if value["mean"] is None:
        return "–"
    ends = "" if value["low"] is None else f" ({value['low']:{form}} to {value['high']:{form}})"
    return f"{value['mean']:{form}}{ends}"
