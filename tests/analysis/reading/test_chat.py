"""Conversations are read in the model's template; what the template puts there is read and not counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import BadFile, UserError
from analysis.reading.chat import Chat
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus
from analysis.reading.model_loading import load_tokenizer
from tests.analysis.tiny_models import save_tiny

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>\n{{ m.content | trim }}\n{% endfor %}"
    "{% if messages | length > 3 %}{{ raise_exception('too long') }}{% endif %}"
)
TALK = [
    {"role": "user", "content": "the cat sat"},
    {"role": "assistant", "content": [{"type": "text", "text": "on the mat "}, {"type": "image"}]},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = save_tiny("llama", tmp_path_factory.mktemp("chat") / "model")
    tokenizer: Any = load_tokenizer(str(folder))
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return str(folder)


def corpus(path: Path, model: str | None, *rows: dict[str, Any]) -> Corpus:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Corpus(path, chat=Chat(model) if model else None)


def test_a_conversation_is_a_document_in_the_models_template(tmp_path: Path, model: str) -> None:
    found = corpus(tmp_path / "a.jsonl", model, {"messages": TALK, "topic": "cats"}, {"text": "plain"})
    talk, plain = found.documents()
    assert talk.text == "<|user|>\nthe cat sat\n<|assistant|>\non the mat\n"
    assert talk.labels == {"topic": "cats"}
    assert [talk.text[begin:end] for begin, end in talk.template] == ["<|user|>\n", "\n<|assistant|>\n", "\n"]
    assert (plain.text, plain.template) == ("plain", ())


def test_its_template_is_read_and_not_counted(tmp_path: Path, model: str) -> None:
    found = corpus(tmp_path / "a.jsonl", model, {"messages": TALK})
    tokenizer: Any = load_tokenizer(model)
    stream = ContextStream(found, tokenizer, bos=1, special={0, 1}, context=64, batch=4, tokens=1000)
    (batch,) = stream.batches()
    counted = batch.begin[batch.mask].tolist()
    (document,) = found.documents()
    said = {place for place in range(len(document.text)) if not any(b <= place < e for b, e in document.template)}
    assert set(counted) <= said
    read = "".join(document.text[b:e] for b, e in zip(batch.begin[batch.mask], batch.end[batch.mask], strict=True))
    assert read.replace(" ", "") == "thecatsatonthemat"
    assert int(batch.attention.sum()) == int(batch.mask.sum()) + int(batch.template.sum()) + 1


def test_what_the_template_refuses_is_named_by_its_row(tmp_path: Path, model: str) -> None:
    with pytest.raises(UserError, match=r"a\.jsonl:2: the template of .* refuses this conversation: too long"):
        corpus(tmp_path / "a.jsonl", model, {"messages": TALK}, {"messages": TALK * 2})


def test_a_model_without_a_template_says_so(tmp_path: Path) -> None:
    folder = save_tiny("llama", tmp_path / "plain")
    with pytest.raises(UserError, match="expected a chat template, for a corpus of 'messages'; found none"):
        corpus(tmp_path / "a.jsonl", str(folder), {"messages": TALK})


def test_without_a_model_a_conversation_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="found only 'messages'"):
        corpus(tmp_path / "a.jsonl", None, {"messages": TALK})
