"""Activations in the files people have them in: every kind gives the same numbers, what cannot be used is named."""

from __future__ import annotations

import importlib.util
import os
import re
import tracemalloc
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from analysis.errors import BadFile, UserError
from analysis.field import arrays, parquet
from analysis.field.matrix import Matrix, open_matrices, rows_file

X = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)


def one(spec: object) -> Matrix:
    (found,) = open_matrices(str(spec))
    return found


def whole(matrix: Matrix) -> NDArray[np.float32]:
    return matrix.read(0, matrix.rows)


def npz(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez_compressed(stream, X=X, names=np.array(["a", "b"]))


def list_column(kind: Any) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        pyarrow.parquet.write_table(pa.table({"act": pa.array(X.tolist(), kind)}), path, row_group_size=13)

    return save


def columns(path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({f"u{j}": X[:, j] for j in range(7)}), path, row_group_size=13)


SAVERS: dict[str, Callable[[Path], Any]] = {
    "a.npy": lambda path: np.save(path, X),
    "columns-first.npy": lambda path: np.save(path, np.asfortranarray(X)),
    "big-endian.npy": lambda path: np.save(path, X.astype(">f8")),
    "A.NPZ": npz,
    "a.safetensors": lambda path: save_file({"bias": torch.zeros(3), "acts": torch.tensor(X)}, path),
    "lists.parquet": list_column(pa.list_(pa.float32())),
    "large.parquet": list_column(pa.large_list(pa.float64())),
    "fixed.parquet": list_column(pa.list_(pa.float32(), 7)),
    "columns.parquet": columns,
}


@pytest.mark.parametrize("name", SAVERS)
def test_every_kind_gives_the_same_numbers(tmp_path: Path, name: str) -> None:
    SAVERS[name](tmp_path / name)
    matrix = one(tmp_path / name)
    assert (matrix.rows, matrix.width) == X.shape
    for start, stop in ((0, 50), (3, 20), (20, 31), (31, 31), (49, 50), (12, 14), (0, 1)):
        found = matrix.read(start, stop)
        assert found.dtype == np.float32
        assert found.flags.c_contiguous
        assert np.array_equal(found, X[start:stop]), (start, stop)
    assert matrix.sha256 == sha256((tmp_path / name).read_bytes()).hexdigest()
    assert matrix.path == tmp_path / name


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float64"])
def test_numbers_of_every_type_become_float32(tmp_path: Path, dtype: str) -> None:
    values = (np.arange(12).reshape(4, 3) % 2).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", values)
    save_file({"x": torch.from_numpy(values)}, tmp_path / "a.safetensors")
    if dtype != "float16":
        pyarrow.parquet.write_table(pa.table({f"u{j}": values[:, j] for j in range(3)}), tmp_path / "a.parquet")
    for path in tmp_path.iterdir():
        found = whole(one(path))
        assert found.dtype == np.float32
        assert np.array_equal(found, values), path


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    values = torch.tensor(X).bfloat16()
    save_file({"x": values}, tmp_path / "a.safetensors")
    assert np.array_equal(whole(one(tmp_path / "a.safetensors")), values.float().numpy())


def test_an_array_of_several_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=X, two=X + 1)
    save_file({"one": torch.tensor(X), "two": torch.tensor(X + 1)}, tmp_path / "a.safetensors")
    for name in ("a.npz", "a.safetensors"):
        assert np.array_equal(whole(one(f"{tmp_path}/{name}:two")), X + 1)
        with pytest.raises(BadFile, match=rf"{name}: expected one array .* its name \({name}:NAME\); found one, two"):
            open_matrices(f"{tmp_path}/{name}")
        with pytest.raises(BadFile, match=f"{name}: expected an array 'three'; found one, two"):
            open_matrices(f"{tmp_path}/{name}:three")


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((5,), r"2 dimensions; found 1: \[5\]"),
        ((2, 3, 4), r"2 dimensions; found 3: \[2, 3, 4\]"),
        ((0, 4), "at least one row and one column; found 0 rows, 4 columns"),
        ((4, 0), "at least one row and one column; found 4 rows, 0 columns"),
    ],
)
def test_another_shape_is_refused(tmp_path: Path, shape: tuple[int, ...], says: str) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    np.savez(tmp_path / "a.npz", x=np.zeros(shape))
    save_file({"x": torch.zeros(shape)}, tmp_path / "a.safetensors")
    for name in ("a.npy", "a.npz", "a.safetensors"):
        with pytest.raises(BadFile, match=f"{name}.*{says}"):
            open_matrices(f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.array([[1, None]], object), r"Python objects \(pickle\), which are never read"),
        (np.ones((2, 2), complex), r"expected numbers; found complex numbers \(complex128\)"),
        (np.array([["a", "b"]]), "expected numbers; found strings"),
        (np.zeros((2, 2), "datetime64[s]"), "expected numbers; found dates"),
        (np.zeros((2, 2), [("a", "f4")]), "expected numbers; found records"),
    ],
)
@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_what_is_no_number_is_refused(tmp_path: Path, name: str, values: Any, says: str) -> None:
    path = tmp_path / name
    np.save(path, values, allow_pickle=True) if name == "a.npy" else np.savez(path, values)
    with pytest.raises(BadFile, match=says) as refused:
        open_matrices(str(path))
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


class _Canary:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (os.environ["CANARY"],)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "object.npy"])
def test_no_pickle_is_ever_read(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    canary = tmp_path / "canary"
    monkeypatch.setenv("CANARY", str(canary))
    if name == "object.npy":
        np.save(tmp_path / name, np.array([[_Canary()]], object), allow_pickle=True)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(_Canary()))
    with pytest.raises(BadFile, match="pickle" if name.endswith("npy") else name):
        whole(one(tmp_path / name))
    assert not canary.exists()
    pickle.loads(pickle.dumps(_Canary()))
    assert canary.exists(), "it would have been made"


def test_what_float32_cannot_hold_is_refused_where_it_stands(tmp_path: Path) -> None:
    values = np.zeros((30, 4))
    values[3] = np.inf, -np.inf, np.nan, 3e38
    values[17, 2] = -1e39
    np.save(tmp_path / "a.npy", values)
    matrix = one(tmp_path / "a.npy")
    assert np.isinf(matrix.read(0, 17)).sum() == 2
    with pytest.raises(BadFile, match=r"a\.npy: expected .* float32's range.*; found -1e\+39 in row 17, column 2"):
        matrix.read(10, 30)


@pytest.mark.parametrize("name", [name for name in SAVERS if name != "columns-first.npy"])
@pytest.mark.parametrize("left", [0, 1, 5, 200, -20])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, left: int) -> None:
    path = tmp_path / name
    SAVERS[name](path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(BadFile, match=re.escape(str(path))):
        whole(one(path))


def test_bytes_too_many_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    with (tmp_path / "a.npy").open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(BadFile, match="expected 1,528 bytes, as its header says; found 1,532"):
        open_matrices(str(tmp_path / "a.npy"))


def test_a_file_that_was_replaced_meanwhile_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    matrix = one(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", X[:, :3])
    with pytest.raises(BadFile, match=r"expected \[50, 7\], as when it was opened; found \[50, 3\]"):
        matrix.read(0, 3)


def test_a_packed_array_too_large_to_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", X)
    monkeypatch.setattr(arrays, "MOST_IN_MEMORY", X.nbytes - 1)
    with pytest.raises(BadFile, match=r"expected at most .* GB.*; save it as \.npy"):
        open_matrices(str(tmp_path / "a.npz"))
    monkeypatch.setattr(arrays, "MOST_IN_MEMORY", X.nbytes)
    assert np.array_equal(whole(one(tmp_path / "a.npz")), X)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pa.table({"x": [1.0], "id": ["a"]}), "found 'id' of type string"),
        (pa.table({"x": [[1.0]], "y": [1.0]}), "found 'x' of type list"),
        (pa.table({"x": [["a"]]}), "found 'x' of type list"),
        (pa.table({"x": [[1.0, 2.0], [1.0]]}), "expected 2 numbers in each row; found 1 in row 1"),
        (pa.table({"x": [[1.0, 2.0], None]}), "expected 2 numbers in each row; found none in row 1"),
        (pa.table({"x": pa.array([None, [1.0]])}), "expected a list of numbers in each row; found none in row 0"),
        (pa.table({"x": pa.array([], pa.float32())}), "at least one row"),
    ],
)
def test_a_parquet_file_of_other_columns_is_refused(tmp_path: Path, table: Any, says: str) -> None:
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(BadFile, match=rf"a\.parquet.*{says}"):
        whole(one(tmp_path / "a.parquet"))


def test_a_gap_in_a_parquet_column_is_nan(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"x": [1, None, 3], "y": [1.0, 2.0, None]}), tmp_path / "a.parquet")
    found = whole(one(tmp_path / "a.parquet"))
    assert np.array_equal(found, np.array([[1, 1], [np.nan, 2], [3, np.nan]]), equal_nan=True)


def test_parquet_is_read_on_and_not_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns(tmp_path / "a.parquet")
    monkeypatch.setattr(parquet, "_BATCH_VALUES", 21)
    matrix = one(tmp_path / "a.parquet")
    begun: list[int] = []
    stream = parquet.ParquetArray._stream

    def noted(self: parquet.ParquetArray, group: int) -> Any:
        begun.append(group)
        return stream(self, group)

    monkeypatch.setattr(parquet.ParquetArray, "_stream", noted)
    parts = [matrix.read(start, min(start + 8, 50)) for start in range(0, 50, 8)]
    assert np.array_equal(np.concatenate(parts), X)
    assert begun == [0]
    assert np.array_equal(matrix.read(27, 30), X[27:30])
    assert begun == [0, 2]


@pytest.mark.parametrize("kind", ["npy", "columns-first", "safetensors", "parquet"])
def test_a_few_rows_take_little_memory(tmp_path: Path, kind: str) -> None:
    values = np.ones((40_000, 100), np.float32)  # 16 MB
    path = tmp_path / f"a.{kind.replace('columns-first', 'npy')}"
    if kind == "safetensors":
        save_file({"x": torch.from_numpy(values)}, path)
    elif kind == "parquet":
        lists = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 100)
        pyarrow.parquet.write_table(pa.table({"x": lists}), path)
    else:
        np.save(path, np.asfortranarray(values) if kind == "columns-first" else values)
    matrix = one(path)
    limit = 2_000_000 if kind != "parquet" else 20_000_000
    matrix.read(0, 1000)
    tracemalloc.start()
    for start in range(0, 40_000, 1000):
        matrix.read(start, start + 1000)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < limit


def test_rows_that_are_not_there_are_no_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    for start, stop in ((-1, 3), (3, 51), (4, 3)):
        with pytest.raises(ValueError, match="of 50"):
            one(tmp_path / "a.npy").read(start, stop)


# layers, folders, shards


def test_a_layer_has_a_number_or_a_name(tmp_path: Path) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", X)
    a, b = f"{tmp_path}/a.npy", f"{tmp_path}/b.npy"

    def layers(*specs: str) -> list[tuple[int, str]]:
        return [(matrix.layer, matrix.name) for matrix in open_matrices(list(specs))]

    assert layers(f"7={a}", f"3={b}") == [(3, "layer3"), (7, "layer7")]
    assert layers(f"layer12={a}", f"layer3={b}") == [(3, "layer3"), (12, "layer12")]
    assert layers(f"late = {a}".replace(" = ", "="), f"early={b}") == [(0, "late"), (1, "early")]
    assert layers(a, b) == [(0, "a"), (1, "b")]
    assert layers(f"conv 1/x={a}".replace("/x", ""), b) == [(0, "conv-1"), (1, "b")]
    with pytest.raises(UserError, match=r"two layers are called 'layer3': .*a\.npy and .*b\.npy"):
        layers(f"3={a}", f"layer3={b}")
    with pytest.raises(UserError, match="expected LAYER=PATH; found no path"):
        layers("3=")
    with pytest.raises(UserError, match="expected LAYER=PATH; found no layer"):
        layers("=a.npy")
    with pytest.raises(UserError, match="expected at least one file or folder"):
        layers()


def test_a_folder_of_files_is_a_layer_each(tmp_path: Path) -> None:
    for layer in (10, 2, 1):
        np.save(tmp_path / f"layer{layer}.npy", X + layer)
    (tmp_path / "rows.csv").write_text("id\n")
    (tmp_path / "README.md").write_text("about")
    (tmp_path / ".hidden.npy").write_text("no array")
    found = open_matrices(str(tmp_path))
    assert [(matrix.layer, matrix.name) for matrix in found] == [(1, "layer1"), (2, "layer2"), (10, "layer10")]
    assert np.array_equal(whole(found[2]), X + 10)
    with pytest.raises(UserError, match="expected one layer; found 3: layer1, layer2, layer10"):
        open_matrices(f"5={tmp_path}")


@pytest.mark.parametrize("table", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_a_capture_is_a_folder_of_shards_a_layer(tmp_path: Path, table: str) -> None:
    for name in ("blocks.2", "blocks.10"):
        (tmp_path / name).mkdir()
        for place, (start, stop) in enumerate(((0, 20), (20, 41), (41, 50))):
            np.save(tmp_path / name / f"{place:05d}.npy", X[start:stop])
    if table == "rows.parquet":
        pyarrow.parquet.write_table(pa.table({"id": ["a"]}), tmp_path / table)
    else:
        (tmp_path / table).write_text("id\n")
    (tmp_path / "images").mkdir()
    found = open_matrices(str(tmp_path))
    assert [(matrix.layer, matrix.name, matrix.rows) for matrix in found] == [
        (2, "blocks.2", 50),
        (10, "blocks.10", 50),
    ]
    for start, stop in ((0, 50), (19, 42), (20, 41), (41, 50), (20, 20)):
        assert np.array_equal(found[0].read(start, stop), X[start:stop])
    assert found[0].sha256 == found[1].sha256
    assert found[0].path == tmp_path / "blocks.2"
    assert rows_file(str(tmp_path)) == tmp_path / table
    assert rows_file(f"3={tmp_path}/blocks.2") == tmp_path / table
    assert np.array_equal(whole(one(f"3={tmp_path}/blocks.2")), X)
    assert one(f"3={tmp_path}/blocks.2").layer == 3


def test_a_shard_that_is_missing_or_of_another_width_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "blocks.2"
    folder.mkdir()
    np.save(folder / "00000.npy", X)
    np.save(folder / "00002.npy", X)
    with pytest.raises(BadFile, match=r"blocks\.2: expected a shard 00001\.npy; found 00002\.npy in its place"):
        open_matrices(str(tmp_path))
    (folder / "00002.npy").rename(folder / "extra.npy")
    with pytest.raises(BadFile, match=r"expected one file, or shards named .*; found extra\.npy"):
        open_matrices(str(tmp_path))
    (folder / "extra.npy").unlink()
    np.save(folder / "00001.npy", X[:, :3])
    with pytest.raises(BadFile, match=r"00001\.npy: expected 7 columns, as in 00000\.npy; found 3"):
        open_matrices(str(tmp_path))


def test_layers_of_different_rows_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    np.save(tmp_path / "b.npy", X[:49])
    with pytest.raises(BadFile, match=r"b\.npy: expected 50 rows, as in .*a\.npy; found 49"):
        open_matrices(str(tmp_path))


def test_what_is_not_there_or_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.npy: no such file or folder; expected \.npy"):
        open_matrices(f"{tmp_path}/gone.npy")
    with pytest.raises(UserError, match=r"expected \.npy.*; found none"):
        open_matrices(str(tmp_path))
    (tmp_path / "a.pt").write_text("x")
    with pytest.raises(BadFile, match=r"a\.pt: expected \.npy.*; found '\.pt'"):
        open_matrices(f"{tmp_path}/a.pt")
    np.save(tmp_path / "a.npy", X)
    with pytest.raises(UserError, match=r"a\.npy:x: expected an array's name after"):
        open_matrices(f"{tmp_path}/a.npy:x")


def test_a_link_out_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "a.npy", X)
    (tmp_path / "in" / "a.npy").symlink_to(tmp_path / "a.npy")
    with pytest.raises(UserError, match="a link that leads out of the folder"):
        open_matrices(f"{tmp_path}/in")
    assert one(f"{tmp_path}/in/a.npy").rows == 50


@pytest.mark.parametrize(("name", "package"), [("a.zarr", "zarr"), ("a.h5ad", "h5py")])
def test_without_its_package_the_extra_is_named(
    tmp_path: Path, name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    (tmp_path / name).write_text("")
    with pytest.raises(
        UserError, match=rf"{name}: expected the package.*{package}.*pip install 'dense-latents\[arrays\]'"
    ):
        open_matrices(f"{tmp_path}/{name}")


@pytest.mark.skipif(not importlib.util.find_spec("zarr"), reason="zarr is not installed")
def test_zarr(tmp_path: Path) -> None:
    import zarr

    zarr.save_array(f"{tmp_path}/a.zarr", X)
    zarr.save_group(f"{tmp_path}/b.zarr", one=X, two=X + 1)
    assert np.array_equal(one(f"{tmp_path}/a.zarr").read(3, 9), X[3:9])
    assert np.array_equal(one(f"{tmp_path}/b.zarr:two").read(3, 9), X[3:9] + 1)
    with pytest.raises(BadFile, match=r"b\.zarr: expected one array.*found one, two"):
        open_matrices(f"{tmp_path}/b.zarr")
    assert len(one(f"{tmp_path}/a.zarr").sha256) == 64


@pytest.mark.skipif(not importlib.util.find_spec("h5py"), reason="h5py is not installed")
def test_h5ad(tmp_path: Path) -> None:
    import h5py
    import scipy.sparse

    values = np.where(X > 0, X, 0)
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        file["X"] = values
    for kind in ("csr", "csc"):
        packed = scipy.sparse.csr_matrix(values) if kind == "csr" else scipy.sparse.csc_matrix(values)
        with h5py.File(tmp_path / f"{kind}.h5ad", "w") as file:
            group = file.create_group("X")
            group.attrs.update({"encoding-type": f"{kind}_matrix", "shape": values.shape})
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(packed, name)
    for name in ("a.h5ad", "csr.h5ad"):
        for start, stop in ((0, 50), (3, 9), (9, 9), (49, 50)):
            assert np.array_equal(one(f"{tmp_path}/{name}").read(start, stop), values[start:stop])
    with pytest.raises(BadFile, match=r"csc\.h5ad: expected X by rows: dense, or a csr_matrix; found csc_matrix"):
        open_matrices(f"{tmp_path}/csc.h5ad")
    for name in ("cut.h5ad", "other.h5ad"):
        with h5py.File(tmp_path / name, "w") as file:
            file["Y"] = values
    (tmp_path / "cut.h5ad").write_bytes((tmp_path / "a.h5ad").read_bytes()[:900])
    for name in ("cut.h5ad", "other.h5ad"):
        with pytest.raises(BadFile, match=rf"{name}: expected an AnnData file with X"):
            open_matrices(f"{tmp_path}/{name}")
