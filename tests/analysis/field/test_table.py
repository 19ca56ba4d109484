"""The table beside the activations: every kind of file reads the same, guesses are said, bad input is named."""

from __future__ import annotations

import csv
import gzip
import json
import math
import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

from analysis.errors import BadFile, UserError
from analysis.field import builder
from analysis.field.table import Table, read_ids, read_table

ROWS: list[dict[str, Any]] = [
    {
        "machine": f"m{i % 3}", "minute": i, "torque": None if i == 4 else i / 7, "ok": i % 2 == 0,
        "shift": "日勤" if i % 3 else "夜勤", "serial": f"{i:03d}", "note": f"record {i}, \"x\"",
    }
    for i in range(30)
]  # fmt: skip


def separated(path: Path, by: str = ",", encoding: str = "utf-8", rows: list[dict[str, Any]] = ROWS) -> None:
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=by)
        writer.writeheader()
        writer.writerows(rows)


def json_lines(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def packed(pack: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        separated(path)
        path.write_bytes(pack(path.read_bytes()))

    return save


SAVERS: dict[str, Callable[[Path], None]] = {
    "a.csv": separated,
    "A.TSV": lambda path: separated(path, "\t"),
    "cp932.csv": lambda path: separated(path, encoding="cp932"),
    "utf16.csv": lambda path: separated(path, encoding="utf-16"),
    "bom.csv": lambda path: separated(path, encoding="utf-8-sig"),
    "a.csv.gz": packed(gzip.compress),
    "a.csv.zst": packed(zstandard.compress),
    "a.jsonl": json_lines,
    "a.ndjson": json_lines,
    "a.parquet": lambda path: pyarrow.parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=7),
}


def write(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    (tmp_path / name).write_text(text)
    return tmp_path / name


def column(tmp_path: Path, cells: list[str], kind: str = "") -> Any:
    path = write(tmp_path, "v,other\n" + "".join(f'"{cell}",x\n' for cell in cells))
    return read_table(path, kinds={"v": kind} if kind else {}).column("v")


@pytest.mark.parametrize("name", SAVERS)
def test_every_kind_of_file_reads_the_same(tmp_path: Path, name: str) -> None:
    SAVERS[name](tmp_path / name)
    table = read_table(tmp_path / name, roles={"group": "machine", "order": "minute", "id": "serial"}, rows=30)
    assert {each.name: (each.kind, each.role) for each in table.columns} == {
        "machine": ("category", "group"), "minute": ("number", "order"), "torque": ("number", "label"),
        "ok": ("boolean", "label"), "shift": ("category", "label"), "serial": ("text", "id"), "note": ("text", "label"),
    }  # fmt: skip
    assert table.rows == 30
    machine = table.column("machine")
    assert machine.values.dtype == np.int32
    assert [machine.levels[code] for code in machine.values] == [row["machine"] for row in ROWS]
    torque = table.column("torque")
    assert np.array_equal(torque.values, [math.nan if i == 4 else i / 7 for i in range(30)], equal_nan=True)
    assert np.flatnonzero(torque.missing).tolist() == [4]
    assert table.column("ok").values.tolist() == [1, 0] * 15
    shift = table.column("shift")
    assert [shift.levels[code] for code in shift.values] == [row["shift"] for row in ROWS]
    assert table.column("serial").values.tolist() == [row["serial"] for row in ROWS]
    assert table.column("note").values.tolist() == [row["note"] for row in ROWS]
    assert table.notes == ()
    assert table.role("group") is machine
    assert table.role("text") is None
    assert [each.name for each in table.labels] == ["torque", "ok", "shift", "note"]
    with pytest.raises(KeyError):
        table.column("gone")
    assert len(table.sha256) == 64


def test_cp932_is_told_or_said(tmp_path: Path) -> None:
    separated(tmp_path / "a.csv", encoding="cp932")
    assert read_table(tmp_path / "a.csv").encoding == "cp932"
    assert read_table(tmp_path / "a.csv", encoding="shift_jis").column("shift").levels == ("夜勤", "日勤")
    wrong = read_table(tmp_path / "a.csv", encoding="utf-8")
    (note,) = wrong.notes
    assert (note["code"], note["encoding"]) == ("invalid_characters", "utf-8")
    assert note["count"] > 30
    with pytest.raises(UserError, match="expected an encoding of text"):
        read_table(tmp_path / "a.csv", encoding="klingon")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["true", "False", "TRUE"], "boolean"),
        (["yes", "no", "NA"], "boolean"),
        (["0", "1", "1"], "boolean"),
        (["0.0", "1.0", "1"], "boolean"),
        (["true", "no", "no", "true"], "category"),
        (["1", "2", "1e-3"], "number"),
        (["1", ".5", "-3.", " 7 "], "number"),
        (["1", "2", "nan", ""], "number"),
        (["007", "008", "007", "007"], "category"),
        (["a", "b", "a", "b"], "category"),
        (["a", "b", "c", "d"], "text"),
        (["a", "a", "a"], "category"),
        (["", "NA", "null"], "category"),
        (["1,5", "2,5", "1,5", "2,5"], "category"),
        (["2024-01-01", "2024-01-02", "2024-01-01", "2024-01-02"], "category"),
    ],
)
def test_what_a_column_is_follows_from_its_cells(tmp_path: Path, cells: list[str], kind: str) -> None:
    assert column(tmp_path, cells).kind == kind


def test_missing_cells_are_no_values(tmp_path: Path) -> None:
    cells = ["1", "", "NA", "nan", "NaN", "null", " ", "2"]
    number = column(tmp_path, cells)
    assert np.isnan(number.values[1:7]).all()
    assert number.missing.tolist() == [False, *[True] * 6, False]
    category = column(tmp_path, cells, "category")
    assert (category.levels, category.values.tolist()) == (("1", "2"), [0, *[-1] * 6, 1])
    boolean = column(tmp_path, ["yes", *cells[1:7], "no"])
    assert boolean.values.tolist() == [1, *[-1] * 6, 0]
    text = column(tmp_path, ["a", *cells[1:7], "b"], "text")
    assert text.values.tolist() == ["a", *[""] * 6, "b"]
    assert text.missing.sum() == 6


def test_a_kind_may_be_said(tmp_path: Path) -> None:
    category = column(tmp_path, ["10", "9", "10", "2"], "category")
    assert (category.levels, category.values.tolist()) == (("2", "9", "10"), [2, 1, 2, 0])
    assert column(tmp_path, ["0", "1"], "number").values.tolist() == [0.0, 1.0]
    assert column(tmp_path, ["a", "a"], "text").values.tolist() == ["a", "a"]
    with pytest.raises(UserError, match=r"t\.csv, column 'v': expected numbers; found 'b' in row 2"):
        column(tmp_path, ["1", "2", "b", "b"], "number")
    with pytest.raises(UserError, match="column 'v': expected true and false, yes and no, or 1 and 0; found 'a', 'b'"):
        column(tmp_path, ["a", "b"], "boolean")
    with pytest.raises(
        UserError, match="column 'v': unknown kind 'float'; choose one of number, boolean, category, text"
    ):
        column(tmp_path, ["1"], "float")


def test_few_whole_numbers_and_infinite_ones_are_said(tmp_path: Path) -> None:
    path = write(
        tmp_path, "code,amount,given\n" + "".join(f"{i % 12},{'inf' if i == 3 else i},{i % 5}\n" for i in range(30))
    )
    frame = {
        "code": [float(i % 12) for i in range(30)],
        "amount": [math.inf if i == 3 else float(i) for i in range(30)],
    }
    pyarrow.parquet.write_table(pa.table(frame | {"given": [i % 5 for i in range(30)]}), tmp_path / "t.parquet")
    for each in (path, tmp_path / "t.parquet"):
        table = read_table(each, kinds={"given": "number"})
        assert list(table.notes) == [
            {"code": "few_whole_numbers", "column": "code", "values": 12},
            {"code": "infinite", "column": "amount", "rows": 1},
        ]
        assert np.flatnonzero(table.column("amount").missing).tolist() == [3]
        assert np.isnan(table.column("amount").values[3])


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (["5", "3.5"], [5, 3.5]),
        (["1970-01-02", "1970-01-01"], [86400, 0]),
        (["1970-01-01 00:00:01.5", "1970/01/01 00:01"], [1.5, 60]),
        (["1970-01-01T09:00:00+09:00", "1970-01-01T00:00:02Z"], [0, 2]),
        (["00:00:05", "01:00"], [5, 3600]),
        (["1969-12-31T23:59:59", ""], [-1, math.nan]),
    ],
)
@pytest.mark.parametrize("levels", [1, 1 << 16])
def test_an_order_is_of_numbers_or_times(
    tmp_path: Path, cells: list[str], seconds: list[float], levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "MOST_LEVELS", levels)
    path = write(tmp_path, "t,x\n" + "".join(f"{cell},1\n" for cell in cells))
    found = read_table(path, roles={"order": "t"}).role("order")
    assert found is not None
    assert found.kind == "number"
    assert np.array_equal(found.values, seconds, equal_nan=True)


def test_times_that_have_no_order_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "t\n1\nsoon\n")
    with pytest.raises(UserError, match=r"column 't' \(order\): expected numbers, or ISO dates or times; found"):
        read_table(path, roles={"order": "t"})
    path = write(tmp_path, "t\n2024-01-01T00:00:00\n2024-01-01T00:00:00Z\n")
    with pytest.raises(UserError, match=r"expected times of one kind; found some with.*, some with.* a time zone"):
        read_table(path, roles={"order": "t"})


def test_times_of_parquet_are_seconds(tmp_path: Path) -> None:
    when = [datetime(1970, 1, 1, 0, 0, 5, 250_000, UTC), None]
    for kind in ("s", "ms", "us", "ns"):
        values = pa.array(when, pa.timestamp("ns", "Asia/Tokyo")).cast(pa.timestamp(kind, "Asia/Tokyo"), safe=False)
        pyarrow.parquet.write_table(pa.table({"t": values}), tmp_path / "t.parquet")
        found = read_table(tmp_path / "t.parquet", roles={"order": "t"}).column("t")
        assert np.array_equal(found.values, [5 if kind == "s" else 5.25, math.nan], equal_nan=True)
    pyarrow.parquet.write_table(pa.table({"t": [date(1970, 1, 3), date(1970, 1, 1)]}), tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", roles={"order": "t"}).column("t").values.tolist() == [172800, 0]
    both = read_table(tmp_path / "t.parquet", roles={"order": "t", "id": "t"})
    assert [each.values.tolist() for each in both.columns] == [[172800, 0], ["1970-01-03", "1970-01-01"]] or [
        each.values.tolist() for each in both.columns
    ] == [["1970-01-03", "1970-01-01"], [172800, 0]]


def test_a_word_late_among_numbers_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MOST_LEVELS", 100)
    cells = [f"{i}.50" for i in range(20_000)]
    late = [*cells, "broken", "1.50"]
    assert column(tmp_path, cells).kind == "number"
    found = column(tmp_path, late)
    assert found.kind == "text"
    assert found.values.tolist() == late
    twice = column(tmp_path, [*(["1", "2"] * 9000), *map(str, range(200)), *(["1"] * 9000), "x"])
    assert twice.kind == "text"  # more than 100 different
    with pytest.raises(UserError, match="expected numbers; found 'broken' in row 20000"):
        column(tmp_path, late, "number")


def test_a_group_may_have_any_number_of_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MOST_LEVELS", 10)
    path = write(tmp_path, "g,v\n" + "".join(f"{i // 2:05d},1\n" for i in range(100)))
    group = read_table(path, roles={"group": "g"}).column("g")
    assert (group.kind, len(group.levels), group.values[7]) == ("category", 50, 3)
    pyarrow.parquet.write_table(pa.table({"g": [3.0, None, 12.0], "v": [1, 2, 3]}), tmp_path / "g.parquet")
    assert read_table(tmp_path / "g.parquet", roles={"group": "g"}).column("g").levels == ("3", "12")


def test_a_cell_too_long_is_cut_and_said(tmp_path: Path) -> None:
    path = write(tmp_path, f"a,b\n{'x' * 20_000},{'y' * 10_001}\n{'x' * 20_000},{'z' * 10_000}\n")
    table = read_table(path, roles={"text": "b"})
    assert len(table.column("a").levels[0]) == 10_000
    assert [len(each) for each in table.column("b").values] == [10_000, 10_000]
    assert list(table.notes) == [
        {"code": "cut_cells", "column": "a", "cells": 2}, {"code": "cut_cells", "column": "b", "cells": 1},
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl"])
def test_lists_and_objects_are_listed_and_not_read(tmp_path: Path, name: str) -> None:
    rows = [{"v": 1.5, "tags": ["a"], "box": {"x": 1}}, {"v": 2.5, "tags": [], "box": None}]
    if name == "t.parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    else:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = read_table(tmp_path / name)
    assert {each.name: (each.kind, each.role) for each in table.columns} == {
        "v": ("number", "label"), "tags": ("list", "none"), "box": ("list", "none"),
    }  # fmt: skip
    assert sorted(note["column"] for note in table.notes) == ["box", "tags"]
    with pytest.raises(UserError, match=r"column 'tags' \(group\): expected plain values; found lists or objects"):
        read_table(tmp_path / name, roles={"group": "tags"})


def test_json_lines_may_have_other_keys_each(tmp_path: Path) -> None:
    lines = [{"a": 1}] * 9000 + [{"b": "x", "a": None}] * 2 + [{"a": float("nan")}, {"a": 7, "b": "x"}]
    path = write(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "t.jsonl")
    table = read_table(path, rows=9004)
    assert table.column("b").missing.sum() == 9001
    assert table.column("b").values[[9000, 9001, 9003]].tolist() == [0, 0, 0]
    assert np.flatnonzero(table.column("a").missing).tolist() == [9000, 9001, 9002]


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("", "t.csv", "expected the names of columns in its first line; found none"),
        ("a,b\n", "t.csv", "expected at least one row; found none"),
        ("a,b,a\n1,2,3\n", "t.csv", "expected columns of different names; found 'a' 2 times"),
        ("a,b\n1,2\n3\n", "t.csv", r"t\.csv:3: expected 2 fields.*; found 1"),
        ('a,b\n1,"2\n', "t.csv", r"t\.csv:\d: expected fields separated"),
        ('{"a": 1}\n[1]\n', "t.jsonl", r"t\.jsonl:2: expected a JSON object on each line"),
        ('{"a": 1}\n{"a": \n', "t.jsonl", r"t\.jsonl:2: expected a JSON object on each line"),
        ("", "t.jsonl", "expected at least one row; found none"),
        ("PAR1 no", "t.parquet", "expected a Parquet file"),
        ("x", "t.csv.gz", "expected a readable text file"),
        ("x", "t.xlsx", r"expected a table: \.csv.*; found a spreadsheet"),
        ("x", "t.txt", r"expected a table: \.csv.*; found '\.txt'"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, name: str, says: str) -> None:
    with pytest.raises(BadFile, match=says) as refused:
        read_table(write(tmp_path, text, name))
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"gone\.csv: expected a table; found no such file"):
        read_table(tmp_path / "gone.csv")


def test_an_index_without_a_name_is_a_column(tmp_path: Path) -> None:
    assert [each.name for each in read_table(write(tmp_path, ",a\n0,x\n1,x\n")).columns] == ["column 1", "a"]


def test_roles_and_columns_that_do_not_exist_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "machine,v\na,1\n")
    with pytest.raises(UserError, match=r"t\.csv: expected a column 'machin' \(group\); found machine, v"):
        read_table(path, roles={"group": "machin"})
    with pytest.raises(UserError, match=r"expected a column 'w' \(kind\); found machine, v"):
        read_table(path, kinds={"w": "number"})
    with pytest.raises(UserError, match="unknown role 'colour'; choose one of group, order, text, image, x, y, id"):
        read_table(path, roles={"colour": "v"})
    with pytest.raises(UserError, match="column 'machine': expected category, as its role group needs; found 'number'"):
        read_table(path, roles={"group": "machine"}, kinds={"machine": "number"})
    with pytest.raises(UserError, match=r"column 'machine' \(x\): expected numbers; found 'a' in row 0"):
        read_table(path, roles={"x": "machine"})


def test_another_number_of_rows_names_both_files(tmp_path: Path) -> None:
    path = write(tmp_path, "v\n1\n2\n")
    with pytest.raises(BadFile, match=r"t\.csv: expected 1,003 rows, as acts\.npy has; found 2"):
        read_table(path, rows=1003, beside="acts.npy")


def joined(tmp_path: Path, ids: list[str], row_ids: Any, **more: Any) -> Table:
    path = write(tmp_path, "key,v\n" + "".join(f"{name},{place + 5}\n" for place, name in enumerate(ids)))
    return read_table(path, roles={"id": "key"}, row_ids=np.array(row_ids), beside="acts.npy", **more)


def test_rows_are_put_in_the_order_of_ids(tmp_path: Path) -> None:
    table = joined(tmp_path, ["c", "a", "b"], ["a", "b", "c"], rows=3)
    assert table.column("v").values.tolist() == [6, 7, 5]
    assert table.column("key").values.tolist() == ["a", "b", "c"]
    assert joined(tmp_path, ["12", "7", "3"], [3, 7, 12]).column("v").values.tolist() == [7, 6, 5]
    assert joined(tmp_path, ["NA", "nan"], ["nan", "NA"]).column("v").values.tolist() == [6, 5]
    left = joined(tmp_path, ["c", "a", "b"], ["b"])
    assert (left.rows, left.column("v").values.tolist()) == (1, [7])
    assert list(left.notes) == [{"code": "rows_left_out", "rows": 2}]


def test_ids_that_do_not_fit_are_counted_and_named(tmp_path: Path) -> None:
    with pytest.raises(
        BadFile, match=r"t\.csv: expected ids that are there once; found 2 ids .* more than once: a, b$"
    ):
        joined(tmp_path, ["a", "a", "b", "b", "c"], ["a", "b", "c"])
    with pytest.raises(BadFile, match=r"acts\.npy: expected ids that are there once; found 1 ids .*: a$"):
        joined(tmp_path, ["a", "b"], ["a", "a"])
    says = r"t\.csv: expected a row for each of 5 ids of acts\.npy; found 4 missing: b, c, d \.\.\.$"
    with pytest.raises(BadFile, match=says):
        joined(tmp_path, ["a", "x"], ["a", "b", "c", "d", "e"])
    with pytest.raises(BadFile, match=r"t\.csv: expected an id in each row; found 1 rows without one, the first row 1"):
        joined(tmp_path, ["a", "", "b"], ["a", "b"])
    with pytest.raises(UserError, match=r"acts\.npy: expected an id for each of 3 rows; found 2"):
        joined(tmp_path, ["a", "b"], ["a", "b"], rows=3)


def test_a_column_may_have_two_roles(tmp_path: Path) -> None:
    path = write(tmp_path, "file,v\nb.png,1.5\na.png,2.5\n")
    ids = read_ids(write(tmp_path, "id\na.png\nb.png\n", "rows.csv"))
    table = read_table(path, roles={"id": "file", "image": "file"}, row_ids=ids)
    assert [(each.name, each.role) for each in table.columns] == [("file", "image"), ("file", "id"), ("v", "label")]
    image = table.role("image")
    assert image is not None
    assert image.values.tolist() == ["a.png", "b.png"]


def many_rows(path: Path, rows: int) -> Path:
    with path.open("w") as stream:
        stream.write("machine,time,temperature,ok,shift,part\n")
        stream.writelines(
            f"m{i % 50},{i},{i * 7919 % 100003 / 7},{i % 2},{'abc'[i % 3]},p{i // 2}\n" for i in range(rows)
        )
    return path


def check_many(table: Table, rows: int) -> None:
    held = sum(each.values.nbytes + each.missing.nbytes for each in table.columns)
    assert held <= rows * (4 + 8 + 8 + 1 + 4 + 16 + 6)
    assert [each.kind for each in table.columns] == ["category", "number", "number", "boolean", "category", "text"]
    time, part = table.column("time").values, table.column("part").values
    assert np.array_equal(time, np.arange(rows))
    assert part[rows - 1] == f"p{(rows - 1) // 2}"


def test_a_long_table_takes_few_bytes_a_row(tmp_path: Path) -> None:
    rows = 150_000
    path = many_rows(tmp_path / "t.csv", rows)
    check_many(read_table(path, roles={"group": "machine", "order": "time"}, rows=rows), rows)


def test_reading_takes_few_bytes_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "MOST_LEVELS", 1 << 10)  # what is held besides does not grow with the table
    peaks = []
    for rows in (16_384, 40_960):
        path = many_rows(tmp_path / "t.csv", rows)
        tracemalloc.start()
        read_table(path, roles={"group": "machine", "order": "time"}, rows=rows)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 90 * 24_576, peaks  # a dict a row takes 600 bytes and more


@pytest.mark.long
def test_ten_million_rows_fit(tmp_path: Path) -> None:
    import subprocess
    import sys

    rows = 10_000_000
    path = many_rows(tmp_path / "t.csv", rows)
    code = (
        "import resource, sys; from analysis.field.table import read_table; import pyarrow.compute\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "table = read_table(sys.argv[1], roles={'group': 'machine', 'order': 'time'}, rows=10_000_000)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, *(each.kind for each in table.columns))"
    )
    found = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    kilobytes, *kinds = found.stdout.split()
    assert kinds == ["category", "number", "number", "boolean", "category", "text"]
    assert int(kilobytes) * 1024 < 120 * rows


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.csv", "a;b\n1;3,5\n", "by commas; found one column, 'a;b', with semicolons .*; save it with commas"),
        ("t.csv", "machine\theat\nM1\t3\n", "with tabs in its name; call the file .tsv"),
        ("t.tsv", "machine,heat\nM1,3\n", "separated by tabs; found .* with commas in its name; call the file .csv"),
        ("t.xlsx", "PK", "found a spreadsheet; save its sheet as CSV"),
        ("t.XLS", "", "found a spreadsheet; save its sheet as CSV"),
    ],
)  # fmt: skip
def test_a_table_of_another_kind_says_what_to_do(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadFile, match=says):
        read_table(tmp_path / name)


def test_a_table_of_one_column_is_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("heat of oil\n3;x\n4\n")
    assert read_table(tmp_path / "t.csv").rows == 2


@pytest.mark.parametrize("asked", ["machin", "MACHINE", "Maschine"])
def test_a_column_that_is_nearly_there_is_named(tmp_path: Path, asked: str) -> None:
    (tmp_path / "t.csv").write_text("Machine,heat\nM1,3\n")
    with pytest.raises(UserError, match=r"found Machine, heat; did you mean 'Machine'\?$"):
        read_table(tmp_path / "t.csv", roles={"group": asked})
    with pytest.raises(UserError, match=r"found Machine, heat$"):
        read_table(tmp_path / "t.csv", roles={"group": "site"})


def test_activations_that_are_turned_are_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("v\n1\n2\n3\n")
    with pytest.raises(BadFile, match=r"expected 5 rows, as x\.npy has; found 3, as many as .* columns; .*x\.T"):
        read_table(tmp_path / "t.csv", rows=5, width=3, beside="x.npy")
    with pytest.raises(BadFile, match=r"found 3$"):
        read_table(tmp_path / "t.csv", rows=5, width=4, beside="x.npy")
