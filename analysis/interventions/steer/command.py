"""`dense-latents steer`: find texts, push the model along each signal, store what it then prefers."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import torch
from rich.console import Console
from rich.table import Table

from analysis.interventions.steer.config import SteerConfig
from analysis.interventions.steer.measure import Steering, planned
from analysis.interventions.steer.pool import read_pool
from analysis.interventions.steer.rows import measured_before, steering_row, write
from analysis.interventions.steer.score import Scorer
from analysis.interventions.steer.signals import Signal, chosen_signals, controls_of, likely_latents
from analysis.interventions.subject import Subject
from analysis.process.cache import cache_folder
from analysis.process.checkpoint import Checkpoints
from analysis.process.interrupts import gentle_stop
from analysis.process.progress import Progress, progress_bar
from analysis.process.versions import versions
from analysis.run.rows.plain import Row, plain
from analysis.run.rows.plain import number as as_number
from store.session import make_engine, without_password


def steer(config: SteerConfig, console: Console) -> list[Row]:
    """Measure and store; gives the rows of the signals that were not in the store yet.

    Stopped at any point, the same command goes on after the last whole signal.

    Raises:
        UserError: no such SAE or signal, other weights or texts than were analysed, a store that cannot be written.
        KeyboardInterrupt: stopped by the user.
    """
    console.print(f"loading what {without_password(config.db)} says of --sae {config.sae}")
    subject = config.open()
    readers = make_engine(config.db, read_only=True)
    stored = subject.stored
    likely = likely_latents(readers, stored.analysis_id)
    signals = chosen_signals(config, stored, subject.sae.n_latents, likely)
    known = measured_before(readers, stored.analysis_id, config.key(subject))
    todo = [signal for signal in signals if signal not in known]
    for note in _notes(signals, known, likely, config, subject):
        console.print(note)
    return _steer(subject, config, todo, console) if todo else []


def _notes(
    signals: list[Signal], known: set[Signal], likely: list[int], config: SteerConfig, subject: Subject
) -> list[str]:
    notes = []
    if not signals:
        notes.append(f"{subject.stored.slug}: no antipodal pairs and no candidates of context binding; name a --latent")
    elif not (config.pairs or config.latents):
        count = f"{len(likely)} latents may be context binding" if likely else "no latent may be context binding"
        notes.append(f"{subject.stored.slug}: {count}; steering along {', '.join(map(str, signals))}")
    done = [str(signal) for signal in signals if signal in known]
    if done:
        notes.append(f"measured before, with the same settings: {', '.join(done)}")
    return notes


def _steer(subject: Subject, config: SteerConfig, todo: list[Signal], console: Console) -> list[Row]:
    checkpoints = Checkpoints(cache_folder() / "steering", config.key(subject))
    with checkpoints.locked():
        checkpoints.recover()
        session = _Session(subject, config, checkpoints, console)
        try:
            with gentle_stop() as stopping:
                session.run(todo, stopping)
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on after the last whole signal")
            raise
        write(config.db, session.intervention(), session.rows)
        checkpoints.clear()
    console.print(table(session.rows, subject.stored.slug))
    console.print(
        f"{len(session.rows)} signal{'s' * (len(session.rows) > 1)} in {session.seconds:,.0f} s; stored in"
        f" {without_password(config.db)}"
    )
    return session.rows


class _Session:
    """What was measured so far, and how to save it."""

    def __init__(self, subject: Subject, config: SteerConfig, checkpoints: Checkpoints, console: Console) -> None:
        self.subject, self.config, self.checkpoints, self.console = subject, config, checkpoints, console
        note = checkpoints.note() if checkpoints.exists() else {}
        self.rows: list[Row] = note.get("rows", [])
        self.facts: Row = note.get("facts", {})  # of the texts, the same for every signal
        self.seconds: float = note.get("seconds", 0.0)
        self._started = time.monotonic()

    def run(self, todo: list[Signal], stopping: Callable[[], bool]) -> None:
        """All signals that no checkpoint has."""
        known = {Signal(row["positive"], row["negative"]) for row in self.rows}
        left = [signal for signal in todo if signal not in known]
        if len(left) < len(todo):
            self.console.print(f"going on after {len(todo) - len(left)} of {len(todo)} signals")
        if not left:
            return
        steering = self._ready(left, stopping)
        total = planned(self.config, len(steering.pool.bos)) * len(left)
        self.console.print(self._estimate(steering, len(left), total))
        with progress_bar(self.console, "steering", total, "tokens") as progress:
            for number, signal in enumerate(left):
                self._one(steering, number, signal, _or_stop(progress, stopping))

    def _ready(self, signals: list[Signal], stopping: Callable[[], bool]) -> Steering:
        """Texts found and read, the costs' clean loss known."""
        config, decoder = self.config, self.subject.sae.decoder.cpu()
        directions = torch.stack([signal.direction(decoder) for signal in signals])
        wanted = config.pool * self.subject.stored.context
        with progress_bar(self.console, "finding texts", wanted, "tokens") as progress:
            pool = read_pool(self.subject, directions, config.pool, config.length, _or_stop(progress, stopping))
        for note in pool.notes:
            self.console.print(f"part of speech is not taken out: {note['reason']}", markup=False)
        scorer = Scorer(self.subject.model, self.subject.sae.hook_out, lambda _tokens: None)
        steering = Steering(scorer, pool, config)
        facts = {"documents": len(pool.document), "unread_documents": pool.unread, "notes": pool.notes}
        self.facts = facts | {"clean_loss": as_number(steering.clean_loss)}
        return steering

    def _one(self, steering: Steering, number: int, signal: Signal, progress: Progress) -> None:
        scorer, spent = steering.scorer, 0

        def count(tokens: int) -> None:
            nonlocal spent
            spent += tokens
            progress(tokens)

        scorer.progress, before = count, scorer.scored
        decoder = self.subject.sae.decoder.cpu()
        controls = controls_of(signal, self.subject.stored, decoder, self.config.controls, self.config.seed)
        found = steering.measure(number, signal, signal.direction(decoder), controls)
        row = steering_row(signal, found, scorer.scored - before)
        self.rows.append(row)
        now = time.monotonic()
        self.seconds, self._started = self.seconds + now - self._started, now
        self.checkpoints.save({"rows": self.rows, "facts": self.facts, "seconds": self.seconds}, [])
        self.console.print(f"{signal}: {_told(row)}", markup=False)
        progress(max(0, planned(self.config, len(steering.pool.bos)) - spent))  # a refused dose is not steered with

    def _estimate(self, steering: Steering, signals: int, tokens: int) -> str:
        """What is to come, by the time of one pass."""
        ordinary, started = steering.ordinary, time.monotonic()
        ordinary.pushed(torch.zeros(1, self.subject.sae.d_out))
        rate = ordinary.tokens / max(1e-9, time.monotonic() - started)
        blocks = steering.scorer.tail.blocks
        return (
            f"{signals} signal{'s' * (signals > 1)}, {self.config.texts} pairs of texts each: up to {tokens:,} tokens"
            f" through the last {blocks} of {self.subject.model.n_layers} blocks, about"
            f" {max(1, round(tokens / max(1.0, rate) / 60))} min at {rate:,.0f} tokens/s"
        )

    def intervention(self) -> Row:
        """Its columns."""
        facts = {name: value for name, value in self.facts.items() if name != "documents"}
        return {
            "analysis_id": self.subject.stored.analysis_id,
            "key": self.config.key(self.subject),
            "documents": self.facts["documents"],
            "settings": plain(self.config.settings()) | {"model_dtype": self.subject.model.dtype_name},
            "versions": versions(),
            "summary": facts | {"context": self.subject.stored.context},
            "seconds": self.seconds,
            "finished": datetime.now(UTC).replace(tzinfo=None),
        }


def _told(row: Row) -> str:
    """One signal's outcome for whoever waits; the server has it in a sentence."""
    said = row["statement"]
    if "flips" not in said:
        return f"{row['label']} {said['reason']}"
    share = f"{said['flips']} of {said['pairs']} pairs of texts at dose {said['dose']:g}"
    return f"{row['label']}, {share}; {said['control']} controls reach {said['largest']:.0%}"


def _or_stop(progress: Progress, stopping: Callable[[], bool]) -> Progress:
    """`progress`, and an end between two passes if one was asked for: signals that are whole are in a checkpoint."""

    def told(tokens: int) -> None:
        progress(tokens)
        if stopping():
            raise KeyboardInterrupt

    return told


def table(rows: list[Row], slug: str) -> Table:
    """One line a signal."""
    made = Table(title=f"{slug}: pairs of texts whose preference goes with the push (95 % interval over documents)")
    for head in ("signal", "label", "dose", "flips", "random", "sparse", "swapped", "refused"):
        made.add_column(head, justify="left" if head in ("signal", "label") else "right")
    for row in rows:
        refused = ", ".join(f"{dose['dose']:g}" for dose in row["data"]["doses"] if dose["refused"])
        made.add_row(
            str(Signal(row["positive"], row["negative"])), row["label"],
            "" if row["dose"] is None else f"{row['dose']:g} sd", _with_interval(row),
            *(_percent(row[of]) for of in ("random", "sparse", "swapped")), refused or "none",
        )  # fmt: skip
    return made


def _with_interval(row: Row) -> str:
    if row["flips"] is None:
        return ""
    return f"{row['flips']:.0%} ({row['flips_low']:.0%} to {row['flips_high']:.0%})"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
