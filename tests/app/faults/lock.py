"""Another process that holds the database's lock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from app.settings import ROOT

HOLDER = """
import sys, time
from sqlalchemy import text
from store.session import make_engine
with make_engine(sys.argv[1]).begin() as connection:
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE annotation IN EXCLUSIVE MODE"))  # as strong as writers meet: reads go on
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextmanager
def held(db: str, seconds: float) -> Iterator[None]:
    """For so long, and at its end the lock is free again."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, db, str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
