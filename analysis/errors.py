"""Errors a user can act on: each names the file or value, what was expected and what was found."""

from __future__ import annotations


class UserError(Exception):
    """Bad input or a state the user can mend. The CLI prints it without a traceback, exit status 2."""


class BadFile(UserError):  # noqa: N818 -- says what is wrong, and reads as it is raised
    """A file that cannot be used as it is.

    Args:
        path: the file.
        expected: what it should have held.
        found: what it holds.
    """

    def __init__(self, path: object, expected: str, found: str) -> None:
        super().__init__(f"{path}: expected {expected}; found {found}")
        self.path, self.expected, self.found = str(path), expected, found
