"""The report of rows: whether anything follows the labels, beside sparse units and the raw columns, on one slide."""

from __future__ import annotations

import html
import re
from pathlib import Path

from fastapi.testclient import TestClient
from pptx import Presentation

from app.commands.report import report
from tests.app.field.test_field_pages import client, db, page  # noqa: F401 - fixtures
from tests.field_world import DEFECT


def test_the_slide_answers_for_the_labels_beside_their_controls(client: TestClient) -> None:  # noqa: F811
    found = client.get("/report").text
    slide = found.split('class="slide"')[1].split("</section>")[0]
    text = html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", slide)))
    assert "2 of 3 labels are followed by a unit that is on in more than 10 % of rows." in text
    assert "defect stands out most" in text or "quantity stands out most" in text
    assert f"L0/{DEFECT}" in text
    assert slide.count("<figcaption>") == 3
    assert "Do they follow the labels more than sparse ones do?" in text
    assert "raw columns" in text
    assert "What was decided Nothing yet" in text
    assert "does not show that anything works through it" in text
    assert "'defect' is column 5" in text  # a warning of the data is among what it does not show
    assert "nats" not in text
    assert "tokens" not in text


def test_its_second_page_says_how_it_was_measured(client: TestClient) -> None:  # noqa: F811
    text = page(client, "/report")
    assert "How it was measured" in text
    assert "groups by machine" in text
    assert "beyond shuffled labels, with the other columns held fixed" in text


def test_the_file_for_a_meeting_is_of_rows_too(db: Path, tmp_path: Path) -> None:  # noqa: F811
    report(tmp_path / "r.pptx", str(db))
    first = Presentation(str(tmp_path / "r.pptx")).slides[0]
    assert first.shapes.title.text_frame.text.startswith("2 of 3 labels are followed")
    bars = [shape for shape in first.shapes if shape.shape_type == 1]
    assert len(bars) > 10  # drawn as shapes, not as a picture
