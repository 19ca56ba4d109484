"""Bring a database to the newest schema; say which schema it has.

Only `upgrade` loads alembic (0.3 s): the server's start asks for two revision names and reads
them without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, inspect, text

from store.session import database_url, make_engine, sqlite_path

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
ADVISORY_LOCK = 7_245_519_027  # any number no other program on the server uses
_REVISION = re.compile(r"^(revision|down_revision)\s*(?::[^=]+)?=\s*(?:\"([^\"]*)\"|'([^']*)'|None)", re.MULTILINE)


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate `url` (made if missing) to `revision`. Of two starters one migrates and the other waits.

    Args:
        url: a path or a SQLAlchemy URL.
    """
    engine = make_engine(url)
    try:
        with _one_at_a_time(url, engine):
            _run("upgrade", engine, revision)
    finally:
        engine.dispose()


def downgrade(url: str, revision: str) -> None:
    """Migrate `url` back to `revision` ("base" for an empty database)."""
    engine = make_engine(url)
    try:
        with _one_at_a_time(url, engine):
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
    known, parents = set[str](), set[str]()
    for file in (HERE / "versions").glob("*.py"):
        for name, double, single in _REVISION.findall(file.read_text()):
            (known if name == "revision" else parents).add(double or single)
    heads = known - parents
    if len(heads) != 1:
        raise RuntimeError(f"migrations/versions has {len(heads)} heads: {sorted(heads)}")
    return heads.pop()


def _run(direction: str, engine: Engine, revision: str) -> None:
    from alembic import command

    settings = config()
    with engine.connect() as connection:
        settings.attributes["connection"] = connection
        getattr(command, direction)(settings, revision)
        connection.commit()


@contextmanager
def _one_at_a_time(url: str, engine: Engine) -> Iterator[None]:
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
