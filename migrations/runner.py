"""Bring a database to the newest schema; say which schema it has.

Only `upgrade` loads alembic (0.3 s): the server's start asks for two revision names and reads
them without it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from store.backup import back_up, free_name
from store.errors import StoreError
from store.search import declared, index_missing
from store.session import database_url, make_engine, sqlite_path, without_password

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
log = logging.getLogger("dense_latents")
ADVISORY_LOCK = 7_245_519_027  # any number no other program on the server uses
_REVISION = re.compile(r"^(revision|down_revision)\s*(?::[^=]+)?=\s*(?:\"([^\"]*)\"|'([^']*)'|None)", re.MULTILINE)


def upgrade(
    url: str, revision: str = "head", *, backup: bool = True, tell: Callable[[str], None] = log.warning
) -> Path | None:
    """Migrate `url` (made if missing) to `revision`. Of two starters one migrates and the other waits.

    Args:
        url: a path or a SQLAlchemy URL.
        backup: copy a SQLite file that holds rows before it is changed.
        tell: is told where the copy is.

    Returns:
        the copy; None where nothing had to be copied.

    Raises:
        StoreError: a newer schema, another program's database, no room for the copy; nothing was changed.
    """
    engine = make_engine(url)
    try:
        with one_at_a_time(url, engine):
            found, wanted = _found(url, engine), head_revision() if revision == "head" else revision
            if found == wanted:
                _fill(engine, revision)  # a migration may have been killed before it had
                return None
            kept = _keep(url, engine, found) if backup else None
            if kept is not None:
                tell(f"{without_password(url)} as it was, with schema {found}, is kept as {kept}")
            _run("upgrade", engine, revision)
            _fill(engine, revision)
            return kept
    finally:
        engine.dispose()


def check_revision(name: object, found: str | None) -> None:
    """It is one that this version knows, or an empty database's.

    Raises:
        StoreError: a newer version made it; both revisions are named.
    """
    head = head_revision()
    if found is not None and found not in known_revisions():
        why = "update dense-latents" if found > head else "no version has it"
        raise StoreError(f"{name} has schema {found}, this version knows {head} and older ones; {why}")


def _found(url: str, engine: Engine) -> str | None:
    """The revision, where it may be migrated. A SQLite file is only read: a writer's first act is to change its
    journal mode, and another program's file is left as it is."""
    path = sqlite_path(database_url(url))
    if path is None:
        found = current_revision(engine)
        check_revision(without_password(url), found)
        return found  # other databases may be shared
    if not path.exists() or path.stat().st_size == 0:
        return None
    reader = make_engine(url, read_only=True)
    try:
        found, tables = current_revision(reader), set(inspect(reader).get_table_names())
    finally:
        reader.dispose()
    check_revision(path, found)
    if found is None and (strangers := sorted(tables - {"alembic_version"})):
        raise StoreError(f"{path} is another program's database, with {', '.join(strangers[:5])}; choose another --db")
    return found


def _keep(url: str, engine: Engine, found: str | None) -> Path | None:
    path = sqlite_path(database_url(url))
    if path is None or found is None or not _filled(engine):
        return None
    kept = free_name(path, f"schema-{found}")
    back_up(path, kept)
    return kept


def _filled(engine: Engine) -> bool:
    with engine.connect() as connection:
        names = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        names = [name for name in names if declared(name, "table")]
        return any(connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first() for name in names)


def _fill(engine: Engine, revision: str) -> None:
    """What was analysed before there was a search can be searched from now on."""
    if revision == "head":
        index_missing(engine)


def downgrade(url: str, revision: str) -> None:
    """Migrate `url` back to `revision` ("base" for an empty database)."""
    engine = make_engine(url)
    try:
        with one_at_a_time(url, engine):
            _run("downgrade", engine, revision)
    finally:
        engine.dispose()


def config() -> Config:
    """Alembic's configuration without an ini file."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(HERE).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def current_revision(engine: Engine) -> str | None:
    """The schema's revision in the database; None where no migration ever ran."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def head_revision() -> str:
    """The newest revision among the files, read as text: importing alembic for it would cost 0.3 s a start.

    Raises:
        RuntimeError: the files have no head or several.
    """
    known, parents = _revisions()
    heads = known - parents
    if len(heads) != 1:
        raise RuntimeError(f"migrations/versions has {len(heads)} heads: {sorted(heads)}")
    return heads.pop()


def known_revisions() -> set[str]:
    """All revisions among the files."""
    return _revisions()[0]


def _revisions() -> tuple[set[str], set[str]]:
    """Revisions, and those that others follow."""
    known, parents = set[str](), set[str]()
    for file in (HERE / "versions").glob("*.py"):
        for name, double, single in _REVISION.findall(file.read_text()):
            (known if name == "revision" else parents).add(double or single)
    return known, parents


def _run(direction: str, engine: Engine, revision: str) -> None:
    from alembic import command

    settings = config()
    with engine.connect() as connection:
        settings.attributes["connection"] = connection
        getattr(command, direction)(settings, revision)
        connection.commit()


@contextmanager
def one_at_a_time(url: str, engine: Engine) -> Iterator[None]:
    """Whoever changes the schema or the whole file waits for who does so already."""
    path = sqlite_path(database_url(url))
    if path is not None:
        with _file_lock(path.with_name(path.name + ".migrate-lock")):
            yield
    elif engine.dialect.name == "postgresql":
        with _advisory_lock(engine):
            yield
    else:
        yield


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield  # the file stays: removing it would let a third starter lock another file of the same name


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
