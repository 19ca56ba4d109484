"""`db`: look after the store itself: its schema, copies of it, what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session

from app.commands.examples import examples
from app.commands.plain_errors import plain_errors
from migrations import runner
from store import backup as copies
from store.errors import StoreError
from store.session import database_url, make_engine, sqlite_path, without_password

db_cli = typer.Typer(
    no_args_is_help=True,
    help="Look after the store: schema, backups, what it holds.",
    epilog=examples("db info --db my.db", "db backup --db my.db"),
)
Db = Annotated[str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL.")]
HERE = "dense-latents.db"


@db_cli.command("upgrade", epilog=examples("db upgrade --db my.db"))
def upgrade(
    db: Db = HERE,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Do not copy a SQLite file first.")] = False,
) -> None:
    """Bring a store to this version's schema; a SQLite file that holds rows is copied first. `analyze` and `demo`
    do so by themselves."""
    with plain_errors(db):
        before = _revision(db)
        runner.upgrade(db, backup=not no_backup, tell=typer.echo)
    head, name = runner.head_revision(), without_password(db)
    if before == head:
        typer.echo(f"{name} has schema {head}: nothing to do")
    else:
        typer.echo(f"{name}: schema {before or 'none'} -> {head}")


@db_cli.command("backup", epilog=examples("db backup --db my.db", "db backup copy.db --db my.db"))
def backup(
    file: Annotated[Path | None, typer.Argument(help="By default beside the store, with the time in its name.")] = None,
    db: Db = HERE,
    force: Annotated[bool, typer.Option("--force", help="An old file of that name may go.")] = False,
) -> None:
    """Copy a SQLite store as it is at one moment, while others read and write it, and check the copy."""
    with plain_errors(db):
        path = _file(db, "pg_dump --format=custom --file=BACKUP '{url}'")
        target = file or copies.free_name(path, "copy")
        facts = copies.back_up(path, target, force=force)
    rows = sum(facts.rows.values())
    typer.echo(f"{target}: {_size(target.stat().st_size)}, {rows:,} rows, schema {facts.revision}; checked")


@db_cli.command("restore", epilog=examples("db restore copy.db --db my.db"))
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    db: Db = HERE,
) -> None:
    """Put a backup in the store's place. What was there is kept under another name; no server or worker may have the
    store open."""
    with plain_errors(db):
        path = _file(db, "pg_restore --clean --if-exists --no-owner --dbname='{url}' BACKUP")
        facts = copies.verify(file)
        if facts.revision is None:
            raise StoreError(f"{file} holds no dense-latents store")
        runner.check_revision(file, facts.revision)
        done = _restored(file, path)
    if done.kept is not None:
        typer.echo(f"{path} as it was{'' if done.whole else ', which was damaged,'} is kept as {done.kept}")
    typer.echo(f"{path}: {sum(facts.rows.values()):,} rows, schema {facts.revision}, from {file}")
    if facts.revision != runner.head_revision():
        typer.echo(f"this version expects schema {runner.head_revision()}: dense-latents db upgrade --db {path}")


@db_cli.command("info", epilog=examples("db info --db my.db"))
def info(db: Db = HERE) -> None:
    """Say where a store is, how large, of which schema, and what it holds."""
    from app.commands.store_info import store_info

    with plain_errors(db):
        path = sqlite_path(database_url(db))
        if path is not None:
            copies.check_file(path)
        engine = make_engine(db, read_only=True)
        try:
            found = store_info(engine, path)
        finally:
            engine.dispose()
    head = runner.head_revision()
    lines = [("store", str(path.resolve()) if path else without_password(db)), ("size", _size(found.bytes))]
    lines += [("database", found.software), ("schema", _schema(found.revision, head))]
    lines += [(store_words, f"{found.rows[table]:,}") for table, store_words in _words() if table in found.rows]
    if (run := found.newest) is not None:
        when = f"{run.finished:%Y-%m-%d %H:%M} UTC"
        lines.append(("newest run", f"{run.id}, {run.model} on {run.corpus}, {run.tokens:,} tokens, finished {when}"))
    if (pages := found.pages) is not None:
        lines.append(("journal mode", pages.journal_mode))
        lines.append(("free pages", f"{pages.free:,} of {pages.number:,} of {pages.size:,} bytes"))
    for label, value in lines:
        typer.echo(f"{label:<14}{value}")


@db_cli.command("digest", epilog=examples("db digest --db my.db"))
def digest(db: Db = HERE) -> None:
    """One hash for all that was measured of each suite: the same, in however many runs, processes and stores its SAEs
    were analysed."""
    from app.commands.serve import check_database
    from app.runs.queries import list_suites
    from store.digest import suite_digest

    check_database(db)
    engine = make_engine(db, read_only=True)
    try:
        with plain_errors(db), Session(engine) as session:
            for suite in list_suites(session):
                found = suite_digest(engine, suite.key)
                saes = f"{suite.n_saes} SAE{'s' * (suite.n_saes != 1)}"
                typer.echo(f"{found}  {suite.name}: {saes}, {suite.shown.words}")
    finally:
        engine.dispose()


def _words() -> list[tuple[str, str]]:
    from app.commands.store_info import COUNTED

    return list(COUNTED.items())


def _schema(found: str | None, head: str) -> str:
    if found is None:
        return f"none: no dense-latents store; this version makes {head}"
    if found == head:
        return f"{found}, this version's"
    mend = "dense-latents db upgrade" if found in runner.known_revisions() else "update dense-latents"
    return f"{found}; this version expects {head}: {mend}"


def _restored(file: Path, path: Path) -> copies.Restored:
    engine = make_engine(str(path))
    try:
        with runner.one_at_a_time(str(path), engine):
            return copies.restore(file, path)
    finally:
        engine.dispose()


def _revision(db: str) -> str | None:
    """Of the schema; None also of a file that is not there yet."""
    path = sqlite_path(database_url(db))
    if path is not None and (not path.exists() or path.stat().st_size == 0):
        return None
    engine = make_engine(db, read_only=True)
    try:
        return runner.current_revision(engine)
    finally:
        engine.dispose()


def _file(db: str, otherwise: str) -> Path:
    """The SQLite file behind `db`.

    Raises:
        StoreError: it is another database, whose own tools do this: the command is named.
    """
    path = sqlite_path(database_url(db))
    if path is None:
        url = make_url(database_url(db))
        shown = URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database, url.query)
        command = otherwise.format(url=shown.render_as_string())
        raise StoreError(f"{without_password(db)} is no SQLite file; its own tool does this: {command}")
    return path


def _size(number: int) -> str:
    return f"{number / 1e6:,.1f} MB"
