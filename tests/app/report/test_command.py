"""`dense-latents report`: a file for a meeting in three formats, or a plain word and nothing written."""

from __future__ import annotations

import re
import sqlite3
from itertools import combinations
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from playwright.sync_api import Browser
from pptx import Presentation

from app.commands.report import report
from app.commands.report_file import ReportError
from app.http.errors import ServeError
from app.report import pdf, powerpoint
from app.report.powerpoint import shortened
from tests.app.world import HOSTILE, build

SLACK = 2_000
"""EMU: what rounding may move."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("told") / "world.db")


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_html_needs_no_network_and_shows_three_pictures(store: str, browser: Browser, tmp_path: Path) -> None:
    report(tmp_path / "r.html", store)
    window = browser.new_page(viewport={"width": 400, "height": 900})
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    window.goto((tmp_path / "r.html").as_uri())
    assert asked == [(tmp_path / "r.html").as_uri()]
    assert window.locator(".slide figure.picture").count() == 3
    assert window.locator(".slide h1").inner_text().startswith("15 of ")
    assert window.evaluate("document.documentElement.scrollWidth") == 400
    for bar in window.locator(".slide figure.picture svg[role=img]").all():
        assert bar.bounding_box()["width"] > 60  # type: ignore[index]
    window.close()
    html = (tmp_path / "r.html").read_text()
    assert HOSTILE[0] not in html
    assert "<script" not in html
    assert " href=" not in html


def test_the_pdf_is_a_landscape_slide_and_a_page_of_method(store: str, tmp_path: Path) -> None:
    if not pdf.browser():
        pytest.skip("no Chromium here")
    report(tmp_path / "r.pdf", store)
    pages = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", (tmp_path / "r.pdf").read_bytes())
    sides = [(float(width), float(height)) for width, height in pages]
    assert [width > height for width, height in sides] == [True, False]
    assert _files(tmp_path) == {"r.pdf"}


def test_the_powerpoint_file_says_the_same_in_text_and_shapes(store: str, tmp_path: Path) -> None:
    report(tmp_path / "r.pptx", store)
    report(tmp_path / "r.html", store)
    held = Presentation(str(tmp_path / "r.pptx"))
    first, second = held.slides
    html = (tmp_path / "r.html").read_text()
    title = re.search(r"<h1><bdi>(.*?)</bdi>", html)
    assert title
    assert first.shapes.title.text_frame.text == title[1]
    words = [shape.text_frame.text for shape in first.shapes]
    assert {"What was decided", "What this does not show"} <= set(words)
    for caption in re.findall(r"<figcaption><bdi>(.*?)</bdi>", html):
        assert caption in words
    assert second.shapes.title.text_frame.text == "How it was measured"
    assert "fc" * 3 not in "".join(words)


def test_nothing_on_the_slides_covers_anything_or_leaves_the_paper(store: str, tmp_path: Path) -> None:
    report(tmp_path / "r.pptx", store)
    held = Presentation(str(tmp_path / "r.pptx"))
    for slide in held.slides:
        texts = [shape for shape in slide.shapes if shape.shape_type != 1 and shape.text_frame.text]
        for shape in slide.shapes:
            assert shape.left >= 0, shape.name
            assert shape.left + shape.width <= int(held.slide_width or 0) + SLACK
            assert shape.top + shape.height <= int(held.slide_height or 0) + SLACK
        for one, other in combinations(texts, 2):
            assert not _overlap(one, other), (one.text_frame.text, other.text_frame.text)


def _overlap(one: Any, other: Any) -> bool:
    across = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    down = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    return bool(across > SLACK and down > SLACK)


@pytest.mark.parametrize(
    ("name", "said"), [("r.docx", r"\.html, \.pdf or \.pptx"), ("r", r"\.html"), ("no/r.html", "there is no folder")]
)
def test_a_name_that_means_nothing_is_refused(store: str, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ReportError, match=said):
        report(tmp_path / name, store)
    assert _files(tmp_path) == set()


@pytest.mark.parametrize("ending", ["html", "pptx"])
def test_bad_input_writes_nothing(store: str, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"r.{ending}"
    with pytest.raises(ServeError, match="does not exist"):
        report(out, str(tmp_path / "none.db"))
    with pytest.raises(ReportError, match="no complete run 99"):
        report(out, store, run=99)
    assert _files(tmp_path) == set()


def test_a_file_that_is_there_is_kept(store: str, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    out.write_text("mine")
    with pytest.raises(ReportError, match="--force replaces it"):
        report(out, store)
    assert out.read_text() == "mine"
    report(out, store, force=True)
    assert out.read_text() != "mine"


def test_an_empty_store_is_said(store: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    copyfile(store, empty)
    with sqlite3.connect(empty) as connection:
        connection.execute("UPDATE run SET status = 'running'")
    connection.close()
    with pytest.raises(ReportError, match="no complete run"):
        report(tmp_path / "r.html", str(empty))
    assert not (tmp_path / "r.html").exists()


def test_without_chromium_it_says_what_to_do(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "PLACES", ())
    monkeypatch.delenv(pdf.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReportError, match=r"Chromium or Chrome, and none was found.*report\.html"):
        report(tmp_path / "r.pdf", store)
    assert _files(tmp_path) == set()


def test_a_browser_that_fails_leaves_nothing(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pdf.VARIABLE, "/bin/false")
    with pytest.raises(ReportError, match="made no PDF"):
        report(tmp_path / "r.pdf", store)
    assert _files(tmp_path) == set()


def test_without_python_pptx_it_says_how_to_get_it(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powerpoint, "find_spec", lambda _name: None)
    with pytest.raises(ReportError, match=r"dense-latents\[slides\]"):
        report(tmp_path / "r.pptx", store)
    assert _files(tmp_path) == set()


def test_a_long_line_is_cut_where_it_can_be_seen() -> None:
    assert shortened("a" * 200, 10) == "a" * 9 + "…"
    assert shortened("short", 10) == "short"
