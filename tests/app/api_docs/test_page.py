"""The API's page: every call, those that write too."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from fastapi.testclient import TestClient

from app.api_docs.page import type_name
from app.main import create_app
from app.settings import Settings
from tests.app.team_world import copy
from tests.app.test_pages import page, words
from tests.app.world import POSITIVE, SLUGS


def test_every_call_of_the_description_is_on_the_page(client: TestClient) -> None:
    text = words(page(client, "/api/docs"))
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    calls = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert [call for call in calls if call not in text] == []
    assert "Takes AnnotationIn. Answers AnnotationState." in text


def test_the_page_says_how_to_write_and_the_call_works(store: str, tmp_path: Path) -> None:
    application = create_app(Settings(db=copy(store, tmp_path / "own.db")))
    client = TestClient(application, base_url="http://127.0.0.1")
    text = words(page(client, "/api/docs"))
    assert "annotations can be written" in text
    assert "only shows" not in text
    match = re.search(r"-X PUT http://127.0.0.1(\S+) -H '(.*?): (.*?)' \\ -d '(\{.*?\})'", unescape(text))
    assert match
    path, name, value, body = match.groups()
    path = path.replace("SLUG", SLUGS[1]).replace("INDEX", str(POSITIVE))
    answer = client.put(path, headers={name: value}, content=body)
    assert answer.json()["current"]["note"] == "fires on commas", answer.text
    application.state.engine.dispose()


def test_a_server_that_only_shows_says_so(store: str) -> None:
    reading = create_app(Settings(db=store, read_only=True))
    assert "only shows" in words(page(TestClient(reading, base_url="http://127.0.0.1"), "/api/docs"))
    reading.state.engine.dispose()


def test_a_type_is_said_in_a_word_or_two() -> None:
    assert type_name({"anyOf": [{"type": "integer"}, {"type": "null"}]}) == "integer or null"
    assert type_name({"type": "array", "items": {"$ref": "#/components/schemas/RunInfo"}}) == "list of RunInfo"
    assert type_name({"enum": ["keep", "prune"]}) == "'keep', 'prune'"
    assert type_name({}) == "any"
