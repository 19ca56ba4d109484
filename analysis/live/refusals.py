"""Why a text is not read: a code, and what belongs to it. The server has the sentences."""

from __future__ import annotations

from typing import Any


class Refused(Exception):  # noqa: N818 - an answer, no error
    """A text is not read.

    Args:
        code: busy, loading, failed, tokens, characters, empty, request.
        facts: numbers that belong to it.
    """

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.answer = {"error": code, **facts}
