"""`analyze` from end to end: load, check, stream, write; what can go wrong on the way, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from rich.console import Console
from sqlalchemy import Engine

from analysis.config import AnalyzeConfig
from analysis.process.cache import cache_folder
from analysis.process.checkpoint import Checkpoints
from analysis.process.plain_errors import plain_words
from analysis.process.progress import progress_bar
from analysis.reading.documents import Document
from analysis.run.budget import groups
from analysis.run.evidence import Decisions, decide, sampled_documents
from analysis.run.fit import misfits, strangers, unmeasured
from analysis.run.pipeline import Reading, Result, check_place, prepare
from analysis.run.read import analyse
from analysis.run.rows.examples import documents_of
from analysis.run.write import check_known, find_complete, write
from analysis.statistics.density import Density
from analysis.statistics.examples import Examples
from migrations.runner import current_revision, head_revision, upgrade
from store.session import database_url, make_engine, sqlite_path, without_password

_PATIENCE_MS = 120_000  # a worker's rows are worth waiting for
_FEW = 5  # files passed over that are named one by one


def analyze(config: AnalyzeConfig, console: Console) -> int:
    """Run the worker.

    Returns:
        id of the run in the store: a new one, or the complete one that has the same key; the last where SAEs do not
        fit into memory together.

    Raises:
        UserError: bad input, a database that cannot be used, a full disk.
        KeyboardInterrupt: stopped by the user, after a checkpoint.
    """
    with plain_words(config.db, "repeat the command with --resume"):
        return [_analyze(part, console) for part in groups(config, console)][-1]


def _analyze(config: AnalyzeConfig, console: Console) -> int:
    console.print(f"loading {config.model} and {len(config.saes)} SAE{'s' * (len(config.saes) > 1)}")
    check_place(config.db)
    reading = prepare(config)
    _migrate(config.db)
    engine = make_engine(config.db, wait_ms=_PATIENCE_MS)
    readers = make_engine(config.db, read_only=True)
    check_known(readers, reading.saes, reading.model)
    for note in strangers(reading.saes, reading.model):
        console.print(note)
    return _known(readers, reading, console) or _run(reading, engine, readers, console)


def _migrate(db: str) -> None:
    """Bring the store to the newest schema, if it is not there: another worker may be writing."""
    path = sqlite_path(database_url(db))
    there = path is not None and path.exists() and path.stat().st_size > 0
    if not there or current_revision(make_engine(db, read_only=True)) != head_revision():
        upgrade(db)


def _known(readers: Engine, reading: Reading, console: Console) -> int | None:
    known = find_complete(readers, reading.key)
    if known is None:
        return None
    where = without_password(reading.config.db)
    console.print(f"run {known.id} in {where} is this very run, finished {known.finished:%Y-%m-%d %H:%M}")
    return known.id


def _run(reading: Reading, engine: Engine, readers: Engine, console: Console) -> int:
    checkpoints = Checkpoints(cache_folder() / "checkpoints", reading.key)
    with checkpoints.locked():
        if (known := _known(readers, reading, console)) is not None:
            return known  # another process finished it while this one was loading
        _tell_start(reading, checkpoints, console)
        try:
            result = analyse(reading, checkpoints, console)
            documents, decisions = _decided(result, console)
            console.print("writing")
            run_id = write(engine, result, documents, decisions, console)
        except KeyboardInterrupt:
            console.print("stopped; the same command with --resume goes on from here")
            raise
        checkpoints.clear()
    told = (*mended(reading), *cut_short(result), *undetailed(result), *misfits(result))
    for note in (*told, *unmeasured(result.panels, decisions)):
        console.print(note)
    dense = sum(
        int((panel[Density].summarise().density > reading.config.dense_threshold).sum()) for panel in result.panels
    )
    where = without_password(reading.config.db)
    tokens, documents_read = result.counts["tokens"], result.counts["documents"]
    console.print(
        f"run {run_id}: {tokens:,} tokens from {documents_read:,} of the {reading.corpus.report.documents:,} documents,"
        f" {len(reading.saes)} SAE{'s' * (len(reading.saes) > 1)}, {dense:,} dense latents, {result.seconds:,.0f} s;"
        f" stored in {where}"
    )
    return run_id


def _decided(result: Result, console: Console) -> tuple[dict[int, Document], Decisions | None]:
    """The documents that are needed again, and what the classes say."""
    reading, panels = result.reading, result.panels
    sampled = sampled_documents(panels) if reading.config.classes else set()
    documents = documents_of(reading.corpus, [panel[Examples].summarise() for panel in panels], sampled)
    if not reading.config.classes:
        return documents, None
    with progress_bar(console, "classes", len(panels), "SAEs") as progress:
        return documents, decide(reading.model, panels, documents, reading.config.cuts, reading.config.seed, progress)


def cut_short(result: Result) -> Iterator[str]:
    """Whether the text ran out."""
    wanted, found = result.reading.config.tokens, result.counts["tokens"]
    if found < wanted:
        yield f"{result.reading.corpus.path}: the text ended after {found:,} of {wanted:,} tokens"


def mended(reading: Reading) -> Iterator[str]:
    """What was skipped or mended in the corpus, and whether it ended early."""
    report = reading.corpus.report
    for count, what in (
        (report.empty_documents, "empty documents skipped"),
        (report.null_rows, "rows without a text skipped"),
        (report.repeated_documents, "documents that repeat an earlier one: they count, but are no examples"),
        (report.invalid_utf8, "invalid UTF-8 sequences replaced"),
        (report.lone_surrogates, "lone surrogates replaced"),
        (report.control_characters, "control characters dropped"),
    ):
        if count:
            yield f"{reading.corpus.path}: {count:,} {what}"
    for encoding, files in sorted(report.encodings.items()):
        if encoding != "utf-8" and not reading.config.encoding:
            yield (
                f"{reading.corpus.path}: {files:,} file{'s' * (files > 1)} read as {encoding}, by their bytes;"
                " --encoding NAME if that is wrong"
            )
    if report.passed_over:
        few = "; ".join(f"{name}: {why}" for name, why in list(report.passed_over.items())[:_FEW])
        more = f" and {len(report.passed_over) - _FEW:,} more" if len(report.passed_over) > _FEW else ""
        yield f"{reading.corpus.path}: not read: {few}{more}"


def undetailed(result: Result) -> Iterator[str]:
    """Dense latents that the first tokens did not show as such, and how to get their examples."""
    for panel in result.panels:
        dense = panel[Density].summarise().density > result.reading.config.dense_threshold
        dense[panel.plan.latents] = False
        missing = torch.nonzero(dense).flatten().tolist()
        if missing:
            listed = ",".join(map(str, missing[:20]))
            more = f" and {len(missing) - 20} more" if len(missing) > 20 else ""
            yield (
                f"{panel.sae.source}: {len(missing)} dense latents have no examples or profiles, since they were rare"
                f" in the first tokens; --detail {panel.sae.layer}:{listed}{more} keeps them"
            )


def _tell_start(reading: Reading, checkpoints: Checkpoints, console: Console) -> None:
    checkpoints.recover()
    if not checkpoints.exists():
        if reading.config.resume:
            console.print("no checkpoint of this run: starting at the beginning")
        return
    done = checkpoints.note()["counts"]["tokens"]
    if reading.config.resume:
        console.print(f"going on from {done:,} tokens")
    else:
        console.print(f"a checkpoint of this run at {done:,} tokens is left aside; --resume would go on from it")
