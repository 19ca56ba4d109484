"""Texts as people have them: broken bytes, odd labels, empty files, are mended and counted or refused by name."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import BadFile, UserError
from analysis.reading import documents
from analysis.reading.documents import Corpus


def write(path: Path, data: str | bytes) -> Path:
    """A file, gzipped where its name says so."""
    raw = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(raw) if path.name.endswith(".gz") else raw)
    return path


def lines(*records: Any) -> str:
    """JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records)


def texts(path: Path, field: str = "text") -> list[str]:
    """All texts in file order."""
    return [document.text for document in Corpus(path, field).documents()]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_jsonl_gives_texts_and_labels(tmp_path: Path, suffix: str) -> None:
    path = write(
        tmp_path / f"news{suffix}", lines({"text": "One.", "year": 1999, "by": ["a", None]}, {"text": "Zwei ü"})
    )
    corpus = Corpus(path)
    first, second = corpus.documents()
    assert (first.text, first.labels, first.name) == (
        "One.",
        {"year": 1999, "by": ["a", None]},
        "news:1",
    )
    assert (second.text, second.labels, second.index) == ("Zwei ü", {}, 1)
    assert corpus.name == "news"
    assert corpus.report.as_dict()["label_columns"] == {"by": 1, "year": 1}
    assert (corpus.report.documents, corpus.report.characters) == (2, len("One.Zwei ü"))


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_a_txt_is_one_document(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"letter{suffix}", "Dear Sir,\r\n\r\nNo.\rYours\n")
    (document,) = Corpus(path).documents()
    assert document.text == "Dear Sir,\n\nNo.\nYours"
    assert document.name == "letter"


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "second")
    write(tmp_path / "a" / "z.jsonl.gz", lines({"text": "first"}))
    write(tmp_path / "c.jsonl", lines({"text": "third"}, {"text": "fourth"}))
    write(tmp_path / "ignored.csv", "no,text")
    assert texts(tmp_path) == ["first", "second", "third", "fourth"]
    assert [document.index for document in Corpus(tmp_path).documents()] == [0, 1, 2, 3]


def test_another_column_can_hold_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", lines({"body": "here", "text": 3}))
    (document,) = Corpus(path, "body").documents()
    assert (document.text, document.labels) == ("here", {"text": 3})


def test_broken_bytes_are_replaced_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"caf\xe9 \xff\xfe ok \xef\xbf\xbd")
    corpus = Corpus(path)
    assert next(corpus.documents()).text == "caf\ufffd \ufffd\ufffd ok \ufffd"
    assert corpus.report.invalid_utf8 == 3, "the fourth was in the file as it is"


def test_lone_surrogates_are_replaced_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a\\ud800b \\udfff \\ud83d\\ude00"}\n')
    corpus = Corpus(path)
    text = next(corpus.documents()).text
    assert text == "a\ufffdb \ufffd 😀"
    assert corpus.report.lone_surrogates == 2
    text.encode()


def test_control_characters_are_dropped_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", lines({"text": "a\0b\x1b[31m\tc\nd\x85\x7f"}))
    corpus = Corpus(path)
    assert next(corpus.documents()).text == "ab[31m\tc\nd"
    assert corpus.report.control_characters == 4


def test_labels_are_mended_too(tmp_path: Path) -> None:
    """A title with half an emoji would stop the writing of the run; NaN would break every JSON it gets into."""
    path = write(
        tmp_path / "a.jsonl", '{"text": "x", "ti\\ud800": "b\\udc00\\u0000", "n": [NaN, -Infinity, {"k": "\\ud800"}]}'
    )
    (document,) = Corpus(path).documents()
    assert document.labels == {"ti\ufffd": "b\ufffd", "n": [None, None, {"k": "\ufffd"}]}
    json.dumps(document.labels, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.jsonl.gz"])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, name: str) -> None:
    body = "hello" if name.endswith("txt") else lines({"text": "hello"})
    path = write(tmp_path / name, b"\xef\xbb\xbf" + body.encode())
    assert texts(path) == ["hello"]


def test_empty_documents_are_counted_and_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "\n" + lines({"text": ""}, {"text": " \n\0"}, {"text": "word"}) + "\n\n")
    corpus = Corpus(path)
    assert [(document.index, document.text) for document in corpus.documents()] == [(2, "word")]
    assert (corpus.report.documents, corpus.report.empty_documents) == (1, 2)


BAD_LINES = {
    "not JSON": ("hello", "a line that is not one"),
    "a list": ("[1]", "a line that is not one"),
    "cut off": ('{"text": "a', "a line that is not one"),
    "another column": ('{"body": "a", "id": 3}', "'body', 'id'"),
    "nothing": ("{}", "an empty object"),
    "a number": ('{"text": 7}', "type int"),
    "very deep": ("[" * 100_000, "a line that is not one"),
    "a number of 5,000 digits": ('{"text": "a", "n": ' + "9" * 5000 + "}", "a line that is not one"),
}


@pytest.mark.parametrize(("line", "found"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_refused_by_file_and_number(tmp_path: Path, line: str, found: str) -> None:
    good = lines({"text": "fine"})
    path = write(tmp_path / "a.jsonl", good + good + line + "\n" + good + line + "\n")
    with pytest.raises(BadFile) as error:
        Corpus(path)
    message = str(error.value)
    assert f"{path}:3: expected a JSON object with a string field 'text'" in message
    assert found in message
    assert "2 such line(s)" in message


def test_the_wrong_text_field_is_named_with_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", lines({"content": "a", "year": 1}))
    with pytest.raises(BadFile, match=r"field 'body'; found only 'content', 'year'"):
        Corpus(path, "body")


@pytest.mark.parametrize("data", ["", "\n\n", lines({"text": " "})])
def test_a_corpus_without_a_document_is_refused(tmp_path: Path, data: str) -> None:
    path = write(tmp_path / "a.jsonl", data)
    with pytest.raises(UserError, match=r"a\.jsonl: expected at least one document; found none"):
        Corpus(path)


def test_what_is_no_corpus_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: expected files ending in .jsonl.*found none"):
        Corpus(tmp_path / "empty")
    with pytest.raises(UserError, match=r"nowhere: no such file or folder"):
        Corpus(tmp_path / "nowhere")
    with pytest.raises(BadFile, match=r"a\.docx: expected a file ending in .jsonl.*found '.docx'"):
        Corpus(write(tmp_path / "a.docx", b"PK"))


def broken(raw: bytes, how: str) -> bytes:
    """A gzip file gone wrong."""
    middle = len(raw) // 2
    return {
        "cut off": raw[:middle],
        "no gzip": b"plain text",
        "one byte changed": raw[:middle] + bytes([raw[middle] ^ 0xFF]) + raw[middle + 1 :],
        "garbage inside": raw[:10] + b"\xff" * 100 + raw[110:],
        "header alone": raw[:10],
    }[how]


@pytest.mark.parametrize("how", ["cut off", "no gzip", "one byte changed", "garbage inside", "header alone"])
@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz"])
def test_a_broken_gzip_is_refused_by_name(tmp_path: Path, name: str, how: str) -> None:
    body = lines(*({"text": f"line {random.Random(n).random()}"} for n in range(2000)))
    path = tmp_path / name
    path.write_bytes(broken(gzip.compress(body.encode()), how))
    with pytest.raises(BadFile, match=rf"{name}: expected a readable text file; found"):
        Corpus(path)


def test_the_order_depends_on_the_seed_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", lines(*({"text": f"t{n}"} for n in range(200))))
    orders = [[d.index for d in Corpus(path).shuffled(seed)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert all(sorted(order) == list(range(200)) for order in orders)
    assert orders[0] != list(range(200))


def test_a_corpus_larger_than_a_block_is_shuffled_block_by_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "BLOCK_CHARACTERS", 1000)
    path = write(tmp_path / "a.jsonl", lines(*({"text": "x" * 100} for _ in range(35))))
    order = [document.index for document in Corpus(path).shuffled(0)]
    assert [sorted(order[start : start + 10]) for start in (0, 10, 20)] == [list(range(s, s + 10)) for s in (0, 10, 20)]
    assert sorted(order[30:]) == list(range(30, 35))


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    """Packing does not change it; a letter or a label does."""
    plain = Corpus(write(tmp_path / "1" / "a.jsonl", lines({"text": "one", "n": 1}))).sha256
    packed = Corpus(write(tmp_path / "2" / "a.jsonl.gz", lines({"n": 1, "text": "one"}))).sha256
    letter = Corpus(write(tmp_path / "3" / "a.jsonl", lines({"text": "ona", "n": 1}))).sha256
    label = Corpus(write(tmp_path / "4" / "a.jsonl", lines({"text": "one", "n": 2}))).sha256
    assert plain == packed
    assert len({plain, letter, label}) == 3


@pytest.mark.parametrize("form", [lambda a, b: {"start": a, "end": b, "label": "x"}, lambda a, b: [a, b, "x"]])
def test_spans_follow_the_cleaning_of_the_text(form: Callable[[int, int], object], tmp_path: Path) -> None:
    """Line ends of two characters become one and control characters go; a span stays on its word."""
    raw = "one\r\ntwo\r\n\x00NAME\r\nmore"
    begin = raw.index("NAME")
    record = {"text": raw, "spans": [form(begin, begin + 4), form(0, 3)], "other": [1, 2], "year": 1851}
    path = tmp_path / "crlf.jsonl"
    path.write_text(json.dumps(record))
    (document,) = Corpus(path).documents()
    spans = [(s["start"], s["end"]) if isinstance(s, dict) else tuple(s[:2]) for s in document.labels["spans"]]
    assert [document.text[start:end] for start, end in spans] == ["NAME", "one"]
    assert document.labels["other"] == [1, 2]
    assert document.labels["year"] == 1851
