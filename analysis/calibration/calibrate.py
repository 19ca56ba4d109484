"""How often each class is given where it should not be: to random directions, and to sparse latents.

Random directions are held against others of their kind, as latents are in a run, with the chance level of a run's
number of latents; so are the sparse latents, of which some may well have a class: their rate is an upper bound of the
error.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from analysis.classes import CLASSES
from analysis.classes.base import Finding
from analysis.config import AnalyzeConfig, CalibrateConfig
from analysis.decomposition.follow import dense_rates, follow
from analysis.process.checkpoint import Checkpoints
from analysis.process.progress import progress_bar
from analysis.reading.tags import tag_sample
from analysis.run.evidence import Lenses, evidence_of, sampled, sampled_documents, what_to_follow
from analysis.run.panel import Panel
from analysis.run.pilot import CONTROLS
from analysis.run.pipeline import Run, prepare
from analysis.run.read import read
from analysis.run.rows.examples import documents_of
from analysis.statistics.density import Density
from analysis.statistics.intervals import wilson
from analysis.statistics.signals import Signals
from store.vocabulary import DETAILS, UNMEASURED

GROUPS = ("dense", "control", "random")
SHOWN = {"dense": "dense latents", "control": "sparse latents", "random": "random directions"}


def calibrate(config: CalibrateConfig, console: Console) -> None:
    """Measure and print. The directions tried come besides those that are the chance level."""
    found = rates(config, config.directions, Console(stderr=True) if config.json else console)
    if config.json:
        print(json.dumps(found, indent=1))
    else:
        console.print(_table(found))


def rates(config: AnalyzeConfig, directions: int, console: Console) -> dict[str, Any]:
    """Class -> group -> labelled, tried and unmeasured, over all SAEs."""
    chance = config.random_directions
    reading = prepare(replace(config, random_directions=chance + directions))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(reading, Checkpoints(Path(folder), "calibrate"))
        read(run, console)
    documents = documents_of(reading.corpus, [], sampled_documents(run.panels))
    tags, design, lenses = None, None, Lenses(reading.model)
    counts: dict[str, Any] = {each.name: {group: [0, 0, 0] for group in GROUPS} for each in CLASSES}
    with progress_bar(console, "classes", len(run.panels), "SAEs") as progress:
        for panel in run.panels:
            signals = sampled(panel)
            tags = tags or tag_sample(signals.sample, documents)
            design = design or what_to_follow(reading.model, signals.sample, tags, config.seed)
            groups = _groups(panel, config.dense_threshold) + ["random"] * directions
            tried = as_latents(signals, directions)
            followed = follow(design, tried, torch.zeros(0, 2, dtype=torch.int64))
            evidence = evidence_of(reading.model, panel, tried, tags, lenses.of(panel), config.cuts, followed)
            # as many as a run compares: its controls are fewer
            more = max(0, config.controls - CONTROLS)
            evidence = replace(evidence, compared=max(1, len(signals.latents) - more))
            for each in CLASSES:
                _count(counts[each.name], groups, each.judge(evidence))
            progress(1)
    return {"tokens": run.tokens, "saes": len(run.panels), "classes": _named(counts)}


def _count(counts: dict[str, list[int]], groups: list[str], findings: list[Finding]) -> None:
    """Labelled, tried, unmeasured: of those that are in a group."""
    for group, finding in zip(groups, findings, strict=True):
        if group in counts:
            row = counts[group]
            row[0] += finding.holds
            row[1] += finding.label != UNMEASURED
            row[2] += finding.label == UNMEASURED


def _groups(panel: Panel, threshold: float) -> list[str]:
    """What each latent with detail is: dense over all tokens read, a sparse control, or neither."""
    dense = (panel[Density].summarise().density[panel.plan.latents] > threshold).tolist()
    kinds = (DETAILS[kind] for kind in panel.plan.kind.tolist())
    return [
        "dense" if is_dense else kind if kind == "control" else "" for is_dense, kind in zip(dense, kinds, strict=True)
    ]


def as_latents(signals: Signals, count: int) -> Signals:
    """The last `count` random directions put behind the latents, as if they were some: each "fires" where it is
    largest, as often as one of the dense latents, in turn.
    """
    m, q = len(signals.latents), signals.values.shape[1]
    order = torch.tensor([*range(m), *range(q - count, q), *range(m, q - count)])
    values = signals.values[:, order]
    tried = values[:, m : m + count]
    often = dense_rates(signals.acts[:, signals.latents >= 0])
    places = (((1 - often) * len(tried)).round().long().clamp(1, len(tried)) - 1)[torch.arange(count) % len(often)]
    fires = tried > tried.sort(dim=0).values.gather(0, places[None])
    return signals._replace(
        latents=torch.cat([signals.latents, torch.arange(-count, 0)]),
        values=values,
        side=torch.cat([signals.side, fires.to(torch.int8)], 1),
        acts=torch.cat([signals.acts, (tried * fires).to(torch.float16)], 1),
        directions=signals.directions[order],
    )


def _named(counts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            group: {
                "labelled": hits, "tried": tried, "unmeasured": missing,
                "rate": hits / tried if tried else None, "interval": wilson(hits, tried) if tried else None,
            }
            for group, (hits, tried, missing) in groups.items()
        }
        for name, groups in counts.items()
    }  # fmt: skip


def _table(found: dict[str, Any]) -> Table:
    table = Table(title=f"{found['saes']} SAEs, {found['tokens']:,} tokens: labelled of tried (95 % interval)")
    table.add_column("class")
    for group in GROUPS:
        table.add_column(SHOWN[group], justify="right")
    for name, groups in found["classes"].items():
        table.add_row(name, *(_cell(groups[group]) for group in GROUPS))
    return table


def _cell(row: dict[str, Any]) -> str:
    if not row["tried"]:
        return "not measured"
    low, high = row["interval"]
    return f"{row['labelled']} of {row['tried']}: {row['rate']:.1%} ({low:.1%} to {high:.1%})"
