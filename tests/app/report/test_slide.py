"""The numbers of a slide: what stands on it is what was measured, and never more than its control allows."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.labels import queries as labels
from app.labels.queries import Tested
from app.report import queries as report
from app.report.page import report_page
from app.report.pictures import control_of, needed_picture
from app.runs import queries as runs
from app.saes import queries as saes
from app.shared.links import Pin
from app.shared.slide import followed_picture, from_zero, share, spread
from store.vocabulary import OWN
from tests.app.test_pages import page, words


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.417, "42"), (0.0513, "5.1"), (0.0095, "0.95"), (0.0, "0"), (0.9999, "> 99"), (1.0, "100"), (0.00001, "< 0.01")],
)
def test_shares_have_two_digits(value: float, said: str) -> None:
    assert share(value).replace("\u202f", " ") == f"{said} %"


def test_a_bar_below_zero_goes_the_other_way() -> None:
    part = from_zero(-1.0, -1.0, 3.0, "--p")
    assert (part.start, part.width) == (0.0, 25.0)
    part = from_zero(3.0, -1.0, 3.0, "--p")
    assert (part.start, part.width) == (25.0, 75.0)


def test_of_many_the_first_and_the_last_are_shown() -> None:
    assert spread(range(26))[0] == 0
    assert spread(range(26))[-1] == 25
    assert len(set(spread(range(26)))) == 8


def test_each_label_stands_beside_its_control_and_the_clearest_comes_first() -> None:
    picture = followed_picture([("all", Tested(90, 100, 90, 100)), ("some", Tested(30, 100, 5, 100))], "latents")
    assert [(bar.name, bar.value.rstrip("%\u202f")) for bar in picture.bars] == [
        ("some", "30"), ("sparse", "5.0"), ("all", "90"), ("sparse", "90"),
    ]  # fmt: skip


def test_the_slide_holds_the_numbers_of_the_store(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    slide = report_page(session, run).slide
    assert slide.headline.startswith(f"{run.n_dense} of {run.n_latents:,} latents fire")
    assert len(slide.pictures) == 3
    found, sets = saes.list_saes(session, run), report.set_effects(session, run)
    first = slide.pictures[0]
    assert [bar.value for bar in first.bars] == [str(sae.n_dense) for sae in found]
    own = [one for one in sets if one.what == OWN]
    needed = needed_picture(found, sets)
    assert len([bar for bar in needed.bars if not bar.quiet]) == len(own)
    assert len([bar for bar in needed.bars if bar.quiet]) == sum(
        control_of(sets, one.analysis_id) is not None for one in own
    )
    tested = labels.tested(session, run)["party"]
    bar = next(bar for bar in slide.pictures[2].bars if bar.name == "party")
    assert bar.parts[0].width == pytest.approx(100 * tested.dense / tested.of_dense, abs=0.01)


def test_what_was_not_measured_is_on_the_slide(client: TestClient) -> None:
    slide = words(page(client, "/report?run=1").split('class="slide"')[1].split("</section>")[0])
    assert "what they do was not measured" in slide
    assert "Whether the model needs them was not measured" in slide
    assert "Nothing yet: neither the rule nor a person has judged one." in slide
    assert "Other texts:" in slide
