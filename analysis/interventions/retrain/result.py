"""The arms of one experiment, read back from disk and held against each other: means and differences."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.table import Table

from analysis.interventions.retrain.config import ARMS, RetrainConfig
from analysis.interventions.retrain.finding import finding
from analysis.interventions.retrain.held_out import HeldOut, measure
from analysis.interventions.retrain.job import Job
from analysis.interventions.retrain.source import Source
from analysis.interventions.retrain.spans import Dictionary, FoundAgain, Removal, angles, find_again
from analysis.reading.sae import load_sae
from analysis.statistics.intervals import t95

Report = dict[str, Any]
_MEANS = ("fvu", "alive_share", "l0", "n_pairs", "dense_mass_share", "signed_share",
          "removed_variance", "removed_dimensions")  # fmt: skip


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t; at least two values."""
    mean = statistics.fmean(values)
    half = t95(len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


def arm_summary(reports: Sequence[Report]) -> Report:
    """One arm over its seeds. `of` says what the dense count's interval is over: seeds, or one seed's documents."""
    counts = [report["n_dense"] for report in reports]
    if len(counts) > 1:
        mean, low, high = interval(counts)
        dense = {"mean": mean, "low": low, "high": high, "of": "seeds"}
    else:
        dense = {"mean": counts[0], "low": reports[0]["n_dense_low"], "high": reports[0]["n_dense_high"]}
        dense["of"] = "documents"
    found = {name: _mean([report[name] for report in reports]) for name in _MEANS}
    latents = _mean([len(report["removed_latents"]) for report in reports])
    return {"seeds": len(reports), "n_dense": dense, "removed_latents": latents, **found,
            "short": any(report["short"] for report in reports)}  # fmt: skip


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def difference(one: Sequence[Report], other: Sequence[Report]) -> Report | None:
    """Dense latents of `one` less those of `other`, seed by seed (same weights and data order to begin with)."""
    counts = {report["recipe"]["seed"]: report["n_dense"] for report in other}
    pairs = [report["n_dense"] - counts[seed] for report in one if (seed := report["recipe"]["seed"]) in counts]
    if not pairs:
        return None
    if len(pairs) == 1:
        return {"mean": pairs[0], "low": None, "high": None, "seeds": 1}
    mean, low, high = interval(pairs)
    return {"mean": mean, "low": low, "high": high, "seeds": len(pairs)}


def summarise(reports: dict[str, list[Report]]) -> Report:
    """All arms, and how many more dense latents every other arm has than the one without the dense span."""
    more = {
        name: found
        for name, arm in reports.items()
        if "dense" in reports and name != "dense" and (found := difference(arm, reports["dense"])) is not None
    }
    found = {"arms": {name: arm_summary(arm) for name, arm in reports.items()}, "more_than_dense": more}
    return found | {"statement": {"code": finding(found)}}


def differences(summary: Report) -> Iterator[str]:
    """How many more dense latents every other arm has than the one without the dense span, as the command prints it."""
    for name, gap in summary["more_than_dense"].items():
        bounds = "one seed" if gap["low"] is None else f"95 % {gap['low']:+.1f} to {gap['high']:+.1f}"
        yield f"{name} less dense: {gap['mean']:+.1f} dense latents ({bounds})"


def table(slug: str, summary: Report) -> Table:
    """The arms as the command prints them."""
    shown = Table(title=f"{slug}: dense latents of SAEs trained anew (95 % interval over seeds, else over documents)")
    for name in ("arm", "seeds", "dims", "latents", "variance", "dense", "pairs", "mass", "FVU", "alive", "both signs"):
        shown.add_column(name, justify="left" if name == "arm" else "right", no_wrap=True)
    for name in ARMS:
        if name in summary["arms"]:
            shown.add_row(name, *_cells(summary["arms"][name]))
    return shown


def _cells(arm: Report) -> list[str]:
    dense = arm["n_dense"]
    bounds = "" if dense["low"] is None else f" ({dense['low']:.1f} to {dense['high']:.1f})"
    return [
        str(arm["seeds"]),
        f"{arm['removed_dimensions']:.0f}",
        f"{arm['removed_latents']:.0f}",
        f"{arm['removed_variance']:.1%}" + (" (short)" if arm["short"] else ""),
        f"{dense['mean']:.1f}{bounds}",
        f"{arm['n_pairs']:.1f}",
        _share(arm["dense_mass_share"]),
        "unknown" if arm["fvu"] is None else f"{arm['fvu']:.3f}",
        _share(arm["alive_share"]),
        _share(arm["signed_share"]),
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


class Results(NamedTuple):
    """All that is stored of one experiment."""

    reports: dict[str, list[Report]]  # by arm, in the order of its seeds
    summary: dict[str, Any]
    found: FoundAgain | None  # the SAE's dense latents under other seeds; None below two seeds of the original arm
    folder: Path

    def lines(self) -> Iterator[str]:
        """Angles and stability in plain sentences."""
        for name, pairs in self.summary["angles"].items():
            shared = sum(pair["shared"] for pair in pairs) / len(pairs)
            chance = sum(pair["chance"] for pair in pairs) / len(pairs)
            yield f"{name}: dense spans of two seeds share {shared:.2f} (random spans of the same size {chance:.2f})"
        stability = self.summary["stability"]
        if stability is not None:
            yield (
                f"{stability['stable']} of {stability['latents']} dense latents are found again in at least two thirds"
                f" of {stability['seeds']} seeds (|cosine| >= {stability['cut']}; random directions reach"
                f" {max(stability['chance']):.2f}); of {stability['sparse']:,} sparse latents"
                f" {stability['sparse_stable_share']:.0%}"
            )


def results_of(config: RetrainConfig, source: Source, jobs: list[Job], reports: list[Report]) -> Results:
    """Means over seeds, differences, angles and stability."""
    named: dict[str, list[Report]] = {name: [] for name in ARMS if any(job.name == name for job in jobs)}
    dictionaries: dict[str, list[tuple[int, Dictionary]]] = {name: [] for name in named}
    for job, report in zip(jobs, reports, strict=True):
        named[job.name].append(report)
        decoder = load_sae(str(job.folder)).decoder
        dictionaries[job.name].append((job.recipe.seed, Dictionary(decoder, report["dense"])))
    found, stability = _stability(config, source, dictionaries.get("original", []))
    summary = summarise(named) | {
        "angles": _angles(config, dictionaries),
        "angles_to_source": _to_source(config, source, dictionaries.get("original", [])),
        "stability": stability,
        "source": _source(source, jobs[0]),
    }
    return Results(named, summary, found, jobs[0].folder.parent)


def _angles(config: RetrainConfig, arms: dict[str, list[tuple[int, Dictionary]]]) -> dict[str, Any]:
    found = {name: angles(seeds, config.energy) for name, seeds in arms.items()}
    return {name: pairs for name, pairs in found.items() if pairs}


def _to_source(config: RetrainConfig, source: Source, seeds: list[tuple[int, Dictionary]]) -> list[dict[str, Any]]:
    """Dense span of each seed of the original arm against the SAE's own, which is called seed -1."""
    own = (-1, Dictionary(source.sae.decoder.cpu(), source.stored.dense))
    return [pair for seed in seeds for pair in angles([own, seed], config.energy)]


def _stability(
    config: RetrainConfig, source: Source, seeds: list[tuple[int, Dictionary]]
) -> tuple[FoundAgain | None, dict[str, Any] | None]:
    if len(seeds) < 2:
        return None, None
    decoder = source.sae.decoder.cpu()
    others = [one.decoder for _seed, one in seeds]
    found = find_again(decoder[source.stored.dense], others, config.found_cosine)
    sparse = find_again(decoder[source.sparse], others, config.found_cosine)
    return found, {
        "cut": config.found_cosine,
        "seeds": len(seeds),
        "latents": len(source.stored.dense),
        "stable": int(found.stable.sum()),
        "median_cosine": float(found.cosines.median()),
        "chance": [round(value, 5) for value in found.chance],
        "sparse": len(source.sparse),
        "sparse_stable_share": float(sparse.stable.double().mean()) if len(source.sparse) else None,
    }


def _source(source: Source, job: Job) -> dict[str, Any]:
    """The SAE itself on the same held-out text; it was trained longer, and maybe on some of that text."""
    held_out = HeldOut.of(job.testing, job.hook)
    nothing = Removal(torch.zeros(source.sae.d_in, 0), torch.zeros(source.sae.d_in))
    found = measure(source.sae, held_out, nothing, job.threshold, job.device)
    return {name: value for name, value in found.items() if name not in ("dense", "density_curve")}
