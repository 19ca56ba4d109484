"""Addresses, and that every link of a template is made by the function that knows where pages stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings import ROOT
from app.shared.links import Links, at

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
RAW = re.compile(r"""\b(?:href|src|srcset)=["']?(?!["'#]|\{\{ static_url\()[^\s>]*""")
IN_WORDS = re.compile(r"&lt;iframe[^>]*")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_template_writes_an_address_itself(template: Path) -> None:
    """Else it leads to the server's root from a static site, where no server is."""
    text = IN_WORDS.sub("", template.read_text(encoding="utf-8"))
    assert RAW.findall(text) == []


@pytest.mark.parametrize(
    ("address", "pin", "made"),
    [
        ("/labels", "", "/labels"),
        ("/labels", "run=3", "/labels?run=3"),
        ("/latents?sae=a/b", "run=3", "/latents?sae=a/b&run=3"),
        ("/methods#density", "run=3", "/methods?run=3#density"),
    ],
)
def test_a_pinned_run_stays_in_a_link(address: str, pin: str, made: str) -> None:
    assert at(address, pin) == made


def test_a_link_is_an_attribute_with_nothing_to_break_out_of() -> None:
    assert Links(str).to('/latents?q="><b>', "run=3") == 'href="/latents?q=&#34;&gt;&lt;b&gt;&amp;run=3"'
