"""`dense-latents ablate`: what breaks without each latent, each pair and the dense set; into the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.ablate.measure import Ablated, Ablation
from analysis.interventions.ablate.rows import effect_rows
from analysis.interventions.ablate.sums import Effects
from analysis.interventions.subject import Subject
from analysis.interventions.write import replace_intervention
from analysis.process.cache import cache_folder
from analysis.process.checkpoint import Checkpoints
from analysis.process.plain_errors import plain_words
from analysis.process.progress import progress_bar, wide
from analysis.process.versions import versions
from analysis.run.rows.plain import Row
from store.session import without_password
from store.tables import Effect
from store.vocabulary import ABLATE, OWN, SET


def ablate(config: AblateConfig, console: Console) -> int:
    """Measure and store; returns the intervention's id. Stopped at any point, it goes on where it was.

    Raises:
        UserError: bad input, a full disk, a store that cannot be written; what was measured is kept.
    """
    with plain_words(config.db, "repeat the command: it goes on from there"):
        return _ablate(config, console)


def _ablate(config: AblateConfig, console: Console) -> int:
    console.print(f"loading what {without_password(config.db)} says of --sae {config.sae}")
    subject = config.open()
    checkpoints = Checkpoints(cache_folder() / "ablations", config.key(subject))
    with checkpoints.locked():
        checkpoints.recover()
        if checkpoints.exists():
            console.print(f"going on from {checkpoints.note()['batches']} batches")
        measured = _measure(subject, config, checkpoints, console)
        rows = effect_rows(measured, config.epsilon, subject.stored.median_norm, config.seed)
        found = replace_intervention(config.db, Effect, _intervention(subject, config, measured), rows)
        checkpoints.clear()
    wide(console).print(table(rows, subject.stored.slug))
    console.print(
        f"{subject.stored.slug}: {len(rows):,} ablations on {Effects(measured.sums).tokens:,} tokens of"
        f" {measured.documents} documents in {measured.seconds:,.0f} s; stored in {without_password(config.db)}"
    )
    return found


def _measure(subject: Subject, config: AblateConfig, checkpoints: Checkpoints, console: Console) -> Ablated:
    ablation = Ablation(subject, config, checkpoints.folder)
    if config.ray:
        from analysis.interventions.ablate.together import measure_together

        return measure_together(ablation, checkpoints, console)
    with progress_bar(console, "the model as it is", config.tokens, "tokens") as progress:
        totals = ablation.read(progress)
    with progress_bar(console, "ablating", config.tokens, "tokens") as progress:
        return ablation.measure(totals, checkpoints, progress)


def _intervention(subject: Subject, config: AblateConfig, measured: Ablated) -> Row:
    effects = Effects(measured.sums)
    settings: dict[str, Any] = {
        name: getattr(config, name) for name in ("tokens", "controls", "sets", "epsilon", "seed", "contexts")
    }
    return {
        "analysis_id": subject.stored.analysis_id,
        "kind": ABLATE,
        "key": config.key(subject),
        "tokens": effects.tokens,
        "documents": measured.documents,
        "settings": settings | {"model_dtype": subject.model.dtype_name, "context": subject.stored.context},
        "versions": versions(),
        "summary": {"clean_loss": effects.clean[0], "clean_entropy": effects.clean[1]},
        "seconds": measured.seconds,
        "finished": datetime.now(UTC).replace(tzinfo=None),
    }


def table(rows: list[Row], slug: str, most: int = 12) -> Table:
    """The dense set, and the latents and pairs with the largest KL."""
    made = Table(title=f"{slug}: what changes without them, nats per token (95 % interval over documents)")
    for head in ("", "change of loss", "change of entropy", "KL", "KL of controls", "equivalent"):
        made.add_column(head, justify="left" if not head else "right")
    own = [row for row in rows if row["what"] == OWN]
    sets = [row for row in rows if row["subject"] == SET]
    single = sorted((row for row in own if row["subject"] != SET), key=lambda row: -row["kl"])
    for row in (*sets, *single[:most]):
        band = row["control"].get("kl")
        equal = {True: "yes", False: "no", None: "-"}[row["equivalent"]]
        made.add_row(
            _name(row), _shown(row, "loss"), _shown(row, "entropy"), _shown(row, "kl"),
            f"{band['median']:.4f} to {band['high']:.4f}" if band else "", equal,
        )  # fmt: skip
    return made


def _name(row: Row) -> str:
    if row["subject"] == SET:
        what = "dense" if row["what"] == OWN else f"control: {row['what']}"
        return f"{len(row['latents'])} latents ({what}), {row['variance']:.1%} of the variance"
    return f"{row['subject']} {row['index']}" + ("" if row["other"] is None else f"/{row['other']}")


def _shown(row: Row, name: str) -> str:
    value = f"{row[name]:+.4f}"
    if row[f"{name}_low"] is None:
        return value
    return f"{value} ({row[f'{name}_low']:+.4f} to {row[f'{name}_high']:+.4f})"
