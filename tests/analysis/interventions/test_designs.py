"""`compare-designs` from a store to a store, stopped and resumed; plans, losses and comparisons against slow ways."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session
from torch import Tensor

from analysis.decomposition.decompose import SOURCES
from analysis.errors import BadFile, UserError
from analysis.interventions.designs import command, following
from analysis.interventions.designs.command import compare_designs
from analysis.interventions.designs.config import DESIGNS, DesignsConfig
from analysis.interventions.designs.exchange import export_comparison, import_comparison
from analysis.interventions.designs.loss import Meter, loss_numbers
from analysis.interventions.designs.plans import plan_designs
from analysis.interventions.designs.result import Comparison, Trained, compared
from analysis.interventions.exported import save, take_folder
from analysis.interventions.retrain.job import Job, run_job
from analysis.interventions.shipped import FORMATS
from analysis.reading.sae import load_sae
from analysis.run.analyze import analyze
from analysis.statistics.geometry import principal_cosines
from analysis.training.config import Recipe
from analysis.training.spread import spread_of
from store.session import make_engine
from store.tables import Design, DesignComparison
from tests.analysis.conftest import Parts
from tests.analysis.training.dense_world import DENSE, HOOK, DenseWorld
from tests.stored_words import sentences

torch.set_num_threads(1)

SETTINGS: dict[str, Any] = {
    "sae": "2", "seeds": 2, "ranks": [2], "batch": 64, "train_tokens": 64 * 20, "tokens": 1500, "eval_tokens": 300,
    "loss_tokens": 200, "held_out": 0.2, "dtype": "float32", "device": "cpu",
}  # fmt: skip
HOOK_2 = "blocks.2.hook_resid_post"
NAMES = [
    "plain",
    "raised_2",
    "lowered_2",
    "bottleneck_2",
    "bottleneck_2_counted",
    "principal_2",
    "random_2",
    "frequency",
    "abstopk",
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("designs")


@pytest.fixture(autouse=True, scope="module")
def _own_cache(base: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_LATENTS_CACHE", str(base / "cache"))
        patch.setattr(command, "run_jobs", _here)  # the processes are `retrain`'s, and tested there
        yield


def _here(jobs: list[Job], _config: DesignsConfig, _console: Console) -> list[dict[str, Any]]:
    return [job.report() or run_job(job) for job in jobs]


@pytest.fixture(scope="module")
def config(base: Path, parts: Parts) -> DesignsConfig:
    """Of one analysed run."""
    analyze(parts.config(base / "run.db", dense_threshold=0.5, classes=False), Console(quiet=True))
    return DesignsConfig(db=str(base / "run.db"), out=base / "out", json=base / "json" / "l2.json", **SETTINGS)


@pytest.fixture(scope="module")
def printed(config: DesignsConfig) -> str:
    screen = io.StringIO()
    assert compare_designs(config, Console(file=screen, width=160)) == 1
    return screen.getvalue()


@pytest.fixture
def store(printed: str, config: DesignsConfig) -> Engine:
    assert "comparison 1 stored in " in printed
    return make_engine(config.db)


def rows(store: Engine, number: int | None = None) -> list[dict[str, Any]]:
    """Of a comparison, or of the newest that has all designs."""
    with Session(store) as session:
        whole = select(Design.comparison_id).where(Design.name == NAMES[-1]).limit(1).scalar_subquery()
        own = Design.comparison_id == (whole if number is None else number)
        found = session.scalars(select(Design).where(own).order_by(Design.place)).all()
        return [{c.name: getattr(row, c.name) for c in row.__table__.columns if c.name != "seconds"} for row in found]


def test_every_design_has_a_row_a_seed(store: Engine, config: DesignsConfig) -> None:
    found = rows(store)
    assert [(row["name"], row["seed"]) for row in found] == [(name, seed) for seed in (0, 1) for name in NAMES]
    k = {row["name"]: row["k"] for row in found}
    assert (k["plain"], k["raised_2"], k["bottleneck_2"]) == (6, 8, 6)
    assert k["lowered_2"] == k["bottleneck_2_counted"] == 4
    for row in found:
        assert row["l0"] == pytest.approx(row["k"], abs=0.01)  # TopK
        assert row["n_dense"] == sum(value > 0.5 for value in row["density_curve"])
        assert row["fvu_low"] <= row["fvu"] <= row["fvu_high"]
        assert (row["loss_without"] is None) == (row["kind"] not in ("bottleneck", "principal", "random"))
    assert config.out is not None
    folders = {load_sae(str(folder)).sha256 for folder in config.out.iterdir() if folder.is_dir()}
    assert folders == {row["sha256"] for row in found}


def test_a_comparison_goes_out_and_comes_in_unchanged(store: Engine, config: DesignsConfig, tmp_path: Path) -> None:
    found = export_comparison(store, 1)
    assert config.json is not None
    assert json.loads(config.json.read_text()) == json.loads(json.dumps(found))
    assert not import_comparison(store, found)  # it is there
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(config.db)) as source, closing(sqlite3.connect(other)) as target:
        source.backup(target)
    engine = make_engine(other)
    with Session(engine) as session, session.begin():
        session.execute(delete(DesignComparison))
        assert session.scalars(select(Design)).all() == []
    save(tmp_path / "l2.json.gz", found)
    assert take_folder(engine, tmp_path, FORMATS) == 1
    assert take_folder(engine, tmp_path, FORMATS) == 0
    with Session(engine) as session:
        number = session.scalars(select(DesignComparison.id)).one()
    assert export_comparison(engine, number) == found
    with pytest.raises(UserError, match=r"comparison .* expected a store with the SAE of SHA-256 abababab"):
        import_comparison(engine, found | {"sae_sha256": "ab" * 32})
    broken = json.loads(json.dumps(found).replace('"l0":', '"L0":'))
    for changed in (broken, found | {"designs": []}, found | {"comparison": {"key": "k"}}):
        with Session(engine) as session, session.begin():
            session.execute(delete(DesignComparison))
        save(tmp_path / "l2.json.gz", changed)
        with pytest.raises((BadFile, UserError), match=r"l2\.json\.gz"):
            take_folder(engine, tmp_path, FORMATS)
        with Session(engine) as session:
            assert session.scalars(select(DesignComparison)).all() == []
    with pytest.raises(UserError, match=r"comparison 99: expected one of the store; found none"):
        export_comparison(engine, 99)


def test_what_latents_follow_is_that_of_the_held_out_tokens(
    store: Engine, config: DesignsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokens that signals are divided on are those whose activations are cached; a word's own signal is the word's,
    and what nothing says is nobody's.
    """
    from analysis.interventions.activations import SplitText, filled
    from analysis.interventions.subject import open_subject

    monkeypatch.setattr(following, "DOCUMENTS", 2)
    subject = open_subject(config.db, "2", dtype="float32", device="cpu")
    text = SplitText(subject, subject.stored.context, 0.2)
    cache = filled(text, [HOOK_2], 300, Console(quiet=True), only_held_out=True)[HOOK_2]
    sample = following._sample(text, 300)
    x = torch.from_numpy(cache.rows(HOOK_2).astype("float32"))
    start = 0
    for batch in text.stream(300, only_held_out=True).batches():
        read = subject.model.read(batch.ids, batch.attention, [HOOK_2])[HOOK_2][batch.mask][: 300 - start]
        assert torch.equal(sample.token[start : start + len(read)], batch.ids[batch.mask][: len(read)])
        torch.testing.assert_close(x[start : start + len(read)], read, rtol=2e-3, atol=2e-3)
        start += len(read)
    assert start == 300 == len(sample.token)
    assert sample.context.max() + 1 == len(sample.document) == len(sample.group)
    given = following.followable(text, cache.rows(HOOK_2))
    assert given is not None
    assert torch.equal(given.x, x[given.design.rows])
    sae = load_sae(str(next(config.out.glob("*-bottleneck_2-seed1-*"))))  # type: ignore[union-attr]
    found = following.follows(given, sae, [0, 1, 2, 3])
    assert found["beside"]["signals"] == 2
    for held in found.values():
        assert set(held["added"]) == set(SOURCES)
        assert -1 < held["total"] < 1


def test_no_sentence_is_stored(store: Engine) -> None:
    assert sentences(store) == []


def test_losses_are_those_of_the_model_with_it_put_in(store: Engine, config: DesignsConfig) -> None:
    """One SAE with a bottleneck, the slow way: token by token, both parts written out."""
    from analysis.interventions.activations import SplitText
    from analysis.interventions.subject import open_subject

    (row,) = [row for row in rows(store) if (row["name"], row["seed"]) == ("bottleneck_2", 1)]
    assert config.out is not None
    (folder,) = config.out.glob("*-bottleneck_2-seed1-*")
    sae = load_sae(str(folder))
    subject = open_subject(config.db, "2", dtype="float32", device="cpu")
    text = SplitText(subject, subject.stored.context, 0.2)
    sums, count = dict.fromkeys(("loss_clean", "loss_spliced", "loss_zeroed", "loss_without"), 0.0), 0
    for batch in text.stream(200, only_held_out=True).batches():
        x = subject.model.read(batch.ids, batch.attention, [HOOK_2])[HOOK_2]
        rebuilt, rest = x.clone(), x.clone()
        for place in torch.nonzero(batch.mask).tolist():
            one = x[tuple(place)][None]
            rebuilt[tuple(place)] = sae.decode(sae.encode(one))[0]
            rest[tuple(place)] = sae.bottleneck.rest(one)[0]  # type: ignore[union-attr]
        zeroed = x * ~batch.mask[..., None]
        for name, value in zip(sums, (x, rebuilt, zeroed, rest), strict=True):
            losses = subject.model.token_losses(batch.ids, batch.attention, {HOOK_2: partial(_instead, value)})
            sums[name] += float(losses[batch.mask[:, 1:]].double().sum())
        count += int(batch.mask[:, 1:].sum())
    for name, total in sums.items():
        assert row[name] == pytest.approx(total / count, rel=1e-4)


def _instead(value: Tensor, _x: Tensor) -> Tensor:
    return value


def test_a_second_time_trains_nothing_and_leaves_one_comparison(store: Engine, config: DesignsConfig) -> None:
    before = [_numbers(row) for row in rows(store)]
    assert config.out is not None
    weights = {path: path.stat().st_mtime_ns for path in config.out.rglob("*.safetensors")}
    compare_designs(config, Console(quiet=True))
    assert {path: path.stat().st_mtime_ns for path in config.out.rglob("*.safetensors")} == weights
    with Session(store) as session:
        assert len(session.scalars(select(DesignComparison)).all()) == 1
    assert [_numbers(row) for row in rows(store)] == before


@pytest.mark.parametrize("where", ["training", "loss"])
def test_stopped_and_resumed_it_gives_the_same(
    store: Engine, config: DesignsConfig, base: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Ended after the first SAE, or the first SAE's loss; then the same command goes on."""
    again = replace(config, out=base / where, designs=["bottleneck"], seeds=1)
    done: list[str] = []

    def first_alone(real: Any) -> Any:
        def stopping(*arguments: Any) -> Any:
            if done:
                raise KeyboardInterrupt
            done.append(where)
            return real(*arguments)

        return stopping

    with monkeypatch.context() as patch:
        if where == "training":
            patch.setattr(command, "run_jobs", lambda jobs, *_rest: list(map(first_alone(run_job), jobs)))
        else:
            patch.setattr(Meter, "of_sae", first_alone(Meter.of_sae))
        with pytest.raises(KeyboardInterrupt):
            compare_designs(again, Console(quiet=True))
    (first,) = (base / where).glob("*-plain-seed0-*")
    weights = (first / "sae_weights.safetensors").stat().st_mtime_ns
    number = compare_designs(again, Console(quiet=True))
    assert (first / "sae_weights.safetensors").stat().st_mtime_ns == weights
    own = {row["name"]: _numbers(row) for row in rows(store, number)}
    assert set(own) == {"plain", "bottleneck_2", "bottleneck_2_counted"}
    assert own == {row["name"]: _numbers(row) for row in rows(store) if row["seed"] == 0 and row["name"] in own}


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("comparison_id", "place")}


def test_plans_are_at_equal_l0() -> None:
    config = DesignsConfig(sae="1", ranks=[40, 8], seeds=1, designs=["bottleneck", "raised", "lowered"])
    plans, left_out = plan_designs(config, Recipe("batchtopk", 80, 32, bottleneck=3, frequency_penalty=1.0), 0.1)
    assert {plan.name: (plan.recipe.k, plan.recipe.bottleneck) for plan in plans} == {
        "plain": (32, 0), "lowered_8": (24, 0), "raised_8": (40, 0), "raised_40": (72, 0), "bottleneck_8": (32, 8),
        "bottleneck_8_counted": (24, 8), "bottleneck_40": (32, 40),
    }  # fmt: skip
    assert left_out == ["bottleneck_40_counted", "lowered_40"]
    assert {plan.recipe.frequency_penalty for plan in plans} == {0.0}


def test_controls_may_have_fewer_seeds() -> None:
    config = DesignsConfig(sae="1", ranks=[8], seeds=3, control_seeds=1)
    plans, _left_out = plan_designs(config, Recipe("batchtopk", 80, 32), 0.1)
    seeds: dict[str, list[int]] = {}
    for plan in plans:
        seeds.setdefault(plan.name, []).append(plan.seed)
    assert {name for name, own in seeds.items() if own == [0, 1, 2]} == {
        "plain",
        "bottleneck_8",
        "bottleneck_8_counted",
    }
    assert {name for name, own in seeds.items() if own == [0]} == {
        "raised_8", "lowered_8", "principal_8", "random_8", "frequency", "abstopk",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "jumprelu"}, "--architecture jumprelu: expected one of batchtopk, topk, whose L0 is set"),
        ({"ranks": [32]}, "--rank 32: expected less than the 32 numbers of an activation"),
        ({"control_seeds": 3}, "--control-seeds 3: expected 1 to --seeds, 2"),
        ({"ranks": [0]}, "--rank 0: expected whole numbers from 1"),
        ({"designs": ["best"]}, "unknown design 'best'; choose one of plain, raised"),
    ],
)
def test_what_cannot_be_done_is_told(config: DesignsConfig, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        compare_designs(replace(config, **changes), Console(quiet=True))


def test_recovered_loss_is_a_ratio_of_sums() -> None:
    random = torch.Generator().manual_seed(0)
    targets = torch.randint(10, 20, (64,), generator=random).double()
    clean, zeroed = 2 * targets, 6 * targets
    spliced = targets * (2.4 + 0.1 * torch.randn(64, generator=random).double())
    found = loss_numbers(
        {"clean": clean.tolist(), "zeroed": zeroed.tolist(), "targets": targets.tolist()},
        {"spliced": spliced.tolist(), "targets": targets.tolist()},
    )
    assert found["loss_recovered"] == pytest.approx(float((zeroed - spliced).sum() / (zeroed - clean).sum()))
    low, high = found["loss_recovered_low"], found["loss_recovered_high"]
    assert low is not None
    assert high is not None
    assert 0.88 < low < 0.9 < high < 0.92
    assert found["loss_without"] is None


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The planted world's SAEs with and without a bottleneck, as a comparison of one seed."""
    world = DenseWorld(tmp_path_factory.mktemp("planted"))
    config = DesignsConfig(sae="1", ranks=[DENSE], seeds=1, designs=["bottleneck", "random"])
    plans, _left_out = plan_designs(config, world.recipe(), 0.15)
    trained = [Trained(plan, run_job(world.job(plan.name, plan.recipe)), world.folder / plan.name) for plan in plans]
    components = spread_of(world.training.rows(HOOK)).components(DENSE)
    assert principal_cosines(components, world.dense_basis()).min() > 0.98
    return compared(trained, components, 0.99)


def test_a_planted_dense_signal_goes_through_the_bottleneck_and_no_random_one(planted: Comparison) -> None:
    dense = {name: means["n_dense"] for name, means in planted.summary["designs"].items()}
    assert dense["plain"]["mean"] >= 2 * DENSE
    assert dense["plain"]["of"] == "documents"
    assert dense[f"bottleneck_{DENSE}"]["mean"] == 0
    assert dense[f"random_{DENSE}"]["mean"] >= 2 * DENSE
    less = planted.summary["less_plain"][f"bottleneck_{DENSE}"]
    assert less["fvu"]["mean"] < 0
    assert less["n_dense"] == {"mean": -dense["plain"]["mean"], "low": None, "high": None, "seeds": 1}


def test_the_bottleneck_holds_what_was_the_dense_span(planted: Comparison) -> None:
    for name in (f"bottleneck_{DENSE}", f"bottleneck_{DENSE}_counted"):
        found = planted.summary["bottlenecks"][name]
        assert found["dense"][0] > 0.9
        assert found["components"][0] > 0.98
        assert found["chance"] == DENSE / 64
    assert json.dumps(planted.summary)


def test_every_design_has_its_words() -> None:
    assert set(DESIGNS) == {"plain", "raised", "lowered", "bottleneck", "principal", "random", "frequency", "abstopk"}
