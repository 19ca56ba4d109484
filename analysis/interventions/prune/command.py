"""`dense-latents prune`: an SAE folder without the chosen latents, and what that costs on held-out text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.errors import UserError
from analysis.hashing import unit_hash
from analysis.interventions.prune.chosen import chosen
from analysis.interventions.prune.config import PruneConfig
from analysis.interventions.prune.cut import (
    check_foldable,
    check_room,
    contribution,
    folded,
    latent_axes,
    mean_activations,
    tensors_of,
    without,
)
from analysis.interventions.prune.folder import PRUNING, check_out, new_folder, write_sae
from analysis.interventions.prune.report import Comparison, Report, table
from analysis.interventions.subject import Stored, Subject, look_up
from analysis.process.progress import progress_bar
from analysis.process.versions import versions
from analysis.reading.sae import LoadedSae, load_sae


def prune(config: PruneConfig, console: Console) -> Path:
    """Cut, write, load again, measure; returns the new SAE's folder. Whatever fails, nothing is left behind.

    Raises:
        UserError: nothing or everything is to go, an SAE that cannot be cut, a folder that is not empty, no
            held-out document.
    """
    stored = look_up(config.db, config.sae, config.run)
    removed = chosen(config, stored)
    check_out(config.out)
    console.print(f"loading {stored.slug}, to remove {len(removed):,} of its latents")
    subject = config.open()
    check_room(subject.sae, removed)
    axes = latent_axes(subject.sae)
    _check_held_out(config, subject)
    tensors, dtype = tensors_of(subject.sae)
    left, kept = without(tensors, axes, removed, subject.sae.n_latents)
    notes = _notes(subject.sae, stored, removed)
    if config.fold_mean:
        left, told = _folded(config, subject, left, removed, console)
        notes.append(told)
    origin = {"slug": stored.slug, "sha256": stored.sha256, "removed": removed, "mean_folded": config.fold_mean}
    with new_folder(config.out) as folder:
        write_sae(folder, subject.sae, left, dtype, origin)
        measured = _measure(config, subject, folder, console)
        whole = origin | {"verdict": config.verdict, "old_index": kept, "notes": notes, "held_out": measured}
        whole |= {"model_dtype": subject.model.dtype_name, "versions": versions()}
        (folder / PRUNING).write_text(json.dumps(whole, indent=1) + "\n")
    _report(config, stored, measured, notes, console)
    return config.out


def _check_held_out(config: PruneConfig, subject: Subject) -> None:
    """Refuse, before anything long is done, a corpus that leaves nothing to measure on, or to take means over."""
    # the draw is the context stream's own
    drawn = [unit_hash("held out", document.index) < config.held_out for document in subject.corpus.documents()]
    for there, what in ((any(drawn), "held out"), (not all(drawn), "left")):
        if not there:
            raise UserError(
                f"--held-out {config.held_out}: none of {len(drawn)} documents is {what}; expected at least one:"
                " give another share"
            )


def _folded(
    config: PruneConfig, subject: Subject, left: dict[str, Any], removed: list[int], console: Console
) -> tuple[dict[str, Any], str]:
    check_foldable(subject.sae)
    stream = subject.stream(config.tokens, config.contexts, held_out=config.held_out)
    with progress_bar(console, "means", config.tokens, "tokens") as progress:
        means, tokens = mean_activations(subject.model, subject.sae, stream, removed, progress)
    shift = contribution(subject.sae, removed, means)
    told = (
        f"What the removed latents add on average over {tokens:,} tokens of other documents is added to b_dec"
        f" (length {float(shift.norm()):.3g}); the encoder reads as before."
    )
    return folded(subject.sae, left, shift), told


def _notes(sae: LoadedSae, stored: Stored, removed: list[int]) -> list[str]:
    """What whoever uses the new SAE should know."""
    gone = set(removed)
    if sae.architecture in ("topk", "abstopk"):
        notes = [f"k stays {sae.details['k']}: at each token other latents take the place of those removed."]
    elif sae.architecture == "matching_pursuit":
        notes = ["Latents are chosen one after the other: without some, the others fire otherwise."]
    else:
        notes = ["The other latents fire as before."]
    halves = [(one, other) for one, other in stored.pairs if (one in gone) != (other in gone)]
    for one, other in halves:
        went, stays = (one, other) if one in gone else (other, one)
        notes.append(f"{went} goes without its mirror image {stays}: only one side of their signal is left.")
    return notes


def _measure(config: PruneConfig, subject: Subject, folder: Path, console: Console) -> Report:
    """The new SAE as it lies on disk, beside the old one."""
    pruned = load_sae(str(folder), device=str(subject.model.device))
    comparison = Comparison(subject.model, subject.sae, pruned)
    stream = subject.stream(config.tokens, config.contexts, held_out=config.held_out, only_held_out=True)
    with progress_bar(console, "before and after", config.tokens, "tokens") as progress:
        comparison.read(stream, progress)
    return comparison.report(subject.stored.dense_threshold)


def _report(config: PruneConfig, stored: Stored, measured: Report, notes: list[str], console: Console) -> None:
    where = f"{measured['tokens']:,} tokens of {measured['documents']:,} held-out documents"
    console.print(table(measured, f"{stored.slug} on {where}"))
    for note in notes:
        console.print(note)
    console.print(f"written to {config.out}; which latent was which: old_index in {PRUNING}")
