"""What the arms say together: means over seeds with intervals, differences between arms, and one sentence."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from analysis.interventions.retrain.config import ARMS
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
    return found | {"words": words(found)}


def words(summary: Report) -> str:
    """What the counts mean, whichever way they fall."""
    arms, more = summary["arms"], summary["more_than_dense"]
    if "dense" not in arms or "dimension" not in more:
        return "The arms without the dense span and without a sparse span of equal dimension were not both trained."
    gap = more["dimension"]
    sentence = f"{_opening(arms)} {_headline(gap)}"
    return " ".join([sentence, *_controls(arms, more)])


def _opening(arms: Report) -> str:
    parts = [
        f"{arms[name]['n_dense']['mean']:.1f} {said}"
        for name, said in (
            ("original", "in SAEs of the activations as they are"),
            ("dense", "without the dense span"),
            ("dimension", "without a sparse span of as many dimensions"),
        )
        if name in arms
    ]
    return f"Dense latents: {', '.join(parts)}."


def _headline(gap: Report) -> str:
    """`gap`: the equal-dimension arm's count less that of the arm without the dense span."""
    if gap["low"] is None:
        return f"The difference of {gap['mean']:.1f} is of one seed, so no interval over seeds can be given."
    size = f"{abs(gap['mean']):.1f} {'fewer' if gap['mean'] > 0 else 'more'}"
    bounds = f"95 % interval of the difference over {gap['seeds']} seeds {gap['low']:.1f} to {gap['high']:.1f}"
    if gap["low"] > 0:
        return f"Without the dense span {size} come back than at equal dimension ({bounds}): they depend on that span."
    if gap["high"] < 0:
        return f"Without the dense span {size} come back than at equal dimension ({bounds}): they can do without it."
    return f"At equal dimension the difference cannot be told from none ({bounds}): no need of that span is shown."


def _controls(arms: Report, more: Report) -> list[str]:
    """The two controls that remove as much: what the dense span's place does beyond its size."""
    said = []
    for name, what in (("variance", "sparse latents of equal variance"), ("components", "as many top components")):
        if name not in more:
            continue
        arm, gap = arms[name], more[name]
        short = f"; only {arm['removed_variance']:.1%} of the variance could be reached" if arm["short"] else ""
        side = "more than" if gap["mean"] > 0 else "fewer than" if gap["mean"] < 0 else "as many as"
        size = f"{abs(gap['mean']):.1f} {side}" if gap["mean"] else side
        bounds = "one seed" if gap["low"] is None else f"interval {gap['low']:.1f} to {gap['high']:.1f}"
        count = f"{arm['n_dense']['mean']:.1f}"
        said.append(f"Without {what}: {count}, {size} without the dense span ({bounds}{short}).")
    return said


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
