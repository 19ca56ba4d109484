"""Answers that were made already. The tag of a page stands for all it shows, so equal tags are equal pages.

A page takes some 20 queries and thousands of tokens; the tag takes one small query.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

MOST_BYTES = 48 * 1024 * 1024
LARGEST = 4 * 1024 * 1024
"""A larger answer is not kept."""


class Answer(NamedTuple):
    """A finished answer, as it goes over the wire."""

    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def size(self) -> int:
        """Bytes it takes, about: small answers are mostly what holds them."""
        return len(self.body) + 2_000


class Kept:
    """The answers asked for last, up to a number of bytes."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most, self.bytes = most, 0
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Answer | None:
        """The answer of this key, if it is still there."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer; those asked for longest ago make room."""
        with self._lock:
            old = self._answers.pop(key, None)
            self.bytes += answer.size - (old.size if old else 0)
            self._answers[key] = answer
            while self.bytes > self.most:
                _key, gone = self._answers.popitem(last=False)
                self.bytes -= gone.size
