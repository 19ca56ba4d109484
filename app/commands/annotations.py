"""`annotations`: what people wrote, into a file and out of one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.examples import examples
from app.commands.plain_errors import plain_errors
from store.errors import StoreError
from store.session import make_engine, session_factory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

annotations_cli = typer.Typer(
    no_args_is_help=True,
    help="Take what people wrote out of a store, or into it.",
    epilog=examples("annotations export --db my.db --out notes.jsonl"),
)
Db = Annotated[str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL.")]


@annotations_cli.command("export", epilog=examples("annotations export --db my.db --out notes.jsonl"))
def export(
    db: Db = "dense-latents.db",
    out: Annotated[Path | None, typer.Option(help="File to write; without it, standard output.")] = None,
) -> None:
    """Write all annotations with their history, categories and saved views as JSON lines; the same content is the
    same bytes."""
    with plain_errors(db):
        if out is None:
            sys.stdout.buffer.writelines(_lines(db))
            sys.stdout.buffer.flush()
        else:
            _write(out, _lines(db))


@annotations_cli.command("import", epilog=examples("annotations import notes.jsonl --db my.db"))
def take_in(
    file: Annotated[Path, typer.Argument(help="What `annotations export` wrote.")],
    db: Db = "dense-latents.db",
    merge: Annotated[
        bool, typer.Option("--merge", help="Where file and store differ, add the file's versions after the store's.")
    ] = False,
) -> None:
    """Add what a file holds and the store does not: all of it, or nothing. Annotations of SAEs that are not in the
    store are kept for when they are; `db upgrade` makes an empty store."""
    from app.annotations import importing as annotation_import
    from app.annotations import reading as annotation_reading
    from app.commands.serve import check_database

    content = annotation_reading.read(file)
    check_database(db)
    engine = make_engine(db)
    try:
        with plain_errors(db), session_factory(engine)() as session:
            taken = annotation_import.take_in(session, content, merge=merge)
    finally:
        engine.dispose()
    words = (_count(taken.versions, "version"), _count(taken.categories, "category", "categories"))
    typer.echo(f"{file}: {', '.join(words)} and {_count(taken.views, 'saved view')} are new")
    for name in taken.kept:
        typer.echo(f"{name}: the store's own stays, the file's says something else")


def _write(out: Path, lines: Iterable[bytes]) -> None:
    """The file has its name when it is whole."""
    _check_target(out)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as handle:
            handle.writelines(lines)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _lines(db: str) -> Iterator[bytes]:
    from app.annotations.file import annotation_lines, written
    from app.commands.serve import check_database

    check_database(db)
    engine = make_engine(db, read_only=True)
    try:
        with session_factory(engine)() as session:
            for line in written(annotation_lines(session)):
                yield line.encode()
    finally:
        engine.dispose()


def _check_target(out: Path) -> None:
    """An old export may be replaced, another file not: `--out` may name the store by mistake."""
    from app.annotations.file import FORMAT

    try:
        with out.open("rb") as handle:
            beginning = handle.read(200)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror or error}") from error
    if beginning and FORMAT.encode() not in beginning:
        raise StoreError(f"{out} is no export of annotations, and is not overwritten; choose another name")
