"""What latents do, as pages say it: rows with evidence, sentence, chips, filters, and why there is nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.classes.groups import view_of
from app.classes.page import class_rows, mixture_of, sentence
from app.classes.queries import find_scores
from app.classes.score import ScoreInfo
from app.classes.sentences import score_said
from app.classes.views import CLASSES
from app.runs import queries as runs
from app.shared.links import Pin
from app.shared.numbers import percent, span
from store.vocabulary import NO_CLASS
from tests.app.test_pages import page, whole, words
from tests.app.world import CONTROL, EDGE, HOSTILE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS
from tests.app.world_classes import EVIDENCE

SAE = f"/saes/{SLUGS[1]}"


def score(name: str, label: str = "no", data: dict[str, Any] | None = None, **numbers: float | None) -> ScoreInfo:
    """A score with what is left out being None."""
    held = dict.fromkeys(("score", "cut", "chance", "control", "p", "q")) | numbers
    statement = {"code": "text", "text": "words"}
    return ScoreInfo(name=name, label=label, words="words", statement=statement, data=data or {}, **held)


def listed(client: TestClient, query: str) -> list[str]:
    """(SAE, latent) of the rows of a list."""
    html = page(client, f"/latents?limit=200&{query}")
    return re.findall(r'data-open href="/saes/tiny/(l\d-resid/latents/\d+)"', html)


def test_the_latent_page_says_what_it_does(client: TestClient) -> None:
    html = whole(client, f"{SAE}/latents/{POSITIVE}")
    text = words(html)
    assert (
        "It falls with the distance from the start of the sentence and probably stays with the subject of a passage."
        in text
    )
    for shown in ("ρ −0.62", "from start of sentence", "cut 0.40", "chance 0.12", "control 0.03", "q 0.031"):
        assert shown in text, shown
    assert "What position says of 0 is yes." in text
    rows = re.findall(r'<details class="fn[^"]*" id="fn-(\w+)"', html)
    assert rows == ["position", "context_binding", "null_space", "alphabet", "content_word", "principal_component"]


def test_a_class_says_how_many_sparse_controls_have_it(client: TestClient) -> None:
    text = words(whole(client, f"{SAE}/latents/{POSITIVE}"))
    assert text.count("None of 1 sparse control passes") == 5
    assert text.count("1 of 1 sparse control passes") == 1


def test_a_sparse_control_shows_the_same(client: TestClient) -> None:
    html = whole(client, f"{SAE}/latents/{CONTROL}")
    assert re.search(r'<details class="fn holds" id="fn-content_word" open>', html)
    assert "It tells content words from the rest." in words(html)


def test_where_no_class_holds_the_page_says_so(client: TestClient) -> None:
    text = words(whole(client, f"{SAE}/latents/{ORIGINAL}"))
    assert "No class that was looked for explains it." in text
    assert "Unexplained: What unexplained says of 3 is yes." in text


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/saes/{SLUGS[0]}/latents/{POSITIVE}?run=1", "analysed before classes were measured"),
        (f"{SAE}/latents/{EDGE}", "Classes are measured where examples are kept"),
        (f"/saes/{SLUGS[0]}/pairs/0/1?run=1", "Classes were not measured for these two"),
        ("/layers?run=1", "analysed before classes were measured"),
        ("/?run=1", "analysed before classes were measured"),
    ],
)
def test_where_nothing_was_measured_the_page_says_why(client: TestClient, path: str, shown: str) -> None:
    assert shown in words(page(client, path))


def test_a_score_without_evidence_is_a_row_without_a_plot(client: TestClient) -> None:
    html = whole(client, f"/saes/{SLUGS[2]}/latents/{NEGATIVE}")
    assert "What alphabet says of 1 is yes." in words(html)
    assert 'id="fn-alphabet-' not in html
    assert "There is nothing to draw for it." in words(html)


def test_the_mixture_links_its_parts(client: TestClient) -> None:
    html = whole(client, f"{SAE}/latents/{POSITIVE}")
    text = words(html)
    assert "readable sum" in text
    assert "R² 0.62, spread over about 2 of 30 sparse latents tried" in text
    assert "Its largest parts, 75.0 %" in text
    assert f'href="{SAE}/latents/12"' in html


def test_the_chain_links_both_neighbours(client: TestClient) -> None:
    html = whole(client, f"{SAE}/latents/{POSITIVE}")
    for slug, index in ((SLUGS[0], POSITIVE), (SLUGS[2], NEGATIVE)):
        assert f'href="/saes/{slug}/latents/{index}"' in html
    text = words(html)
    assert "correlation −0.71" in text
    assert "cosine +0.66" in text
    assert "the two hook points write into different spaces" in text
    assert "none: this is the first analysed layer" in words(whole(client, f"/saes/{SLUGS[0]}/latents/{POSITIVE}"))


def test_the_pair_page_sets_both_poles_side_by_side(client: TestClient) -> None:
    html = whole(client, f"{SAE}/pairs/{POSITIVE}/{NEGATIVE}")
    table = html.split("What do they do?")[1].split("</table>")[0]
    first = words(table.split("<tbody>")[1].split("</tr>")[0])
    assert first.strip() == "position " + "ρ −0.62from start of sentenceyes" * 2
    assert "context binding" in words(table)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("class=position", ["l1-resid/latents/0", "l0-resid/latents/0", "l1-resid/latents/1"]),
        ("class=position&alone=true", ["l0-resid/latents/0", "l1-resid/latents/1"]),
        ("alone=false", ["l1-resid/latents/0", "l2-resid/latents/1"]),
        ("class=unexplained", ["l2-resid/latents/0", "l1-resid/latents/3"]),
        ("class=content_word&dense=any", ["l0-resid/latents/1", "l1-resid/latents/6"]),
        ("class=any&sae=tiny/l2-resid", ["l2-resid/latents/1"]),
        (
            "class=unmeasured&sae=tiny/l1-resid",
            ["l1-resid/latents/2", "l1-resid/latents/5"],
        ),
        ("class=position&run=1", []),
        ("label=party", [f"l{layer}-resid/latents/0" for layer in range(3)]),
        ("label=chapter", []),
        ("label=no+such+label", []),
    ],
)
def test_filters_by_class_and_label(client: TestClient, query: str, expected: list[str]) -> None:
    assert sorted(listed(client, query)) == sorted(expected)


def test_an_unknown_class_is_named_with_its_mend(client: TestClient) -> None:
    answer = client.get("/latents?class=positon")
    assert answer.status_code == 422
    assert "choose one of position, context_binding" in words(answer.text).replace("&#39;", "'")


def test_filters_stay_in_the_links_of_the_next_page(client: TestClient) -> None:
    html = page(client, "/latents?class=any&alone=true&limit=1")
    following = re.search(r'rel="next" href="([^"]+)"', html)
    assert following
    assert "class=any" in following[1]
    assert "alone=true" in following[1]
    assert "of_class" not in html


def test_browse_shows_chips_without_a_query_a_row(client: TestClient, statements: list[str]) -> None:
    counts = []
    page(client, "/latents?dense=any")  # what all pages remember is read once
    for limit in (2, 100):
        statements.clear()
        html = page(client, f"/latents?dense=any&limit={limit}")
        counts.append(len(statements))
    assert counts[0] == counts[1]
    tip = 'data-tip="context binding: What context_binding says of 0 is likely."'
    assert f'class="k k-context-binding hollow" {tip}' in html


@pytest.fixture
def statements(application: FastAPI) -> Iterator[list[str]]:
    """What the server asks the database."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(application.state.engine, "before_cursor_execute", note)
    yield seen
    event.remove(application.state.engine, "before_cursor_execute", note)


def test_each_dense_latent_is_counted_once_and_in_all_its_classes(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    assert classes.profile(session, run) == {
        10: {"position": 1, "content_word": 1, "unmeasured": 3},
        11: {"several": 1, "position": 1, "unexplained": 1, "unmeasured": 2},
        12: {"unexplained": 1, "several": 1, "unmeasured": 3},
    }
    assert classes.class_counts(session, run)[11] == {"position": 2, "context_binding": 1, "unexplained": 1}
    groups = classes.groups_of(session, run)
    assert (groups[11, POSITIVE], groups[11, EDGE], len(groups)) == ("several", "unmeasured", 15)


def test_scores_come_in_the_order_of_the_classes(session: Session) -> None:
    found = find_scores(session, 11, [POSITIVE])[POSITIVE]
    assert list(found) == [*(name for name in CLASSES if name in found), "unexplained", "mixture"]
    assert len(found) > 7


def test_a_share_is_shown_with_its_sources() -> None:
    row = class_rows({"word": score("word", score=0.71, cut=0.6, chance=0.5, data=EVIDENCE["word"])}, {})[0]
    assert (row.value, row.against[:2]) == (percent(0.71), (f"cut {percent(0.6)}", f"chance {percent(0.5)}"))
    assert row.rows == [("the word itself", percent(0.71), span(0.69, 0.73, percent))]


def test_what_is_partly_followed_is_said_where_no_class_holds() -> None:
    """It is no class: neither a chip nor a row among them, but the sentence at the head."""
    held = {"code": "followed", "classes": 10, "missing": [], "share": 0.34, "random": 0.28}
    words = score_said("partly_followed", held)
    scores = {"unexplained": score("unexplained", "no"), "partly_followed": score("partly_followed", "yes")}
    scores["partly_followed"] = scores["partly_followed"].model_copy(update={"words": words})
    assert sentence(scores) == words
    assert "34\u202f% of its variance, of random directions 28\u202f%" in words
    assert [row.name for row in class_rows(scores, {})] == ["partly_followed"]


@pytest.mark.parametrize("name", [*EVIDENCE, "unexplained", "of_tomorrow"])
@pytest.mark.parametrize(
    "broken",
    [
        lambda data: {},
        lambda data: dict.fromkeys(data),
        lambda data: {key: [] for key in data},
        lambda data: {key: {} for key in data},
        lambda data: dict.fromkeys(data, "text"),
        lambda data: dict(list(data.items())[:1]),
        lambda data: {key: [None] if isinstance(value, list) else value for key, value in data.items()},
    ],
)
def test_missing_parts_of_evidence_break_nothing(name: str, broken: Any) -> None:
    data = broken(EVIDENCE.get(name, {"any": 1}))
    for label in ("yes", "likely", "no", "unmeasured"):
        held = {name: score(name, label, data)}
        assert all(view.rows for view in view_of(name).plots(held[name]))
        class_rows(held, {})
        mixture_of(held)
        if name not in NO_CLASS:
            assert bool(sentence(held)) == (label in {"yes", "likely"})


@pytest.mark.parametrize(
    ("made", "value", "against"),
    [
        (score("position", score=0.31, cut=0.4, data={"kinds": {"context": {"rho": 0.31}}}), "ρ +0.31", ("cut 0.40",)),
        (
            score("context_binding", score=41.0, cut=16.0, chance=3.02),
            "half-life 41.0 tokens",
            ("cut 16.0", "chance 3.02"),
        ),
        (score("context_binding", score=0.81, cut=0.65), "AUC 0.81", ("cut 0.65",)),
        (score("null_space", score=0.07, chance=0.13, data={"at": 10}), "α₁₀ 0.07", ("chance 0.13",)),
        (score("alphabet", score=0.31, cut=0.9, data={"letter": "s"}), "31 % “s”", ("cut 90.0 %",)),
        (score("content_word", score=0.58, control=0.5, q=0.0001), "AUC 0.58", ("control 0.50", "q < 0.001")),
        (score("principal_component", score=0.52), "|cos| 0.52", ()),
        (score("content_word", "unmeasured"), "", ()),
    ],
)
def test_a_score_is_shown_with_its_name(made: ScoreInfo, value: str, against: tuple[str, ...]) -> None:
    (row,) = class_rows({made.name: made}, {})
    thin = "\u202f"
    assert row.value.replace(thin, " ") == value
    assert tuple(text.replace(thin, " ") for text in row.against) == against


def test_classes_that_hold_come_first() -> None:
    held = {name: score(name, "yes" if name == "alphabet" else "no") for name in CLASSES}
    assert next(iter(class_rows(held, {}))).name == "alphabet"


def test_the_methods_page_defines_the_classes_and_shows_the_cuts(client: TestClient) -> None:
    text = words(page(client, "/methods"))
    assert "Classes: what a latent does" in text
    assert "position rho&nbsp;0.4" in text
    assert "As good as nothing is said where the whole interval" in text


def test_evidence_is_text(client: TestClient) -> None:
    html = whole(client, f"{SAE}/latents/{POSITIVE}")
    assert "“&lt;b&gt;”" in html
    assert HOSTILE[1] not in html
