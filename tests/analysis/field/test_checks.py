"""What is said before the work: planted faults are found, each with its numbers, and a sound table has none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.errors import BadFile
from analysis.field import checks, said
from analysis.field.checks import check, lines
from analysis.field.matrix import open_matrices
from analysis.field.table import read_table
from store.vocabulary import Statement
from tests.root import ROOT

ROWS, WIDTH = 600, 12
Columns = dict[str, list[Any]]


def numbers() -> NDArray[np.float32]:
    return np.random.default_rng(3).normal(size=(ROWS, WIDTH)).astype(np.float32)


def plain() -> Columns:
    """Six rows of each of 100 machines; nothing follows anything."""
    draw = np.random.default_rng(4)
    return {
        "machine": [f"m{i % 100}" for i in range(ROWS)],
        "load": draw.normal(size=ROWS).round(6).tolist(),
        "ok": draw.integers(0, 2, ROWS).tolist(),
        "shift": draw.choice(["early", "late", "night"], ROWS).tolist(),
    }


def statements(
    folder: Path, x: NDArray[Any], columns: Columns, *, kinds: dict[str, str] | None = None, sample_rows: int = 200_000
) -> list[Statement]:
    np.save(folder / "layer4.npy", x)
    cells = zip(*columns.values(), strict=True)
    (folder / "t.csv").write_text("\n".join(",".join(map(str, row)) for row in [tuple(columns), *cells]) + "\n")
    roles = {"group": "machine"} if "machine" in columns else {}
    return check(
        open_matrices(f"{folder}/layer4.npy"), read_table(folder / "t.csv", roles=roles, kinds=kinds or {}), sample_rows
    )


def of(code: str, found: list[Statement]) -> list[Statement]:
    return [each for each in found if each["code"] == code]


def test_a_sound_table_has_its_sizes_and_nothing_else(tmp_path: Path) -> None:
    found = statements(tmp_path, numbers(), plain())
    assert found == [
        {"code": "size", "matrix": "layer4", "layer": 4, "rows": 600, "width": 12},
        {"code": "table", "rows": 600, "columns": 4, "labels": 3},
        {"code": "groups", "column": "machine", "groups": 100, "smallest": 6, "median": 6.0, "largest": 6},
    ]
    assert lines(found) == [
        "layer4 (layer 4): 600 rows, 12 columns.",
        "Table: 600 rows, 4 columns, 3 of them labels.",
        "Groups: 100 groups by 'machine', 6 rows each.",
    ]


def test_gaps_constants_and_texts_of_the_table_are_said(tmp_path: Path) -> None:
    columns = plain()
    columns["machine"][:3] = ["", "", ""]
    columns["load"][7] = "NA"
    columns |= {"site": ["A"] * ROWS, "bias": [2.5] * ROWS, "gone": [""] * ROWS, "note": [f"n{i}" for i in range(ROWS)]}
    columns["fine"] = ["yes"] * ROWS
    found = statements(tmp_path, numbers(), columns)
    assert of("missing", found) == [
        {"code": "missing", "column": "machine", "role": "group", "rows": 3, "of": 600},
        {"code": "missing", "column": "load", "role": "label", "rows": 1, "of": 600},
    ]
    assert [(each["column"], each["value"]) for each in of("constant_column", found)] == [
        ("site", "A"), ("bias", 2.5), ("fine", True),
    ]  # fmt: skip
    assert [each["column"] for each in of("empty_column", found)] == ["gone"]
    assert [each["column"] for each in of("text_label", found)] == ["note"]
    assert of("groups", found)[0] | {"median": 6} == {
        "code": "groups", "column": "machine", "groups": 100, "smallest": 5, "median": 6, "largest": 6,
    }  # fmt: skip
    assert "'machine' (group): 3 rows without a value (0.5 %)." in lines(found)


@pytest.mark.parametrize("values", [1 << 22, 50])
def test_numbers_that_are_not_finite_are_an_error(tmp_path: Path, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_VALUES", values)
    x = numbers()
    x[311, 4] = np.nan
    with pytest.raises(BadFile, match=r"layer4\.npy: .*finite.*; found 1 that is not, first NaN in row 311, column 4"):
        statements(tmp_path, x, plain())
    x[310, 7], x[599, 0] = -np.inf, np.inf
    with pytest.raises(BadFile, match=r"found 3 that are not, first infinity in row 310, column 7"):
        statements(tmp_path, x, plain())


def test_a_table_of_other_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"t\.csv: expected 599 rows, as .*layer4\.npy has; found 600"):
        statements(tmp_path, numbers()[:-1], plain())


@pytest.mark.parametrize("values", [1 << 22, 50])
def test_constant_columns_are_found(tmp_path: Path, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_VALUES", values)
    x = numbers()
    x[:, [2, 9]] = 0, -3
    x[:, 3] = 1
    x[599, 3] = 2
    assert of("constant_units", statements(tmp_path, x, plain())) == [
        {"code": "constant_units", "matrix": "layer4", "count": 2, "of": 12, "first": [2, 9]}
    ]


@pytest.mark.parametrize("values", [1 << 22, 50])
def test_repeated_rows_are_counted_and_labels_that_differ_among_them(
    tmp_path: Path, values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_VALUES", values)
    x, columns = numbers(), plain()
    x[:, 0] = 0.0
    x[[100, 500]] = x[20]
    x[501] = x[21]
    x[500, 0] = -0.0
    for name in ("load", "ok", "shift"):
        for copy, first in ((100, 20), (500, 20), (501, 21)):
            columns[name][copy] = columns[name][first]
    columns["ok"][501] = 1 - columns["ok"][21]
    columns["load"][500] = ""  # no value is no other value
    found = statements(tmp_path, x, columns)
    assert of("repeated_rows", found) == [
        {"code": "repeated_rows", "matrix": "layer4", "rows": 3, "of": 600, "sets": 2}
        | {"first": of("repeated_rows", found)[0]["first"]}
    ]
    assert of("repeated_rows", found)[0]["first"] in ([20, 100], [21, 501])
    assert of("repeated_differ", found) == [
        {"code": "repeated_differ", "matrix": "layer4", "label": "ok", "sets": 1, "of": 2, "first": [21, 501]}
    ]
    assert "layer4: 'ok' differs within 1 of 2 sets of equal rows." in lines(found)


LEAKS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "equal": ("number", lambda x: x[:, 5], {"measure": "spearman", "unit": 5, "units": 1, "equal": True}),
    "affine": ("number", lambda x: 3 - 2 * x[:, 5].astype(float), {"measure": "spearman", "unit": 5, "equal": False}),
    "monotone": ("number", lambda x: np.exp(x[:, 5].astype(float)), {"measure": "spearman", "unit": 5}),
    "boolean": ("boolean", lambda x: (x[:, 5] > 0.5).astype(int), {"measure": "auc", "unit": 5, "level": ""}),
    "turned": ("boolean", lambda x: (x[:, 5] < 0.5).astype(int), {"measure": "auc", "unit": 5}),
    "category": ("category", lambda x: np.array(["ab"[int(v > 0)] for v in x[:, 5]]), {"measure": "auc", "unit": 5}),
}


@pytest.mark.parametrize("gaps", [0, 100])
@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.parametrize("sample_rows", [200_000, 300])
def test_a_label_that_a_column_gives_away_is_a_leak(tmp_path: Path, name: str, gaps: int, sample_rows: int) -> None:
    kind, make, expected = LEAKS[name]
    x = numbers()
    made: list[Any] = make(x).tolist()
    for place in range(gaps):
        made[5 * place] = ""
    found = statements(tmp_path, x, plain() | {"given": made}, kinds={"given": kind}, sample_rows=sample_rows)
    (leak,) = of("leak", found)
    assert leak["label"] == "given"
    assert {key: leak[key] for key in expected} == expected
    assert leak["strength"] == pytest.approx(1, abs=1e-6)
    assert of("sampled", found) == (
        [{"code": "sampled", "matrix": "layer4", "rows": 300, "of": 600}] if sample_rows == 300 else []
    )


def test_what_is_only_nearly_a_copy_is_no_leak(tmp_path: Path) -> None:
    x, columns = numbers(), plain()
    noise = np.random.default_rng(5).normal(size=ROWS)
    columns["near"] = (x[:, 5] + 0.1 * noise).tolist()  # Spearman 0.99
    columns["side"] = (x[:, 5] + 0.2 * noise > 0).astype(int).tolist()
    columns["rare"] = (np.argsort(np.argsort(x[:, 6])) >= ROWS - 9).astype(int).tolist()  # too few to tell
    assert of("leak", statements(tmp_path, x, columns)) == []
    columns["rare"] = (np.argsort(np.argsort(x[:, 6])) >= ROWS - 10).astype(int).tolist()
    assert [leak["label"] for leak in of("leak", statements(tmp_path, x, columns))] == ["rare"]


def test_columns_that_give_the_same_away_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.field import leaks

    x = numbers()
    x[:, 9] = 2 * x[:, 1]
    x[:, 11] = -x[:, 1]
    columns = plain() | {"given": (x[:, 1] ** 3).tolist()}
    for values in (1 << 24, 2 * ROWS):
        monkeypatch.setattr(leaks, "_VALUES", values)
        found = statements(tmp_path, x, columns)
        (leak,) = of("leak", found)
        assert leak["units"] == 3
        assert leak["unit"] in (1, 9, 11)
    assert any(
        re.fullmatch(r"Leak: 'given' rises .* of layer4, and 2 columns more .*a copy of it\.", line)
        for line in lines(found)
    )


@pytest.mark.parametrize(
    ("make", "way"),
    [
        (lambda i: "abc"[i % 100 % 3], "group"),
        (lambda i: f"m{i % 100}-{i // 300}", "label"),
        (lambda i: f"serial {i % 100}", "both"),
        (lambda i: i % 100 % 7 + 0.5, "group"),
        (lambda i: "abc"[i % 7 % 3], None),
        (lambda i: i + 0.5, None),  # all different: they determine everything
    ],
)
def test_a_label_that_goes_with_the_group_is_confounded(tmp_path: Path, make: Any, way: str | None) -> None:
    found = statements(tmp_path, numbers(), plain() | {"given": [make(i) for i in range(ROWS)]})
    assert [(each["label"], each["way"]) for each in of("confounded", found)] == ([("given", way)] if way else [])


def test_a_gap_does_not_hide_a_confound(tmp_path: Path) -> None:
    columns = plain() | {"given": ["" if i % 11 == 0 else "abc"[i % 100 % 3] for i in range(ROWS)]}
    columns["machine"][5] = ""
    (confound,) = of("confounded", statements(tmp_path, numbers(), columns))
    assert confound == {
        "code": "confounded", "label": "given", "group": "machine", "way": "group", "groups": 100, "values": 3,
    }  # fmt: skip


def test_each_row_its_own_group_is_no_confound(tmp_path: Path) -> None:
    columns = plain()
    columns["machine"] = [f"m{i}" for i in range(ROWS)]
    assert of("confounded", statements(tmp_path, numbers(), columns)) == []


def test_the_sample_is_bounded_by_its_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SAMPLE_BYTES", 100 * WIDTH * 4)
    assert of("sampled", statements(tmp_path, numbers(), plain()))[0]["rows"] == 100


def test_what_was_noticed_while_reading_is_said_too(tmp_path: Path) -> None:
    columns = plain() | {"code": [i % 5 for i in range(ROWS)]}
    found = statements(tmp_path, numbers(), columns)
    assert of("few_whole_numbers", found) == [{"code": "few_whole_numbers", "column": "code", "values": 5}]
    says = "'code' is read as a number and has 5 whole values; if these are codes, call it a category."
    assert says in lines(found)


def test_every_code_that_is_made_has_its_words() -> None:
    made = {
        code
        for path in (ROOT / "analysis" / "field").glob("*.py")
        if path.name != "said.py"
        for code in re.findall(r'"code": "(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert made == set(said._SENTENCES)
    assert len(made) > 15
