"""Why a class was not measured: the pages say what the worker's console says, in the same words."""

from __future__ import annotations

from typing import Any

import pytest

from app.classes.sentences import score_said
from store.unmeasured import why_unmeasured

REASONS: list[tuple[str, dict[str, Any], str]] = [
    ("alphabet", {"code": "small_vocabulary"}, "the vocabulary is too small"),
    ("context_binding", {"code": "few_documents", "found": 9, "needed": 64}, "9 documents were read and 64 are needed"),
    ("context_binding", {"code": "few_stretches"}, "too few documents have several stretches"),
    (
        "position",
        {"code": "no_distance", "reasons": {"context": {"code": "few", "found": 9, "needed": 64},
                                            "paragraph": {"code": "none"}}},
        "only 9 documents have contexts; 64 are needed; this text has no paragraphs",
    ),
    ("content_word", {"code": "untagged", "reason": {"code": "no_words"}}, "no words in the sample"),
    ("principal_component", {"code": "shared", "ratio": 1.3, "needed": 2}, "only 1.30 times the variance"),
    ("mixture", {"code": "few_tokens", "tokens": 1200, "latents": 40}, "1,200 tokens in a half of the documents"),
    ("a_newer_one", {"code": "no_tokens"}, "no ordinary token is in the sample"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "statement", "words"), REASONS)
def test_the_page_says_it_as_the_console_does(name: str, statement: dict[str, Any], words: str) -> None:
    why = why_unmeasured(name, statement)
    assert why is not None
    assert words in why
    assert score_said(name, statement) == f"Not measured: {why}."


def test_what_was_measured_has_no_such_reason() -> None:
    assert why_unmeasured("position", {"code": "weak", "kind": "context", "rho": 0.1}) is None
    assert score_said("position", {"code": "weak", "kind": "context", "rho": 0.1}).startswith("Hardly follows position")


def test_a_reason_that_an_old_worker_wrote_in_words_is_said_as_it_is() -> None:
    old = {"code": "untagged", "reason": {"code": "text", "text": "nobody knows."}}
    assert score_said("content_word", old) == "Not measured: nobody knows."
