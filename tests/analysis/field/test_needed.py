"""Is a unit needed? Beside slower ways of the same numbers, and planted units that are, and are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.field.columns import Column
from analysis.field.command import analyze
from analysis.field.config import FieldConfig
from analysis.field.halves import half_of
from analysis.field.head import read_head
from analysis.field.needed import Head, losses, peers, set_to_mean, without_each
from store.session import make_engine
from store.tables import Profile
from tests.field_world import DEFECT, HEAT, NOISE, factory

torch.set_num_threads(1)


def label(kind: str, levels: tuple[str, ...] = ()) -> Column:
    none: Any = np.zeros(0)
    return Column("defect", kind, "label", none, levels, none)  # type: ignore[arg-type]


def test_without_each_is_what_a_fit_without_it_says() -> None:
    random = np.random.default_rng(0)
    n, m = 300, 6
    x = torch.from_numpy(random.standard_normal((n, m)))
    x[:, 1] = x[:, 0] + 0.3 * x[:, 1]
    y = (x[:, 0] + 0.5 * x[:, 2] + torch.from_numpy(random.standard_normal(n)))[None]
    block = torch.arange(n) // 15
    fold = block % 5
    found = without_each(x, y, fold, block)
    for unit in range(m):
        rest = [other for other in range(m) if other != unit]
        wrong = whole = total = 0.0
        for number in range(5):
            here = fold == number
            for of, kept in (("whole", list(range(m))), ("rest", rest)):
                centre, spread = x[~here][:, kept].mean(0), x[~here][:, kept].std(0, correction=0)
                a, t = (x[~here][:, kept] - centre) / spread, y[0, ~here] - y[0, ~here].mean()
                w = torch.linalg.solve(a.T @ a + m * torch.eye(len(kept), dtype=torch.float64), a.T @ t)
                off = y[0, here] - y[0, ~here].mean() - (x[here][:, kept] - centre) / spread @ w
                if of == "whole":
                    whole += float(off.square().sum())
                    total += float((y[0, here] - y[0, ~here].mean()).square().sum())
                else:
                    wrong += float(off.square().sum())
        assert float(found.value[unit]) == pytest.approx((wrong - whole) / total, abs=1e-9)
    assert found.low[2] > 0.05, "nothing else says what this one does"
    assert found.value[5] < 0.01


def test_losses_are_those_of_torch() -> None:
    logits, y = torch.randn(40, 3).double(), torch.arange(40) % 3
    expected = torch.nn.functional.cross_entropy(logits, y, reduction="none")
    assert torch.allclose(losses(logits, y.double(), "category"), expected)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], (y > 0).double(), reduction="none")
    assert torch.allclose(losses(logits[:, :1], (y > 0).double(), "boolean"), expected)
    assert torch.allclose(losses(logits[:, :1], y.double(), "number"), (logits[:, 0] - y).square())


def test_setting_a_unit_to_its_mean_is_what_the_head_says_of_changed_rows() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=random)
    head = Head(torch.randn(5, 3, generator=random).double(), torch.randn(3, generator=random).double())
    y, block = (torch.arange(200) % 3).double(), torch.arange(200) // 10
    found = set_to_mean(head, x, x, torch.eye(5), y, "category", block)
    for unit in range(5):
        changed = x.double().clone()
        changed[:, unit] = changed[:, unit].mean()
        gained = losses(changed @ head.weight + head.bias, y, "category").mean() - found.whole
        assert float(found.value[unit]) == pytest.approx(float(gained), abs=1e-6)


def test_peers_are_others_of_the_nearest_variance() -> None:
    variance = torch.tensor([1.0, 100.0, 1.1, 99.0, 1.2, 0.0])
    found = peers(variance, torch.tensor([0, 1]), torch.arange(5))
    assert found[0, :2].tolist() == [2, 4]
    assert found[1, 0] == 3


def test_halves_split_groups_not_rows() -> None:
    group = torch.arange(300) % 21
    one = half_of(group)
    assert sorted(len(torch.unique(group[part])) for part in (one, ~one)) == [10, 11]
    assert not set(group[one].tolist()) & set(group[~one].tolist())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, Any]]:
    """Of a head that reads the unit of defects alone."""
    folder = tmp_path_factory.mktemp("needed")
    made = factory(folder / "factory", 0)
    weight = np.zeros((10, 1))
    weight[DEFECT], weight[HEAT] = 2.0, 0.0
    np.savez(folder / "head.npz", weight=weight, bias=np.array([-1.5]))
    analyze(
        FieldConfig(
            activations=[str(made.matrix)], table=str(made.table), db=str(folder / "f.db"), group="machine",
            order="time", id="part", head=str(folder / "head.npz"), head_label="defect",
        ),
        Console(quiet=True),
    )  # fmt: skip
    with Session(make_engine(str(folder / "f.db"), read_only=True)) as session:
        rows = session.scalars(select(Profile).where(Profile.name.in_(["needed", "halves"])))
        found: dict[str, dict[int, Any]] = {"needed": {}, "halves": {}}
        for row in rows:
            found[row.name][row.index] = row.data
        return found


def test_a_head_needs_what_it_reads_and_nothing_else(told: dict[str, dict[int, Any]]) -> None:
    needed = told["needed"]
    own, noise = needed[DEFECT]["head"], needed[NOISE]["head"]
    assert own["low"] > max(own["control"], 0.05)
    assert own["label"] == "defect"
    assert noise["value"] == pytest.approx(0, abs=1e-9)


def test_without_a_head_the_labels_prediction_says_it(told: dict[str, dict[int, Any]]) -> None:
    (heat,) = (one for one in told["needed"][HEAT]["labels"] if one["label"] == "heat")
    assert heat["low"] > heat["control"]
    assert 0.3 < heat["value"] < heat["whole"]
    assert "labels" in told["needed"][NOISE]
    assert told["needed"][NOISE]["labels"] == []


def test_what_follows_a_label_does_in_both_halves(told: dict[str, dict[int, Any]]) -> None:
    own = told["halves"][DEFECT]
    assert own["groups"] == [12, 12]
    assert own["dense"] == [True, True]
    assert {"name": "defect", "holds": [True, True]}.items() <= own["labels"][0].items()
    assert told["halves"][NOISE]["labels"] == []


def test_heads_are_read_from_numbers_in_either_direction(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    weight = np.arange(12.0).reshape(4, 3)
    np.save(tmp_path / "h.npy", weight)
    np.savez(tmp_path / "h.npz", coef_=weight.T, intercept_=np.ones(3))
    save_file({"fc.weight": np.ascontiguousarray(weight.T), "fc.bias": np.ones(3)}, tmp_path / "h.safetensors")
    of = label("category", ("a", "b", "c"))
    assert all(
        np.array_equal(read_head(str(tmp_path / name), 4, of).weight.numpy(), weight)
        for name in ("h.npy", "h.npz", "h.safetensors")
    )
    assert read_head(str(tmp_path / "h.npz"), 4, of).bias.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "width", "kind", "says"),
    [
        (
            "h.npy",
            7,
            "category",
            r"expected weights \[7, classes\], a row for each column .*; found \[4, 3\]",
        ),
        ("h.npy", 4, "number", r"expected 1 columns of weights for 'defect' \(number\); found 3"),
        ("gone.npy", 4, "number", "no such file"),
        ("h.pkl", 4, "number", r"'\.pkl'; of a scikit-learn model save coef_ and intercept_ by numpy\.savez"),
        ("pickled.npy", 4, "number", "expected weights"),
    ],
)
def test_a_head_that_cannot_be_used_is_refused(tmp_path: Path, name: str, width: int, kind: str, says: str) -> None:
    np.save(tmp_path / "h.npy", np.arange(12.0).reshape(4, 3))
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "h.pkl").write_bytes(b"\x80")
    with pytest.raises(UserError, match=says):
        read_head(str(tmp_path / name), width, label(kind, ("a", "b")))


def test_a_head_of_no_label_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected --head and --head-label together"):
        FieldConfig(activations=["x.npy"], table="t.csv", head="h.npy")
