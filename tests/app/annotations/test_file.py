"""What people wrote goes out and in without a byte's difference, wholly or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.annotations.file import AnnotationLine, annotation_lines, written
from app.annotations.importing import ConflictError, Taken, take_in
from app.annotations.queries import Subject, find_latest, history
from app.annotations.reading import BadLineError, Content, read
from app.annotations.write import Draft, restore, save
from app.categories import write as categories
from app.saved_views import write as views
from app.shared.people import plain_text
from migrations.runner import upgrade
from store.session import make_engine, session_factory
from store.tables import Annotation
from tests.app.processes import done, refused
from tests.app.servers import serving
from tests.app.world import HOSTILE, POSITIVE, build
from tests.root import ROOT

LATENT, PAIR = Subject("2" * 64, POSITIVE), Subject.pair("2" * 64, 1, 0)
STRANGE = Subject("ab" * 32, 70_000)
NOTES = [
    "quotes \" and \\ and ' and a comma,\nand a second line\tafter a tab",
    "👩‍👩‍👧 \u202eback\u2028not a line\u2029nor this\x85 Ünter \ufeff中",
    '{"kind":"annotation"}\n{"kind":"category"}',
    *HOSTILE[:3],
]


@contextmanager
def opened(db: str) -> Iterator[Session]:
    engine = make_engine(db)
    with session_factory(engine)() as session:
        yield session
    engine.dispose()


def write_all(db: str) -> None:
    """Histories with an undo, a pair, an SAE that is not in the store, a category, a view."""
    with opened(db) as session:
        key = categories.make(session, categories.CategoryDraft("Zähler, \u202eodd", "teal", NOTES[1]), "Ada")
        views.save_view(session, "mine <b>", "/latents?dense=any&q=%22", "Ada")
        for version, note in enumerate(NOTES):
            save(session, LATENT, Draft(None, "keep", note), version, "Grace <i>")
        restore(session, LATENT, 2, len(NOTES), "Ada")
        save(session, PAIR, Draft(key, None, "one signal"), 0, "Ada")
        save(session, STRANGE, Draft("position", "prune", ""), 0, "Ada")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = build(tmp_path_factory.mktemp("annotations") / "world.db")
    write_all(path)
    return path


@pytest.fixture(scope="module")
def file(store: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "annotations.jsonl"
    done("annotations", "export", "--db", store, "--out", path)
    return path


def exported(db: str) -> bytes:
    with opened(db) as session:
        return "".join(written(annotation_lines(session))).encode()


def take(db: str, path: Path, merge: bool = False) -> Taken:
    with opened(db) as session:
        return take_in(session, read(path), merge=merge)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_out_in_and_out_again_is_the_same_to_the_byte(
    store: str, file: Path, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    empty = str(tmp_path / "empty.db") if kind == "sqlite" else request.getfixturevalue("postgres_db")
    done("db", "upgrade", "--db", empty)
    number = len(NOTES) + 3
    assert (
        f"{number} versions, 1 category and 1 saved view are new"
        in done("annotations", "import", file, "--db", empty).decode()
    )
    assert done("annotations", "export", "--db", empty) == file.read_bytes() == exported(store)
    again = done("annotations", "import", file, "--db", empty).decode()
    assert "0 versions, 0 categories and 0 saved views are new" in again
    assert exported(empty) == file.read_bytes()
    with opened(empty) as session:
        assert [one.note for one in history(session, LATENT)][::-1] == [plain_text(n).strip() for n in NOTES] + [
            plain_text(NOTES[1]).strip()
        ]
        current = find_latest(session, LATENT)
        assert current
        assert (current.version, current.restores) == (len(NOTES) + 1, 2)
        assert session.scalar(select(func.count()).where(Annotation.latest)) == 3


def test_the_server_gives_the_same_file(store: str, file: Path, tmp_path: Path) -> None:
    with serving(store, tmp_path / "log") as server, server.client() as client:
        answer = client.get("/annotations.jsonl")
    assert answer.content == file.read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="annotations.jsonl"'


def test_each_line_is_one_line_for_every_reader(file: Path) -> None:
    text = file.read_bytes().decode()
    lines = text.split("\n")
    assert lines.pop() == ""
    assert text.splitlines() == lines
    assert [json.loads(line).get("kind", "head") for line in lines] == [
        "head",
        "category",
        *["annotation"] * (len(NOTES) + 3),
        "view",
    ]
    assert "\u202e" not in text
    assert "中" in text


@settings(max_examples=80, deadline=None)
@given(note=st.text(max_size=300))
def test_any_note_that_can_be_saved_is_read_as_it_was(note: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    given: dict[str, Any] = dict.fromkeys(("other", "category", "verdict", "restores"))
    given |= {"sae_sha256": "0" * 64, "index": 1, "version": 1, "note": plain_text(note).strip(), "author": "Ada"}
    line = AnnotationLine(**given, created="2026-01-31T09:30:00.000001Z")  # type: ignore[arg-type]
    path = tmp_path_factory.getbasetemp() / "note.jsonl"
    path.write_bytes("".join(written([line])).encode())
    assert read(path).annotations[line.subject] == [(2, line)]


def test_what_was_said_before_an_sae_came_stands_on_its_page(file: Path, tmp_path: Path) -> None:
    db = str(tmp_path / "later.db")
    upgrade(db)
    take(db, file)
    build(db)
    with serving(db, tmp_path / "log") as server, server.client() as client:
        assert "one signal" in client.get("/saes/tiny/l2-resid/pairs/0/1").text


def test_a_longer_history_goes_on_from_a_shorter_one(store: str, file: Path, tmp_path: Path) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    short = tmp_path / "short.jsonl"
    short.write_bytes(b"".join(line for line in lines if b'"version":7' not in line and b'"version":6' not in line))
    db = str(tmp_path / "a.db")
    upgrade(db)
    take(db, short)
    assert take(db, file).versions == 2
    assert exported(db) == file.read_bytes()
    assert take(db, short) == Taken(0, 0, 0, [])
    assert exported(db) == file.read_bytes()


def changed(lines: list[bytes], number: int, values: dict[str, Any]) -> list[bytes]:
    made = json.loads(lines[number - 1]) | values
    return [*lines[: number - 1], json.dumps(made).encode() + b"\n", *lines[number:]]


@pytest.mark.parametrize(
    ("number", "values", "words"),
    [
        (3, {"note": "\ud800"}, "expected note to be text of at most 4,000 letters"),
        (3, {"note": "a\x00b"}, "no control characters"),
        (3, {"note": "ends with space "}, "no space at its ends"),
        (3, {"note": "a" * 4001}, "at most 4,000"),
        (3, {"note": None}, "found 'null'"),
        (3, {"index": -1}, "expected index to be a whole number from 0 to 2147483647; found '-1'"),
        (3, {"index": 2**31}, "found '2147483648'"),
        (3, {"index": True}, "found 'true'"),
        (3, {"index": 1.0}, "found '1.0'"),
        (3, {"sae_sha256": "A" * 64}, "expected sae_sha256 to be 64 digits 0-9 a-f"),
        (3, {"sae_sha256": "0" * 63 + "\n"}, "expected sae_sha256"),
        (3, {"verdict": "maybe"}, "expected verdict to be null or one of keep, investigate, prune; found 'maybe'"),
        (3, {"created": "2026-02-30T09:30:00.000000Z"}, "expected created to be a time"),
        (3, {"created": "2026-02-03T09:30:00Z"}, "expected created to be a time"),
        (3, {"version": 2}, "expected version 1 of latent 0 of SAE 222222222222…; found version 2"),
        (3, {"restores": 1}, "expected restores to be under version 1; found 1"),
        (3, {"other": 0}, "expected other to be null or a whole number from 1"),
        (3, {"author": ""}, "expected author"),
        (3, {"extra": 1}, "expected the names sae_sha256, index"),
        (3, {"kind": "song"}, "expected a kind of category, annotation, view; found 'song'"),
        (2, {"key": "position"}, "expected key to be 1 to 60 letters, and no word of the machine's"),
        (2, {"colour": "red"}, "expected colour to be one of"),
        (2, {"archived": 0}, "expected archived to be true or false"),
        (1, {"number": 2}, "expected format 1 of dense-latents annotations; found format 2: a newer"),
        (1, {"format": "song"}, "expected the head of an export"),
        (-1, {"address": "//evil.example/"}, "expected address to be a path on this server"),
        (-1, {"address": "javascript:alert(1)"}, "expected address to be a path on this server"),
    ],
)
def test_a_bad_line_is_named_with_what_was_expected_and_found(
    file: Path, tmp_path: Path, number: int, values: dict[str, Any], words: str
) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    number = number if number > 0 else len(lines)
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b"".join(changed(lines, number, values)))
    with pytest.raises(BadLineError) as refusal:
        read(bad)
    assert str(refusal.value).startswith(f"{bad}, line {number}: expected ")
    assert words in str(refusal.value)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b'{"kind":"view","kind":"view"}',
        b"\xff",
        b"[" * 100_000,
        b'{"kind":"annotation","index":NaN}',
        b'{"a":"' + b"a" * 200_000 + b'"}',
        b'"' + b"9" * 5000 + b'"',
        b"9" * 5000,
    ],
)
def test_what_is_no_json_object_is_refused(file: Path, tmp_path: Path, line: bytes) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(file.read_bytes() + line + b"\n")
    number = file.read_bytes().count(b"\n") + 1
    with pytest.raises(BadLineError, match=f"line {number}: expected .*; found "):
        read(bad)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"SQLite format 3\0" + b"\xff" * 100])
def test_another_file_is_refused_at_its_first_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(BadLineError, match="line 1: expected "):
        read(tmp_path / "other")


def test_one_bad_line_and_nothing_is_applied(file: Path, tmp_path: Path) -> None:
    db, bad = str(tmp_path / "a.db"), tmp_path / "bad.jsonl"
    upgrade(db)
    before = exported(db)
    lines = file.read_bytes().splitlines(keepends=True)
    bad.write_bytes(b"".join(changed(lines, len(lines) - 1, {"version": 9})))
    said = refused("annotations", "import", bad, "--db", db)
    assert f"{bad}, line {len(lines) - 1}: expected version 1" in said
    assert "found version 9" in said
    assert exported(db) == before


def part(tmp_path: Path) -> tuple[str, Path]:
    """A store whose people wrote of the same latent on their own, and the file of others who did."""
    ours, theirs = str(tmp_path / "ours.db"), str(tmp_path / "theirs.db")
    for db in (ours, theirs):
        upgrade(db)
    with opened(theirs) as session:
        save(session, LATENT, Draft(None, "prune", "theirs"), 0, "Bob")
        save(session, LATENT, Draft(None, "keep", "theirs, later"), 1, "Bob")
        restore(session, LATENT, 1, 2, "Bob")
        save(session, STRANGE, Draft(None, "keep", "only theirs"), 0, "Bob")
        categories.make(session, categories.CategoryDraft("Same", "teal", "theirs"), "Bob")
    with opened(ours) as session:
        save(session, LATENT, Draft(None, "keep", "ours"), 0, "Ada")
        categories.make(session, categories.CategoryDraft("Same", "rust", "ours"), "Ada")
    path = tmp_path / "theirs.jsonl"
    path.write_bytes(exported(theirs))
    return ours, path


def test_a_conflict_is_refused_in_whole(tmp_path: Path) -> None:
    ours, path = part(tmp_path)
    before = exported(ours)
    said = refused("annotations", "import", path, "--db", ours)
    assert f"{path}, line 2: expected category 'same' as the store has it" in said
    assert "--merge" in said
    assert exported(ours) == before
    path.write_bytes(
        b"".join(line for line in path.read_bytes().splitlines(keepends=True) if b"category" not in line[:20])
    )
    with pytest.raises(
        ConflictError, match=r"version 1 of latent 0 .* as the store has it, verdict 'keep'; found 'prune'"
    ):
        take(ours, path)
    assert exported(ours) == before


def test_merging_adds_theirs_after_ours_and_merging_again_adds_nothing(tmp_path: Path) -> None:
    ours, path = part(tmp_path)
    said = done("annotations", "import", path, "--db", ours, "--merge").decode()
    assert "4 versions, 0 categories and 0 saved views are new" in said
    assert "category 'same': the store's own stays" in said
    with opened(ours) as session:
        found = [(one.version, one.note, one.author, one.restores) for one in history(session, LATENT)]
        latest = find_latest(session, LATENT)
    assert found == [
        (4, "theirs", "Bob", 2),
        (3, "theirs, later", "Bob", None),
        (2, "theirs", "Bob", None),
        (1, "ours", "Ada", None),
    ]
    assert latest
    assert latest.version == 4
    after = exported(ours)
    assert take(ours, path, merge=True).versions == 0
    assert exported(ours) == after
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(after)
    assert isinstance(read(copy), Content)


def test_an_export_replaces_an_export_and_no_other_file(store: str, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(file.read_bytes()[:300])
    done("annotations", "export", "--db", store, "--out", out)
    assert out.read_bytes() == file.read_bytes()
    assert "is no export of annotations, and is not overwritten" in refused(
        "annotations", "export", "--db", store, "--out", store
    )
    assert exported(store) == file.read_bytes()


@pytest.mark.parametrize("arguments", [["export", "--db", "none.db"], ["import", "none.jsonl"]])
def test_a_missing_file_is_one_plain_line(arguments: list[str]) -> None:
    assert "none." in refused("annotations", *arguments)


def test_these_commands_need_no_torch(store: str, file: Path, tmp_path: Path) -> None:
    names = "('torch', 'numpy', 'transformers', 'sae_lens', 'alembic')"
    code = (
        "import sys; from dense_latents import cli\n"
        f"for words in (['annotations', 'export', '--db', {store!r}, '--out', {str(tmp_path / 'o')!r}],"
        f" ['annotations', 'import', {str(file)!r}, '--db', {store!r}], ['db', 'info', '--db', {store!r}],"
        f" ['db', 'backup', {str(tmp_path / 'b')!r}, '--db', {store!r}]): cli(words, standalone_mode=False)\n"
        f"print([name for name in {names} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip().splitlines()[-1] == "[]"
