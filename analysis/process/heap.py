"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


@cache
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # no glibc
        return None


def give_back() -> None:
    """What is free in the heap, in its middle, too. Blocks of ever other sizes leave gaps that no later one fits:
    without this a process grows for hours though it holds nothing more.
    """
    if (trim := _trim()) is not None:
        trim(0)
