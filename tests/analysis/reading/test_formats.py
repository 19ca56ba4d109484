"""Texts in the files people have them in: every kind gives the same documents, what is not read is said."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import json
import lzma
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

from analysis.errors import BadFile, UserError
from analysis.reading import formats
from analysis.reading.documents import Corpus

ROWS = [
    {"text": "One, two.", "year": 1999, "by": "Ann"},
    {"text": 'Zwei "ü"\nthree', "year": 2001, "by": None},
    {"text": "吾輩は猫である。", "year": 2002, "by": "S"},
]


def json_lines(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def separated(by: str) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        with path.open("w", newline="") as stream:
            rows = csv.DictWriter(stream, ["text", "year", "by"], delimiter=by)
            rows.writeheader()
            rows.writerows(ROWS)

    return save


def parquet(path: Path) -> None:
    pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), path)


def arrow(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)


SAVERS: dict[str, Callable[[Path], Any]] = {
    "a.jsonl": json_lines,
    "a.NDJSON": json_lines,
    "a.json": lambda path: path.write_text(json.dumps({"data": ROWS, "version": 1})),
    "list.json": lambda path: path.write_text(json.dumps(ROWS, indent=1)),
    "a.csv": separated(","),
    "a.tsv": separated("\t"),
    "a.parquet": parquet,
    "a.arrow": arrow,
}


@pytest.mark.parametrize("name", SAVERS)
def test_every_kind_gives_the_same_documents(tmp_path: Path, name: str) -> None:
    SAVERS[name](tmp_path / name)
    found = list(Corpus(tmp_path / name).documents())
    assert [document.text for document in found] == [row["text"] for row in ROWS]
    assert [document.labels for document in found] == [{"year": row["year"], "by": row["by"]} for row in ROWS]


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstandard.compress)],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.md"])
def test_packed_files_are_read(tmp_path: Path, name: str, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    plain = b"text,year\nOne,1\n" if name == "a.csv" else b'{"text": "One", "year": 1}\n'
    (tmp_path / (name + suffix)).write_bytes(pack(plain))
    (document,) = Corpus(tmp_path / (name + suffix)).documents()
    assert document.text == (plain.decode().strip() if name == "a.md" else "One")


def test_a_saved_data_set_is_read(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "set"))
    corpus = Corpus(tmp_path / "set")
    assert [document.text for document in corpus.documents()] == [row["text"] for row in ROWS]
    assert corpus.report.passed_over == {}


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,lot,share,note\nhello,007,1e-3,1_000\n")
    (document,) = Corpus(tmp_path / "a.csv").documents()
    assert document.labels == {"lot": "007", "share": 0.001, "note": "1_000"}


def test_dates_of_a_table_are_labels(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.Table.from_pylist([{"text": "a", "on": date(2026, 11, 30)}]), tmp_path / "a.parquet")
    (document,) = Corpus(tmp_path / "a.parquet").documents()
    assert document.labels == {"on": "2026-11-30"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp932", "utf-32", "cp1251"])
def test_other_encodings_are_told_by_their_bytes(tmp_path: Path, encoding: str) -> None:
    text = "Все счастливые семьи похожи." if encoding == "cp1251" else "吾輩は猫である。名前はまだ無い。どこで生れたか"
    (tmp_path / "a.txt").write_bytes((text * 4).encode(encoding))
    corpus = Corpus(tmp_path / "a.txt")
    (document,) = corpus.documents()
    assert document.text == text * 4
    assert corpus.report.invalid_utf8 == 0
    assert encoding == "utf-8-sig" or "utf-8" not in corpus.report.encodings


@pytest.mark.parametrize(
    ("name", "suffix"), [("cp1252", ".txt"), ("CP850", ".csv"), ("utf-16-le", ".jsonl"), ("utf8", ".md")]
)
def test_an_encoding_that_is_asked_for_is_taken(tmp_path: Path, name: str, suffix: str) -> None:
    """Where too few bytes tell, or tell wrongly."""
    text = "Señor Müller"
    whole = {".csv": f"text,n\n{text},1\n", ".jsonl": json.dumps({"text": text}, ensure_ascii=False)}.get(suffix, text)
    (tmp_path / f"a{suffix}").write_bytes(whole.encode(name))
    corpus = Corpus(tmp_path / f"a{suffix}", encoding=name)
    assert [document.text for document in corpus.documents()] == [text]
    assert dict(corpus.report.encodings) == {codecs.lookup(name).name: 1}
    assert corpus.report.invalid_utf8 == 0


def test_bytes_that_the_asked_encoding_does_not_have_are_replaced_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Señor".encode("cp1252"))
    corpus = Corpus(tmp_path / "a.txt", encoding="ascii")
    assert [document.text for document in corpus.documents()] == ["Se\ufffdor"]
    assert corpus.report.invalid_utf8 == 1


@pytest.mark.parametrize("name", ["klingon", "rot13", "base64", "a b"])
def test_what_is_no_encoding_of_text_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("One")
    with pytest.raises(UserError, match=rf"^--encoding {name}: expected an encoding of text, such as utf-8"):
        Corpus(tmp_path / "a.txt", encoding=name)


def test_rows_without_a_text_are_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": null}\n{"text": "b"}\n')
    corpus = Corpus(tmp_path / "a.jsonl")
    assert [document.text for document in corpus.documents()] == ["a", "b"]
    assert corpus.report.null_rows == 1


def test_repeats_are_told_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n{"text": "a", "x": 1}\n')
    corpus = Corpus(tmp_path / "a.jsonl")
    assert [document.repeats for document in corpus.documents()] == [False, False, True]
    assert corpus.report.repeated_documents == 1


def test_what_a_folder_holds_and_was_not_read_is_listed_with_why(tmp_path: Path) -> None:
    """FAULTS 35: links out of it, hidden ones, other kinds; a suffix in capitals is no other kind."""
    folder = tmp_path / "corpus"
    (folder / "more").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("not yours")
    (tmp_path / "elsewhere").mkdir()
    (folder / "A.TXT").write_text("first")
    (folder / "more" / "b.md").write_text("# second")
    (folder / ".hidden.txt").write_text("no")
    (folder / "image.png").write_bytes(b"\x89PNG")
    (folder / "README.md").write_text("what this is")
    (folder / "LICENSE").write_text("CC0")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "away").symlink_to(tmp_path / "elsewhere")
    (folder / "again.txt").symlink_to(folder / "A.TXT")
    corpus = Corpus(folder)
    assert [document.text for document in corpus.documents()] == ["first", "first", "# second"]
    assert corpus.report.passed_over == {
        ".hidden.txt": "hidden",
        "LICENSE": "about the folder, not of it",
        "README.md": "about the folder, not of it",
        "away/": "a link that leads out of the folder",
        "image.png": "not a kind that is read",
        "out.txt": "a link that leads out of the folder",
    }


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.txt.gz"])
def test_a_bomb_is_refused_by_a_limit_and_in_bounded_memory(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULTS 34, with a limit of 1 MB and 30 MB of zeros; the real limit is tried by hand."""
    import tracemalloc

    monkeypatch.setattr(formats, "LONGEST", 1_000_000)
    (tmp_path / name).write_bytes(gzip.compress(b"0" * 30_000_000))
    tracemalloc.start()
    with pytest.raises(BadFile, match="at most 1 MB"):
        Corpus(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


BROKEN = {
    "fields.csv": ("text,b\nx,1\ny\n", r"fields\.csv:3: expected 2 fields, as in its first line; found 1"),
    "no.json": ("hello", r"no\.json: expected a list of JSON objects"),
    "no.parquet": ("PAR1", r"no\.parquet: expected a Parquet file"),
    "no.arrow": ("x", r"no\.arrow: expected an Arrow file"),
    "other.csv": ("body,b\nx,1\n", r"other\.csv:2: expected .*'text'; found only 'body', 'b'; --text-field"),
    "wide.csv": (
        ",".join(f"c{n}" for n in range(300)) + "\n" + ",".join("1" for _ in range(300)) + "\n",
        r"found only 'c0', .* and 288 more; --text-field",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_refused_by_name_and_line(tmp_path: Path, name: str) -> None:
    text, said = BROKEN[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=said):
        Corpus(tmp_path / name)


def test_the_demos_text_is_what_its_shipped_measurements_were_made_on() -> None:
    """They are tied to it by this hash: a file more or less in its folder, and they are left out without a word."""
    from analysis.interventions.shipped import DATA
    from analysis.reading.demo_parts import demo_corpus

    shipped = [json.loads(gzip.decompress(path.read_bytes())) for path in (DATA / "interventions").glob("*.json.gz")]
    assert shipped
    assert {Corpus(demo_corpus()).sha256} == {one["corpus_sha256"] for one in shipped}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("日勤,m1\n夜勤,m2\n" * 20, "cp932"),
        ("ライン,良\nモーター,否\n" * 5, "cp932"),
        ("温度センサ,①\n", "cp932"),
        ("équipe,matin\néquipe,après-midi\n" * 20, "cp1252"),
        ("I don’t “know” – it’s ‘here’…\n" * 20, "cp1252"),
        ("смена,день\nсмена,ночь\n" * 20, "cp1251"),
        ("смена,день\nсмена,ночь\n" * 20, "koi8_r"),
        ("班次,白班\n班次,夜班\n" * 20, "gb18030"),
        ("班別,日班\n班別,夜班\n" * 20, "big5"),
        ("교대,주간\n교대,야간\n" * 20, "cp949"),
    ],
)
def test_the_words_of_a_table_are_cp932_where_they_are(text: str, encoding: str) -> None:
    assert formats._is_cp932(text.encode(encoding)) == (encoding == "cp932")
