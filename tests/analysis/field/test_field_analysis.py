"""Rows of activations from a matrix and a table to the store: what was planted is found, and named rightly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.field.command import analyze
from analysis.field.config import FieldConfig
from analysis.field.stream import BATCH, Places, batches
from analysis.field.units import units
from store.arrays import unpack
from store.digest import digest
from store.session import make_engine
from store.tables import Analysis, Association, Example, Label, Latent, Pair, Profile, Run, Sae
from tests.field_world import COPY, DEFECT, DRIFT, HEAT, MACHINE, NEVER, NOISE, RARE, Factory, factory
from tests.planted import sae_folder

QUIET = Console(quiet=True)
ROLES = {"id": "part", "group": "machine", "order": "time"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Factory:
    return factory(tmp_path_factory.mktemp("factory"))


def config(made: Factory, db: Path, **more: object) -> FieldConfig:
    given = {"activations": [str(made.matrix)], "table": str(made.table), "db": str(db), "name": "press"} | ROLES
    return FieldConfig(**(given | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def store(made: Factory, tmp_path_factory: pytest.TempPathFactory) -> str:
    db = tmp_path_factory.mktemp("store") / "field.db"
    analyze(config(made, db), QUIET)
    return str(db)


def said_of(session: Session, label: str) -> dict[int, tuple[str, str, str]]:
    """Unit -> verdict, code, and what it goes through."""
    statement = select(Association).join(Label).where(Label.name == label)
    return {
        one.index: (one.verdict, one.statement["code"], one.statement.get("by", ""))
        for one in session.scalars(statement)
    }


def test_numbers_are_those_of_plain_numpy(made: Factory, store: str) -> None:
    with Session(make_engine(store, read_only=True)) as session:
        latents = list(session.scalars(select(Latent).order_by(Latent.index)))
        analysis = session.scalars(select(Analysis)).one()
    on = made.x != 0
    assert [one.density for one in latents] == pytest.approx(on.mean(0).tolist(), rel=1e-6)
    assert latents[DEFECT].mean == pytest.approx(float(made.x[on[:, DEFECT], DEFECT].mean()), rel=1e-5)
    assert latents[DEFECT].max == pytest.approx(float(made.x[:, DEFECT].max()), rel=1e-6)
    assert latents[HEAT].mass_share == pytest.approx(float(made.x[:, HEAT].sum() / made.x.sum()), rel=1e-5)
    assert analysis.l0 == pytest.approx(on.sum(1).mean(), rel=1e-6)
    assert analysis.n_dead == 1
    assert latents[NEVER].mean is None
    assert analysis.fvu is None
    assert all(one.antipodality is None for one in latents)
    low, high = latents[DEFECT].density_low, latents[DEFECT].density_high
    assert low is not None
    assert high is not None
    assert low < latents[DEFECT].density < high


@pytest.mark.parametrize("seed", range(5))
def test_what_was_planted_is_named_rightly(seed: int, tmp_path: Path) -> None:
    made = factory(tmp_path / "factory", seed)
    analyze(config(made, tmp_path / "f.db"), QUIET)
    with Session(make_engine(str(tmp_path / "f.db"), read_only=True)) as session:
        defect, heat, line = (said_of(session, name) for name in ("defect", "heat", "line"))
        checks = session.scalars(select(Run)).one().settings["checks"]
    assert defect[DEFECT][:2] == ("yes", "yes")
    assert defect[MACHINE] == ("no", "confounded", "machine")
    assert defect[COPY][:2] == ("no", "leak")
    assert any(each["code"] == "leak" and each["label"] == "defect" and each["unit"] == COPY for each in checks)
    assert heat[HEAT][0] == "yes"
    assert heat[DRIFT] == ("no", "confounded", "time")
    assert defect[NOISE][0] == heat[NOISE][0] == "no"
    assert {verdict for verdict, _code, _by in line.values()} == {"no"}


def test_a_drift_and_groups_are_seen(made: Factory, store: str) -> None:
    with Session(make_engine(store, read_only=True)) as session:
        rows = {(one.index, one.name): one for one in session.scalars(select(Profile))}
    mean = unpack(rows[DRIFT, "order"].values or b"")[0]
    assert mean[-1] - mean[0] > 2
    assert rows[DRIFT, "order"].data["within"] > 0.5
    assert abs(rows[NOISE, "order"].data["within"]) < 0.1
    groups = rows[MACHINE, "groups"].data["items"]
    assert len(groups) == 24
    assert groups[0]["density"] > groups[-1]["density"] + 0.5
    plain = (made.x[made.group == 3, MACHINE] != 0).mean()
    assert next(one for one in groups if one["value"] == "M03")["density"] == pytest.approx(plain, abs=1e-4)


def test_what_all_columns_say(store: str) -> None:
    with Session(make_engine(store, read_only=True)) as session:
        found = {one.index: one.data for one in session.scalars(select(Profile).where(Profile.name == "divided"))}
        followed = dict(session.execute(select(Latent.index, Latent.followed)).all())
    share = {source["name"]: source["average"] for source in found[DEFECT]["sources"]}
    assert share["defect"] == max(share.values()) > 0.3
    assert followed[DEFECT] == pytest.approx(found[DEFECT]["total"], abs=1e-3)
    assert abs(found[NOISE]["total"]) < 0.05


def test_what_predicts_a_label_leaves_its_copy_out(store: str) -> None:
    with Session(make_engine(store, read_only=True)) as session:
        power = session.scalars(select(Analysis)).one().summary["power"]
    by = {one["set"]: one for one in power["defect"]}
    assert by["best"]["unit"] == DEFECT
    assert 0.8 < by["best"]["value"] <= by["raw"]["value"] + 0.05 < 0.99
    assert abs(by["sparse"]["value"] - 0.5) < 0.1


def test_examples_are_rows_with_their_values(made: Factory, store: str) -> None:
    with Session(make_engine(store, read_only=True)) as session:
        top = session.scalars(
            select(Example).where(Example.index == DEFECT, Example.kind == "top", Example.rank == 0)
        ).one()
    row = int(made.x[:, DEFECT].argmax())
    assert top.tokens[top.focus] == f"P{row:05d}"
    assert top.context_start == row
    assert unpack(top.activations)[top.focus] == pytest.approx(float(made.x[row, DEFECT]))
    assert top.labels["defect"] is bool(made.defect[row])
    assert top.labels["machine"] == f"M{made.group[row]:02d}"
    neighbours = [int(name[1:]) for name in top.tokens]
    assert neighbours == list(range(neighbours[0], neighbours[0] + len(neighbours)))
    assert {made.group[each] for each in neighbours} == {made.group[row]}


def test_the_digits_do_not_depend_on_how_the_matrix_lies(made: Factory, store: str, tmp_path: Path) -> None:
    shards = tmp_path / "taken" / "hidden"
    shards.mkdir(parents=True)
    for number, part in enumerate(np.array_split(made.x, [100, 101, 900])):
        np.save(shards / f"{number:05d}.npy", part)
    analyze(config(made, tmp_path / "s.db", activations=[str(tmp_path / "taken")]), QUIET)
    assert _digest(str(tmp_path / "s.db")) == _digest(store)


def _digest(db: str) -> str:
    """Of the numbers; the key of the run holds the files' hash, which differs."""
    engine = make_engine(db)
    with Session(engine) as session:
        run = session.scalars(select(Run)).one()
        number, run.key = run.id, "same"
        session.commit()
    return digest(engine, number)


def test_the_same_command_again_finds_its_run(made: Factory, store: str, tmp_path: Path) -> None:
    db = tmp_path / "again.db"
    first = analyze(config(made, db), QUIET)
    assert analyze(config(made, db), QUIET) == first
    assert analyze(config(made, db, dense_threshold=0.3), QUIET) != first
    with Session(make_engine(str(db), read_only=True)) as session:
        assert len(session.scalars(select(Sae)).all()) == 1  # the same units: notes stay theirs


def test_an_sae_on_the_matrix_has_directions_and_pairs(made: Factory, tmp_path: Path) -> None:
    eye = torch.eye(10)
    decoder = torch.cat([eye, -eye[:1], eye[3:4] - eye[4:5], eye[4:5] - eye[3:4]])
    folder = sae_folder(tmp_path / "sae", decoder, decoder, hook="hidden")
    analyze(config(made, tmp_path / "sae.db", saes=[str(folder)]), QUIET)
    with Session(make_engine(str(tmp_path / "sae.db"), read_only=True)) as session:
        pairs = session.scalars(select(Pair).where(Pair.is_pair)).all()
        fvu = session.scalars(select(Analysis)).one().fvu
    assert {(min(p.positive, p.negative), max(p.positive, p.negative)) for p in pairs} >= {(11, 12)}
    assert fvu is not None
    assert fvu > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"group": "machin"}, "expected a column 'machin' .*; did you mean 'machine'"),
        ({"columns": {"nothing": "none"}}, "expected a column 'nothing'"),
        ({"table": None}, "expected --table FILE"),
        ({"group": "time"}, "the column time is given two parts"),
        ({"x": "heat"}, "expected --x and --y together"),
        ({"train": "relu"}, "expected batchtopk, topk, abstopk or jumprelu"),
        ({"saes": ["a", "b"]}, "expected one --sae for each of the 1 matrices"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    changes: dict[str, object], words: str, made: Factory, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        analyze(config(made, tmp_path / "none.db", **changes), QUIET)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "a/../../b.png", "C:\\parts\\1.png"])
def test_a_picture_outside_its_folder_is_refused_with_its_row(path: str, made: Factory, tmp_path: Path) -> None:
    lines = made.table.read_text().splitlines()
    pictures = ["1.png"] * (len(lines) - 1)
    pictures[7] = path
    table = tmp_path / "t.csv"
    table.write_text("\n".join([lines[0] + ",picture", *map(",".join, zip(lines[1:], pictures, strict=True))]))
    with pytest.raises(UserError, match=r"row 7: expected a path inside the folder of pictures"):
        analyze(config(made, tmp_path / "none.db", table=str(table), image="picture"), QUIET)


def test_without_a_table_units_are_measured_all_the_same(made: Factory, tmp_path: Path) -> None:
    plain = FieldConfig(activations=[str(made.matrix)], db=str(tmp_path / "bare.db"))
    analyze(plain, QUIET)
    with Session(make_engine(plain.db, read_only=True)) as session:
        assert session.scalars(select(Run)).one().documents == len(made.x)  # each row is its own group
        assert session.scalars(select(Latent.density).where(Latent.index == RARE)).one() == pytest.approx(
            (made.x[:, RARE] != 0).mean(), rel=1e-6
        )


@pytest.mark.parametrize("above", [None, 0.5, -0.5])
def test_units_fire_where_they_are_on(above: float | None) -> None:
    x = torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
    x[x.abs() < 0.2] = 0
    found = units("x.npy", "0" * 64, "x", 0, 7, above).fire(x)
    on = (x != 0) if above is None else (x > above) & (x != 0)
    whole = torch.zeros_like(x)
    whole[found.token, found.latent] = found.value
    assert torch.equal(whole, torch.where(on, x, 0.0))
    assert found.starts.diff().tolist() == on.sum(0).tolist()
    assert bool((found.latent.diff() >= 0).all())


@pytest.mark.parametrize("ordered", [False, True])
def test_batches_hold_every_row_once_and_no_context_two_groups(ordered: bool) -> None:
    group = torch.arange(3 * BATCH // 2) // 37
    rows = []
    for first, after, batch in batches(Places(group, ordered)):
        inside = batch.begin[batch.mask]
        assert inside.tolist() == list(range(first, after))
        for context, own in zip(batch.begin.tolist(), batch.document.tolist(), strict=True):
            assert {int(group[row]) for row in context if row >= 0} == {own}
        rows += inside.tolist()
    assert rows == list(range(len(group)))
