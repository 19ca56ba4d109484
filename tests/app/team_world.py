"""What people said of the world: agreement, disagreement, notes, a pair, and what was taken back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from app.annotations.queries import Subject
from app.annotations.write import Draft, restore, save
from app.categories.write import CategoryDraft, make
from store.session import make_engine, session_factory
from tests.app.world import DEAD, NEGATIVE, ORIGINAL, POSITIVE, TWIN

SAID: list[tuple[int, int, Draft, str]] = [
    (0, POSITIVE, Draft("position", "prune", ""), "Ada"),  # as the machine; the rule judged nothing here
    (0, NEGATIVE, Draft("alphabet", None, ""), "Ada"),  # the machine finds content word alone
    (1, POSITIVE, Draft("context_binding", "keep", ""), "Ada"),  # one of the machine's two; as the rule
    (1, NEGATIVE, Draft("names-of-ships", "keep", ""), "Bob"),  # the team's own; the rule says investigate
    (1, TWIN, Draft("position", "prune", ""), "Bob"),  # the machine measured nothing; as the rule
    (1, ORIGINAL, Draft(None, None, "odd"), "Bob"),
    (1, DEAD, Draft(None, None, "dead"), "Bob"),  # not dense
    (2, POSITIVE, Draft("null_space", "investigate", ""), "Cleo"),  # the machine finds nothing; as the rule
]


def sha(layer: int) -> str:
    return f"{layer}" * 64


def annotate(db: str) -> None:
    """All of SAID, something of a pair, and a latent about which all was taken back."""
    engine = make_engine(db)
    with session_factory(engine)() as session:
        make(session, CategoryDraft("Names of ships", "teal", "Ships & such"), "Ada")
        for layer, index, draft, author in SAID:
            save(session, Subject(sha(layer), index), draft, 0, author)
        save(session, Subject.pair(sha(1), POSITIVE, NEGATIVE), Draft(None, None, "of both"), 0, "Ada")
        save(session, Subject(sha(2), TWIN), Draft("position", "keep", "oh"), 0, "Dora")
        restore(session, Subject(sha(2), TWIN), 0, 1, "Dora")
    engine.dispose()


def copy(store: str, path: Path) -> str:
    """A store to write into."""
    with closing(sqlite3.connect(store)) as old, closing(sqlite3.connect(path)) as new:
        old.backup(new)
    return str(path)
