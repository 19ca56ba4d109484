"""In which writing a text is: what a browser must know to choose its letters and its direction."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import NamedTuple


class Writing(NamedTuple):
    """As HTML's attributes have them; empty where nothing needs to be said."""

    lang: str = ""
    """BCP 47. Of a script that many languages share only the script is known: `und-Cyrl`."""
    dir: str = ""


_SCRIPTS = {
    "ja": "\u3040-\u30ff\uff66-\uff9f",
    "zh": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "und-Arab": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufeff",
    "und-Hebr": "\u0590-\u05ff\ufb1d-\ufb4f",
    "und-Cyrl": "\u0400-\u052f",
    "und-Grek": "\u0370-\u03ff\u1f00-\u1fff",
    "und-Deva": "\u0900-\u097f",
    "und-Thai": "\u0e00-\u0e7f",
}
_RIGHT_TO_LEFT = {"und-Arab", "und-Hebr"}
_OTHER = re.compile("[\u0370-\U0003ffff]")  # Latin and what stands with it need no word
_FAMILIES = {name: re.compile(f"[{letters}]") for name, letters in _SCRIPTS.items()}
_KANA = 0.05  # of a text in Chinese characters: Japanese


@lru_cache(maxsize=4096)
def writing(text: str) -> Writing:
    """The script that most of the letters are of; of Latin text, nothing."""
    other = "".join(_OTHER.findall(text))
    letters = sum(map(str.isalpha, text))
    counts = Counter({name: len(family.findall(other)) for name, family in _FAMILIES.items()})
    counts["ja"] += counts["zh"] if counts["ja"] > _KANA * counts["zh"] else 0
    name, count = counts.most_common(1)[0]
    if 2 * count < letters or not count:
        return Writing()
    return Writing(name, "rtl" if name in _RIGHT_TO_LEFT else "")
