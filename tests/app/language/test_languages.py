"""The interface in other languages: which one a reader gets, and that nothing is left out of its catalogues."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from jinja2 import Environment

from app.main import create_app
from app.settings import Settings
from app.shared.language import FOLDER, N_, Spoken, _, chosen, languages, ngettext, speaking, translated
from app.shared.statements import filled
from tests.app.world import POSITIVE, SLUGS, build
from tests.messages import known, messages

JAPANESE = {"accept-language": "ja-JP,ja;q=0.9,en;q=0.5"}
OTHERS = sorted(set(languages()) - {"en"})
PLACES = re.compile(r"%\(\w+\)s|\{\w*[^{}]*\}|%%\{[^}]*\}|</?\w+[^>]*>")
ENGLISH_ONLY = re.compile(r"%\((?:s|ending|\w*verb|are|is|has|have|do|go|people2|many2|rest2|another)\)s")
"""Places for an ending or a verb that agrees with a number: other languages may have none."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(db=build(tmp_path / "store.db"))), base_url="http://127.0.0.1") as made:
        yield made


def test_the_address_goes_before_the_browser(client: TestClient) -> None:
    assert '<html lang="en"' in client.get("/").text
    assert '<html lang="ja"' in client.get("/", headers=JAPANESE).text
    assert '<html lang="ja"' in client.get("/?lang=ja").text
    assert '<html lang="en"' in client.get("/?lang=en", headers=JAPANESE).text
    assert '<html lang="en"' in client.get("/?lang=xx").text


@pytest.mark.parametrize(
    ("header", "code"),
    [("", "en"), ("fr", "en"), ("fr,ja;q=0.2", "ja"), ("en;q=0.1,ja", "ja"), ("ja;q=0", "en"), ("ja;q=x,;;,", "en")],
)
def test_the_liked_language_that_there_is_is_taken(header: str, code: str) -> None:
    assert chosen(None, header) == Spoken(code)


def test_links_keep_a_language_that_the_address_says_and_no_other(client: TestClient) -> None:
    kept, found = client.get("/?lang=ja").text, client.get("/", headers=JAPANESE).text
    ours = re.findall(r'href="(/(?!static/|api/)[^"]*)"', kept)
    assert len(ours) > 10
    assert all("lang=" in address for address in ours)
    assert '<input type="hidden" name="lang" value="ja">' in kept
    assert "lang=ja" not in re.sub(r'<p class="tongues">.*?</p>', "", found)


def test_the_other_languages_are_a_click_away(client: TestClient) -> None:
    html = client.get("/latents?dense=any").text
    found = re.search(r'<a href="([^"]*)" lang="ja" hreflang="ja">日本語</a>', html)
    assert found
    there = client.get(found[1].replace("&amp;", "&")).text
    assert 'lang="ja"' in there
    assert "dense=any&amp;lang=en" in there


def test_two_readers_of_one_address_get_their_own(client: TestClient) -> None:
    english = client.get("/")
    for _again in range(2):  # the second time from the cache
        japanese = client.get("/", headers=JAPANESE)
        assert "密な" in japanese.text
        assert "Accept-Language" in japanese.headers["vary"]
        assert japanese.headers["etag"] != english.headers["etag"]
    stale = client.get("/", headers=JAPANESE | {"if-none-match": english.headers["etag"]})
    assert stale.status_code == 200
    assert client.get("/").text == english.text


def test_programs_are_answered_in_english(client: TestClient) -> None:
    address = f"/api/v1/saes/{SLUGS[0]}/latents/{POSITIVE}"
    assert client.get(address, headers=JAPANESE).json() == client.get(address).json()
    assert client.get("/api/v1/statistics?lang=ja").raise_for_status().text == client.get("/api/v1/statistics").text


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_files_of_data_are_the_same_for_everybody(client: TestClient, kind: str) -> None:
    english = client.get(f"/latents.{kind}?dense=any").raise_for_status().content
    assert client.get(f"/latents.{kind}?dense=any", headers=JAPANESE).content == english
    assert client.get(f"/latents.{kind}?dense=any&lang=ja").content == english


def test_an_error_is_in_the_readers_language(client: TestClient) -> None:
    answer = client.get("/nowhere", headers=JAPANESE)
    assert answer.status_code == 404
    assert "ページ /nowhere はありません" in answer.text


def test_what_nobody_translated_stays_english_and_is_no_markup() -> None:
    environment = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    environment.install_gettext_callables(translated, lambda one, _many, _n: one, newstyle=True)  # type: ignore[attr-defined]
    with speaking(Spoken("ja")):
        assert _("a sentence that no catalogue has, %(n)s of %%", n=3) == "a sentence that no catalogue has, 3 of %"
        page = environment.from_string('{{ _("Layer %(layer)s", layer=hostile) }}').render(hostile="<script>")
    assert page == "第 &lt;script&gt; 層"


def test_a_marked_text_is_itself_as_a_key_and_translated_where_it_is_shown() -> None:
    held = N_("dense latents")
    with speaking(Spoken("ja")):
        assert (held, {held: 1}["dense latents"]) == ("dense latents", 1)
        assert f"{held} {held!s}" == "密な潜在変数 密な潜在変数"
        assert Environment(autoescape=True).from_string("{{ held }}").render(held=held) == "密な潜在変数"
    assert str(held) == "dense latents"


def test_numbers_choose_the_form() -> None:
    words = ("%(n)s SAE", "%(n)s SAEs")
    assert [ngettext(*words, n) for n in (1, 2, 1000)] == ["1 SAE", "2 SAEs", "1,000 SAEs"]
    with speaking(Spoken("ja")):
        assert [ngettext(*words, n) for n in (1, 2)] == ["1 個の SAE", "2 個の SAE"]
        assert filled("No class holds, but {share:.0%} of its variance is predicted.", {"share": 0.25}).startswith(
            "どの"
        )


@pytest.mark.parametrize("code", OTHERS)
def test_every_sentence_has_its_translation(code: str) -> None:
    """`make messages` brings the catalogues up to date; then fill in what is empty."""
    there = known(code)
    said = {(text if isinstance(text, str) else text[0]) for own in messages().values() for text in own}
    assert sorted(said - set(there)) == []
    assert sorted(set(there) - said) == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_places_and_the_markup_of_its_sentence(code: str) -> None:
    several = {text[0]: text[1] for own in messages().values() for text in own if not isinstance(text, str)}
    for text, forms in known(code).items():
        wanted = sorted(PLACES.findall(several.get(text, text)))
        for form in forms:
            found = sorted(PLACES.findall(form))
            assert [one for one in wanted if not ENGLISH_ONLY.fullmatch(one)] == [
                one for one in found if not ENGLISH_ONLY.fullmatch(one)
            ], (text, form)


def test_a_language_is_a_folder() -> None:
    assert list(languages()) == ["en", *sorted(folder.name for folder in FOLDER.iterdir())]
