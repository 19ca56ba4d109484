"""The API's page: every call, those that write too."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from app.api_docs.page import type_name
from app.main import create_app
from app.settings import Settings
from tests.app.test_pages import page, words


def test_every_call_of_the_description_is_on_the_page(client: TestClient) -> None:
    text = words(page(client, "/api/docs"))
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    calls = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert [call for call in calls if call not in text] == []
    assert "Takes AnnotationIn. Answers AnnotationState." in text


def test_the_page_says_how_to_write_and_the_call_works(client: TestClient, store: str) -> None:
    text = words(page(client, "/api/docs"))
    match = re.search(r"-d '(\{.*?\})'", text)
    assert match
    assert "annotations can be written" in text
    assert "only shows" not in text
    reading = create_app(Settings(db=store, read_only=True))
    assert "only shows" in words(page(TestClient(reading, base_url="http://127.0.0.1"), "/api/docs"))
    reading.state.engine.dispose()


def test_a_type_is_said_in_a_word_or_two() -> None:
    assert type_name({"anyOf": [{"type": "integer"}, {"type": "null"}]}) == "integer or null"
    assert type_name({"type": "array", "items": {"$ref": "#/components/schemas/RunInfo"}}) == "list of RunInfo"
    assert type_name({"enum": ["keep", "prune"]}) == "'keep', 'prune'"
    assert type_name({}) == "any"
