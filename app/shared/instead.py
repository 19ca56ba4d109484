"""Pages that some kinds of run have in the place of a noun's own: rows of activations have no text to show.

A noun's route asks for its page here first; who has another one for it says so. So neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Maker = TypeVar("_Maker", bound=Callable[..., Any])
_PAGES: dict[tuple[str, str], Callable[..., Any]] = {}


def instead(family: str, noun: str, maker: Callable[..., Any]) -> None:
    """Declare what makes the page of this noun for runs of this family; it is called as the noun's own maker is."""
    _PAGES[family, noun] = maker


def maker_of(family: str, noun: str, own: _Maker) -> _Maker:
    """What makes the page of a noun for runs of a family: its own, unless another was declared."""
    return _PAGES.get((family, noun), own)  # type: ignore[return-value]
