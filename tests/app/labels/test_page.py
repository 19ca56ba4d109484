"""The user's labels: the page of all, a latent's own, hostile names, and none at all."""

from __future__ import annotations

from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.labels import queries as labels
from app.labels.associations import association_row
from app.labels.page import context_said
from app.labels.pictures import label_answer, warnings
from app.main import create_app
from app.runs import queries as runs
from app.settings import Settings
from app.shared.links import Pin
from store.session import make_engine
from tests.app.test_pages import page, whole, words
from tests.app.world import HOSTILE, NEGATIVE, POSITIVE, SLUGS, build

LATENT = f"/saes/{SLUGS[1]}/latents/{POSITIVE}"


def test_each_label_shows_its_strongest_latents_and_what_it_goes_with(client: TestClient) -> None:
    html = page(client, "/labels")
    section = html.split('id="label-party"')[1].split("</section>")[0]
    text_of = words(section)
    assert "category of each document, measured by η², 233 documents" in text_of
    assert "party goes with" in text_of
    rows = section.split('class="labels"')[1].split(f'<a href="/saes/{SLUGS[0]}')[1]
    assert rows.startswith(f'/latents/{POSITIVE}">')
    assert section.count(": yes.") == 3
    assert "12 of the documents read have a value; at least 20 are needed" in words(html)


def test_each_label_stands_beside_its_controls_and_what_was_read(client: TestClient, session: Session) -> None:
    section = words(page(client, "/labels").split('id="label-party"')[1].split("</section>")[0])
    run = runs.find_run(session, Pin(2))
    assert run
    held, whole = labels.tested(session, run)["party"], labels.corpus_documents(session, run)
    assert held == (3, 7, 0, 3)
    assert "3 of 7 (42.9" in section
    assert "0 of 3 (0" in section
    assert f"233 of the corpus&#39; {whole} documents were read" in section
    found = client.get("/api/v1/labels", params={"run": 2}).json()
    assert found[0]["tested"] == {"dense": 3, "of_dense": 7, "controls": 0, "of_controls": 3}
    assert (found[0]["literal"], found[0]["corpus_documents"]) == (None, whole)
    assert found[3]["tested"] is None


def test_texts_that_name_the_value_are_said(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    label = labels.list_labels(session, run)[0].model_copy(update={"literal": 40})
    said = context_said(label, labels.Tested(204, 488, 104, 224), 240)
    assert said[0].startswith("204 of 488 (41.8")
    assert said[1].startswith("104 of 224 (46.4")
    assert said[2].startswith("its value literally stands in 40 of 233 (17.2")
    assert context_said(label, labels.Tested(1, 2, 0, 0), None)[1] == "no sparse control was held against it"
    assert context_said(label.model_copy(update={"literal": None}), None, None) == []


def test_the_matrix_counts_dense_latents_and_leads_to_them(client: TestClient) -> None:
    html = page(client, "/labels")
    assert 'href="/latents?sae=tiny%2Fl1-resid&amp;label=party">1</a>' in html
    assert page(client, "/latents?sae=tiny%2Fl1-resid&label=party").count("data-open") == 1


def test_the_strongest_are_sorted_by_what_is_left_of_the_effect(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    for found in labels.strongest(session, run).values():
        sizes = [labels.strength(one) for one in found]
        assert sizes == sorted(sizes, reverse=True)
        assert all(one.index in {0, 1, 3} for one in found)
    assert len(labels.strongest(session, run, limit=2)["party"]) == 2


def test_the_latent_page_says_effect_interval_and_confounds(client: TestClient) -> None:
    shown = words(whole(client, LATENT))
    conditional = ("q &lt; 0.001", "chance 0.02", "0.30 to 0.50")
    for part in ("η² 0.40", "0.35 to 0.45", "R² 0.40", *conditional, "ρ −0.50", "AUC 0.80", "party goes with"):
        assert part in shown, part


def test_groups_stand_on_one_scale(session: Session) -> None:
    found = {one.label.id: association_row(one) for one in labels.associations_of(session, 11, POSITIVE)}
    first, second = found[1].means
    assert (first.at, second.at, found[1].zero) == (81.8, 0.0, 36.4)
    assert (first.low, first.high) == (63.6, 100.0)
    assert (second.low, second.high, second.span) == (0.0, 0.0, "")


def test_labels_that_hold_come_first(session: Session) -> None:
    assert next(one.label.id for one in labels.associations_of(session, 11, POSITIVE)) == 3
    assert {one.verdict for one in labels.associations_of(session, 11, NEGATIVE)} == {"no"}


def test_hostile_names_and_values_are_text(client: TestClient) -> None:
    for path in ("/labels", LATENT, "/latents", "/latents?label=%3Cscript%3Ealert(1)%3C/script%3E"):
        html = page(client, path)
        assert HOSTILE[0] not in html, path
        assert HOSTILE[1] not in html, path
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html, path


def test_a_run_without_labels_says_which_there_could_be(client: TestClient) -> None:
    assert "This run did not measure the labels of its corpus (party, " in words(page(client, "/labels?run=1"))


def test_a_corpus_without_columns_says_how_to_give_some(tmp_path_factory: object, tmp_path: object) -> None:
    path = build(f"{tmp_path}/bare.db", "0001")
    from migrations.runner import upgrade

    upgrade(path)
    with make_engine(path).begin() as connection:
        connection.execute(text("UPDATE corpus SET label_columns = '[]'"))
    client = TestClient(create_app(Settings(db=path)), base_url="http://127.0.0.1")
    assert "The corpus has no columns beside its text" in words(page(client, "/labels"))
    assert "goes with label" not in words(page(client, "/latents"))


def test_coverage_comes_first_and_a_card_answers_before_its_numbers(client: TestClient) -> None:
    html = page(client, "/labels")
    assert html.index("How many documents have each label?") < html.index("Which latents follow which labels?")
    assert html.index("Which latents follow which labels?") < html.index('id="label-party"')
    section = html.split('id="label-party"')[1].split("</section>")[0]
    shown, numbers = section.split("<summary>Numbers</summary>")
    # 3 of 7 dense latents, none of 3 sparse ones
    assert "43 % of dense latents follow it, 0 % of sparse ones." in words(shown)
    assert "Mean signal of L0/0 in each group" in words(shown)
    assert "<table" not in shown.split('class="pictures"')[0]
    assert 'class="labels"' in numbers


def test_the_heat_map_leads_to_latents_and_marks_those_that_follow(client: TestClient, session: Session) -> None:
    html = page(client, "/labels").split('class="heat"')[1].split("</table>")[0]
    run = runs.find_run(session, Pin(2))
    assert run
    holding = {
        (one.slug, one.index)
        for found in labels.strongest(session, run).values()
        for one in found
        if one.verdict == "yes"
    }
    rows = html.split("<tbody>")[1].split("<tr>")[1:]
    assert 0 < len(rows) <= len(holding)
    for row in rows:
        assert row.startswith('<th scope="row"><a href="/saes/tiny/')
        assert "<b>" in row, "each row follows something"
    columns = html.split("<tbody>")[0].count("<th ") - 1
    assert all(row.count("<td") == columns for row in rows)


def test_no_more_than_sparse_ones_is_said_so() -> None:
    label = labels.LabelInfo(
        id=1, name="year", kind="number", of="document", measure="spearman", documents=105, literal=73, groups=[],
        confounds=[], reason=None,
    )  # fmt: skip
    assert "no more often than sparse ones" in label_answer(label, labels.Tested(203, 487, 95, 224))
    assert "no more" not in label_answer(label, labels.Tested(203, 487, 5, 224))
    assert label_answer(label, labels.Tested(0, 9, 0, 3)) == "None of 9 dense latents follows it."
    assert "no sparse control" in label_answer(label, labels.Tested(3, 9, 0, 0))
    assert warnings(label) == ["Its value stands in 70\u202f% of the texts: a latent may read it."]


def test_small_groups_are_warned_of() -> None:
    groups = [labels.LabelGroup(value=name, documents=number) for name, number in (("a", 40), ("b", 2), ("c", 4))]
    label = labels.LabelInfo(
        id=1, name="party", kind="category", of="document", measure="eta2", documents=46, literal=None, groups=groups,
        confounds=[], reason=None,
    )  # fmt: skip
    assert warnings(label) == ["2 groups have fewer than 5 documents."]
