"""What only a worker writes, read once for all pages: terms, runs, tallies, the text of the strip.

A session says which state of the store it sees (`session.info["state"]`, set with the page's tag from the same
transaction), so what is kept can be neither older nor newer than what is read beside it. Without a state nothing is
kept: the command line and tests read anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.shared.language import spoken

T = TypeVar("T")
MOST = 2_000
"""Values that are kept: a few for each SAE that somebody looks at."""


class Memory:
    """Values of the newest state of the store, and of the one before: a page may still be made from that."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._states: dict[str, dict[Hashable, Any]] = {}
        self._lock = Lock()

    def value(self, state: str, key: Hashable, make: Callable[[], T]) -> T:
        """The value of this key. Two that ask at once may both make it: both make the same."""
        found: T | None = self._states.get(state, {}).get(key)
        if found is None:
            found = make()
            with self._lock:
                values = self._states.setdefault(state, {})
                _cut(self._states, 2)
                values[key] = found
                _cut(values, self.most)
        return found


def _cut(held: dict[Any, Any], most: int) -> None:
    while len(held) > most:
        del held[next(iter(held))]


def remembered(session: Session, key: tuple[Hashable, ...], make: Callable[[], T]) -> T:
    """What `make` reads, kept until a worker commits.

    Args:
        key: names it; the first part is unique to the caller.
        make: reads what only a worker writes. None is not kept. It may have words of the page's language.
    """
    memory = session.info.get("memory")
    if memory is not None and session.info.get("expected") and not session.in_transaction():
        session.connection()  # it learns which state it sees as it begins
    state = session.info.get("state")
    return make() if memory is None or not state else memory.value(state, (spoken(), *key), make)
