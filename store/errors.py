"""What is wrong with a store or a file, in words for the person who named it."""

from __future__ import annotations


class StoreError(Exception):
    """A store or a file that cannot be used as asked. The command line prints it as one line, exit status 2."""


class StoreGone(Exception):  # noqa: N818 -- it is gone, and that is no fault of who asks
    """The store's file was deleted or replaced under a server; what was just written is lost."""
