"""The printable report: what it says is what the pages say, and it fits on paper."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from playwright.sync_api import Browser
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from app.main import create_app
from app.report import queries as report
from app.report.page import report_page
from app.runs import queries as runs
from app.settings import Settings
from app.shared.links import Pin
from app.static_site.cli import site
from store.session import make_engine, session_factory
from tests.app.test_pages import page, spaced, words
from tests.app.world import HOSTILE, NEGATIVE, POSITIVE, TWIN, build


@pytest.fixture(scope="module")
def talked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store in which two people said something of layer 1."""
    path = build(tmp_path_factory.mktemp("talked") / "world.db")
    engine = make_engine(path)
    sae = "1" * 64
    with session_factory(engine)() as session:
        save(session, Subject(sae, POSITIVE), Draft("position", "keep", f"See L2/0. {HOSTILE[0]}"), 0, "Ada")
        save(session, Subject(sae, TWIN), Draft("alphabet", "keep", ""), 0, "Bo")
        save(session, Subject.pair(sae, POSITIVE, NEGATIVE), Draft(None, None, "two of a kind"), 0, "Bo")
    engine.dispose()
    return path


@pytest.fixture
def reader(talked: str) -> TestClient:
    return TestClient(create_app(Settings(db=talked)), base_url="http://127.0.0.1")


def test_every_layer_has_its_line_and_its_bar(client: TestClient) -> None:
    html = page(client, "/report")
    bars = re.findall(r'<svg class="stack".*?</svg>', html, re.DOTALL)
    assert len(bars) == 3
    for bar in bars:  # as many latents as are dense, side by side
        counts = [int(n) for n in re.findall(r'data-tip="[^"]*: (\d+)"', bar)]
        assert sum(counts) == 5
        ends = [(float(x), float(w)) for x, w in re.findall(r'x="([\d.]+)" width="([\d.]+)"', bar)]
        assert sum(width for _start, width in ends) == pytest.approx(100, abs=0.1)
        assert all(a[0] + a[1] == pytest.approx(b[0], abs=0.02) for a, b in pairwise(ends))


def test_it_names_the_latents_whose_loss_changes_most(client: TestClient, session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    keys = report.strongest_effects(session, run, 3)
    assert keys[0] == (12, POSITIVE)  # 0.5 without an interval
    assert {index for _analysis, index in keys[1:]} <= {POSITIVE, 5}
    text = spaced(page(client, "/report"))
    assert "largest effect L1/0" in text
    assert "+0.0213 nats per token without it (0.0182 to 0.0244)" in text
    assert "strongest pair L0/0 ⇄ 1" in text


def test_one_of_each_class_that_is_there(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    found = report.one_of_each(session, run)
    names = [one.name for one in found]
    assert len(names) == len(set(names)) > 0
    assert names == [
        name
        for name in ("position", "context_binding", "null_space", "alphabet", "content_word", "principal_component")
        if name in names
    ]
    assert all(one.label in {"yes", "likely"} for one in found)


def test_people_and_rule_are_held_against_each_other(reader: TestClient) -> None:
    text = unescape(spaced(page(reader, "/report")))
    assert "by people 2 0 0" in text
    # the rule keeps the one and would prune the other; position is measured for the one, alphabet not for the other
    assert "2 people annotated 2 of 15 dense latents; their verdict is the rule's for 1 of 2" in text
    assert "the class they gave is measured for" in text


def test_notes_are_text_with_links(reader: TestClient) -> None:
    html = page(reader, "/report")
    assert HOSTILE[0] not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert '<a href="/saes/tiny/l2-resid/latents/0">L2/0</a>' in html
    assert "two of a kind" in words(html)
    assert html.index("two of a kind") < html.index("See ")  # the newest first


def test_what_was_not_measured_is_said_with_its_command(client: TestClient) -> None:
    text = words(page(client, "/report"))
    assert "What breaks without dense latents: not for layer 0." in text
    assert "dense-latents ablate --db STORE --sae tiny/l0-resid" in text
    assert "nobody has annotated a latent of this run yet" in text


def test_an_old_run_has_a_report_too(client: TestClient) -> None:
    text = words(page(client, "/report?run=1"))
    assert "the run measured no classes" in text
    assert "Neither the rule nor a person" in text


def test_hashes_are_whole(client: TestClient) -> None:
    text = words(page(client, "/report"))
    for digit in "fc0122":
        assert digit * 64 in text


def test_a_longer_run_takes_no_more_queries(application: FastAPI) -> None:
    seen: list[str] = []
    event.listen(application.state.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    counts = []
    with application.state.sessions() as session:
        for number in (1, 2):  # one SAE without anything; three with all
            run = runs.find_run(session, Pin(number))
            assert run
            seen.clear()
            report_page(session, run)
            counts.append(len(seen))
    assert counts[1] <= 25
    assert counts[0] <= counts[1]


def test_it_is_linked_from_home_and_layers(client: TestClient) -> None:
    for path in ("/", "/layers"):
        assert 'href="/report"' in page(client, path)
    assert 'href="/report?run=1"' in page(client, "/?run=1")


def test_times_are_utc(session: Session, talked: str) -> None:
    engine = make_engine(talked, read_only=True)
    with session_factory(engine)() as other:
        run = runs.find_run(other, Pin(2))
        assert run
        said = report.latest_said(other, run, 9)
        assert len(said) == 3
        assert all(abs((datetime.now(UTC) - one.created).total_seconds()) < 3600 for _slug, _layer, one in said)
        assert len(report.latest_said(other, run, 9, noted=True)) == 2
    engine.dispose()


def test_it_prints_on_few_pages(talked: str, browser: Browser, tmp_path: Path) -> None:
    site(tmp_path / "out", talked)
    window = browser.new_page()
    window.goto((tmp_path / "out" / "report.html").as_uri())
    printed = window.pdf(prefer_css_page_size=True)
    window.close()
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) <= 2
