"""`db merge`: another machine's store into this one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.annotations.file import AnnotationLine, annotation_lines
from app.annotations.importing import Taken, join
from app.annotations.reading import content_of
from app.commands.plain_errors import plain_errors
from app.shared.links import latent_name
from app.shared.numbers import ranges
from migrations import runner
from store import backup as copies
from store.alive import this_process
from store.errors import StoreError
from store.leftovers import remove_leftovers
from store.merge import Complete, Merge, Merged
from store.session import database_url, make_engine, reading_engine, session_factory, sqlite_path, without_password
from store.tables import Sae
from store.writing import Writer

PATIENCE_MS = 120_000
Judge = Callable[[Session, int], object]
"""Puts the rule's verdicts of an analysis in the place of those it had."""


def merge_stores(other: str, into: str, complete: Complete, judge: Judge) -> None:
    """Take what `other` holds into `into`, and say what was new. `other` is only read.

    Args:
        complete: chains a run to its suite and completes it: the worker's part.
        judge: the worker's, too.

    Raises:
        StoreError: one of the two is no store that this version can read, or both are the same.
    """
    with ExitStack() as stack, plain_errors(into):
        source = stack.enter_context(_of_this_schema(other, into))
        runner.upgrade(into, tell=typer.echo)
        engine = make_engine(into, wait_ms=PATIENCE_MS)
        stack.callback(engine.dispose)
        readers = stack.enter_context(reading_engine(engine))
        stack.enter_context(runner.one_at_a_time(into, engine))  # two of the same store at once would bring it twice
        with session_factory(source)() as theirs, this_process() as process:
            writer = Writer(engine, process)
            remove_leftovers(writer)
            merged = Merge(theirs, writer, readers, complete).run()
            for analysis_id in sorted(merged.touched):
                writer.transaction(lambda session, own=analysis_id: judge(session, own))  # type: ignore[misc]
            content = content_of(without_password(other), annotation_lines(theirs))
            with session_factory(engine)() as session:
                taken = join(session, content)
        with session_factory(readers)() as session:
            _say(session, without_password(other), without_password(into), merged, taken)


@contextmanager
def _of_this_schema(other: str, into: str) -> Iterator[Engine]:
    """The other store, to read; a migrated copy where its schema is older."""
    path, target = (sqlite_path(database_url(one)) for one in (other, into))
    if database_url(other) == database_url(into) or (path and target and target.exists() and _same(path, target)):
        raise StoreError(f"{without_password(other)} is the store itself; name another one")
    if path is not None:
        copies.check_file(path)
    engine = make_engine(other, read_only=True)
    found = runner.current_revision(engine)
    if found is None:
        engine.dispose()
        raise StoreError(f"{without_password(other)} holds no dense-latents store")
    runner.check_revision(without_password(other), found)
    if found == runner.head_revision():
        yield engine
        engine.dispose()
        return
    engine.dispose()
    if path is None:
        mend = "dense-latents db upgrade"
        raise StoreError(f"{without_password(other)} has schema {found}: expected {runner.head_revision()}; {mend}")
    with _migrated(path, target) as engine:
        yield engine


@contextmanager
def _migrated(path: Path, target: Path | None) -> Iterator[Engine]:
    beside = None if target is None else target.resolve().parent  # the room that the rows need is there anyway
    with tempfile.TemporaryDirectory(prefix=".merge-", dir=beside) as folder:
        copy = Path(folder) / path.name
        copies.back_up(path, copy)
        runner.upgrade(str(copy), backup=False)
        engine = make_engine(str(copy), read_only=True)
        try:
            yield engine
        finally:
            engine.dispose()


def _same(path: Path, target: Path) -> bool:
    return path.exists() and path.samefile(target)


def _say(session: Session, other: str, into: str, merged: Merged, taken: Taken) -> None:
    new = [
        _count(len(merged.runs), "run") + (f" ({ranges(merged.runs)} there)" if merged.runs else ""),
        _count(merged.saes, "SAE"),
        _count(merged.interventions, "intervention"),
        _count(merged.experiments, "experiment"),
        _count(merged.comparisons, "comparison"),
        _count(taken.versions, "version of annotations", "versions of annotations"),
        _count(taken.categories, "category", "categories"),
        _count(taken.views, "saved view"),
    ]
    typer.echo(f"{other} into {into}: new are {', '.join(new[:-1])} and {new[-1]}")
    if merged.known:
        typer.echo(f"{_count(merged.known, 'run')} of {other} had the same key as one of {into}: known already")
    if merged.unfinished:
        typer.echo(f"{_count(merged.unfinished, 'run')} of {other} not complete: left there")
    for name in taken.kept:
        typer.echo(f"{name}: the store's own stays, that of {other} says something else")
    for line, where in zip(taken.joined, _names(session, taken.joined), strict=True):
        typer.echo(
            f"{where}: written on in both; the history has all of it, and what {line.author} said on"
            f" {line.created:%Y-%m-%d %H:%M} UTC is shown"
        )


def _names(session: Session, lines: Iterable[AnnotationLine]) -> Iterator[str]:
    for line in lines:
        sae = session.execute(select(Sae.slug, Sae.layer).where(Sae.sha256 == line.sae_sha256)).first()
        if sae is None:
            yield line.about
        else:
            pair = "" if line.other is None else f" and {line.other}"
            yield f"{latent_name(sae.layer, line.index)}{pair} of {sae.slug}"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
