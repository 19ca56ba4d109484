"""The opaque cursor of a list: the sort key of the last row shown."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import astuple, dataclass

from app.http.errors import BadFilter
from app.shared.language import _

MAX_ID = 2**31 - 1  # PostgreSQL's integer; a larger number names nothing in any store
_LARGEST = 2**62  # no column holds more, and no database's integers do


@dataclass(frozen=True)
class Cursor:
    """Where a page ended."""

    sort: str
    descending: bool
    value: float | None
    """The last row's value of the sorted column; None among those without one."""
    analysis_id: int
    index: int

    def encode(self) -> str:
        """As it stands in a URL."""
        return base64.urlsafe_b64encode(json.dumps(astuple(self)).encode()).decode().rstrip("=")


def decode(text: str, sort: str, descending: bool) -> Cursor:
    """A cursor from a URL.

    Raises:
        BadFilter: it is not one of ours, or belongs to another sort.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        made = Cursor(*json.loads(base64.b64decode(padded, altchars=b"-_", validate=True)))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise BadFilter(
            _("cursor '%(text)s' is none of this list's; leave it out to start at the first page", text=text[:60])
        ) from None
    if not _sound(made):
        raise BadFilter(
            _("cursor '%(text)s' is none of this list's; leave it out to start at the first page", text=text[:60])
        )
    if (made.sort, made.descending) != (sort, descending):
        raise BadFilter(
            _(
                "the cursor belongs to sort '%(sort)s', not '%(sort2)s'; leave it out to start at the first page",
                sort=made.sort,
                sort2=sort,
            )
        )
    return made


def _sound(made: Cursor) -> bool:
    ids = (made.analysis_id, made.index)
    whole = all(type(number) is int and 0 <= number <= MAX_ID for number in ids)
    value = made.value
    number = value is None or (type(value) in {int, float} and abs(value) < _LARGEST and math.isfinite(value))
    return whole and number and isinstance(made.sort, str) and isinstance(made.descending, bool)
