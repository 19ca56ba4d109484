"""The arms of one experiment, read back from disk and held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from analysis.interventions.retrain.compare import Dictionary, Found, angles, find_again
from analysis.interventions.retrain.config import ARMS, RetrainConfig
from analysis.interventions.retrain.held_out import HeldOut, measure
from analysis.interventions.retrain.job import Job
from analysis.interventions.retrain.removal import Removal
from analysis.interventions.retrain.source import Source
from analysis.interventions.retrain.summary import Report, summarise
from analysis.reading.sae import load_sae


class Results(NamedTuple):
    """All that is stored of one experiment."""

    reports: dict[str, list[Report]]  # by arm, in the order of its seeds
    summary: dict[str, Any]
    found: Found | None  # the SAE's dense latents under other seeds; None below two seeds of the original arm
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
) -> tuple[Found | None, dict[str, Any] | None]:
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
