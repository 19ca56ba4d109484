"""Whether a label's value literally stands in its text: then a signal may follow the words and not what they are of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any


def standing(values: Mapping[int, Any], texts: Mapping[int, str]) -> int:
    """In how many documents, of those with a value, the value stands as a word of its own; case does not count.

    A whole number stands as its digits ("1841"), any other as Python writes it.
    """
    return sum(bool(_pattern(_written(value)).search(texts[index])) for index, value in values.items())


def _written(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


@lru_cache(maxsize=4096)
def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
