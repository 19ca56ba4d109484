"""`steer` from end to end: a store, a model and texts on disk; what it writes, interrupted, repeated, added to."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.interventions.steer import rows as steer_rows
from analysis.interventions.steer.command import steer
from analysis.interventions.steer.config import SteerConfig, parse_pairs
from app.classes.sentences import score_said
from app.interventions.sentences import steering_said
from store.session import make_engine
from store.tables import Intervention, Score, Steering
from tests.analysis.interventions.steer_world import BOUND, Store, planted_store
from tests.stored_words import sentences

torch.set_num_threads(1)
QUIET = Console(quiet=True)
KEPT = [column.name for column in Steering.__table__.columns if column.name != "intervention_id"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return planted_store(tmp_path_factory.mktemp("steer"))


@pytest.fixture
def db(planted: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A copy of the store, and a cache of its own."""
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    return planted.copy(tmp_path / "run.db")


@pytest.fixture(scope="module")
def whole(planted: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], dict[str, Any]]:
    """What the store says after a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    copy = planted.copy(folder / "run.db")
    os.environ["DENSE_LATENTS_CACHE"] = str(folder / "cache")
    try:
        steer(asked(copy), QUIET)
        assert sentences(make_engine(copy), "intervention", "steering") == []
    finally:
        del os.environ["DENSE_LATENTS_CACHE"]
    return steered(copy)


def asked(db: str, **more: Any) -> SteerConfig:
    wanted: dict[str, Any] = {"sae": "0", "db": db, "length": 12, "examples": 1, "device": "cpu"}
    return SteerConfig(**(wanted | more))


def steered(db: str) -> dict[tuple[int, int], dict[str, Any]]:
    with Session(make_engine(db, read_only=True)) as session:
        rows = session.query(Steering).all()
        return {(row.positive, row.negative): {name: getattr(row, name) for name in KEPT} for row in rows}


def scores(db: str, name: str) -> dict[int, Score]:
    with Session(make_engine(db, read_only=True)) as session:
        return {row.index: row for row in session.query(Score).filter(Score.name == name)}


class Stopping(Console):
    """Sends Ctrl-C when the first signal is done."""

    def print(self, *objects: Any, **options: Any) -> None:
        if str(objects[0]).startswith("0:1: "):
            os.kill(os.getpid(), signal.SIGINT)


class Locking(Console):
    """Takes the writer's lock of the store when the first signal is done."""

    def __init__(self, db: str) -> None:
        super().__init__(quiet=True)
        self.other = make_engine(db).connect()

    def print(self, *objects: Any, **options: Any) -> None:
        if str(objects[0]).startswith("0:1: "):
            self.other.execute(text("SELECT 1"))  # a writer's connection begins with the lock


class Heard(Console):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.said: list[str] = []

    def print(self, *objects: Any, **options: Any) -> None:
        self.said += [str(each) for each in objects]


def test_the_direction_that_moves_text_is_told_from_the_one_that_does_not(db: str) -> None:
    heard = Heard()
    steer(asked(db), heard)
    found = steered(db)
    assert {pair: row["label"] for pair, row in found.items()} == {(0, 1): "yes", (2, 3): "no"}
    kind = found[0, 1]
    assert kind["flips"] > 0.9
    assert kind["flips_low"] > max(kind["random"], kind["sparse"], kind["swapped"])
    assert kind["dose"] == 1
    assert kind["pairs"] == 12
    assert steering_said(kind["statement"]).startswith(
        "Pushed to one side of this signal and to the other (by 1 standard deviation)"
    )
    refused = [dose["refused"] for dose in kind["data"]["doses"]]
    assert (refused[0], refused[-1]) == (False, True)
    assert set(kind["data"]["examples"][0]) == {"prefix", "minus", "zero", "plus"}
    assert found[2, 3]["flips"] < 0.4
    with Session(make_engine(db, read_only=True)) as session:
        (row,) = session.query(Intervention).all()
        assert (row.kind, row.analysis_id) == ("steer", 1)
        assert row.tokens == sum(each["data"]["predictions"] for each in found.values())
        assert row.summary["unread_documents"] > 10
        assert row.summary["clean_loss"] > 0
        assert row.settings["cut"] == 0.75
        assert "db" not in row.settings
    said = "\n".join(heard.said)
    assert "4 latents may be context binding; steering along 0:1, 2:3" in said
    assert "2 signals, 24 pairs of texts each: up to" in said
    assert "min at" in said


def test_it_completes_context_binding_and_what_is_unexplained(db: str) -> None:
    steer(asked(db), QUIET)
    binding, rest = scores(db, "context_binding"), scores(db, "unexplained")
    assert [binding[index].label for index in range(4)] == ["yes", "yes", "no", "no"]
    for index in range(4):
        told = score_said("context_binding", binding[index].statement)
        assert told.startswith("Stays on one side for 20 tokens")
        assert "across documents they do not (0.50). Pushed to" in told
        assert "not measured yet" not in told
        assert binding[index].data["half_life"] == 40.0, "parts A and B are as they were"
        assert binding[index].data["steering"]["before"] == {"label": "likely", "statement": BOUND}
    assert [rest[index].label for index in range(4)] == ["no", "no", "yes", "yes"]


def test_other_labels_stay_with_the_numbers_beside_them(db: str) -> None:
    with Session(make_engine(db)) as session, session.begin():
        for index, label in ((0, "no"), (1, "unmeasured")):
            row = session.get_one(Score, (1, index, "context_binding"))
            row.label, row.statement = label, {"code": "text", "text": "As it was."}
    steer(asked(db, pairs=[(1, 0)]), QUIET)
    binding, rest = scores(db, "context_binding"), scores(db, "unexplained")
    for index, label in ((0, "no"), (1, "unmeasured")):
        assert (binding[index].label, binding[index].statement) == (label, {"code": "text", "text": "As it was."})
        assert binding[index].data["steering"]["label"] == "yes"
        assert binding[index].data["steering"]["flips"] > 0.9
        assert rest[index].statement == {"code": "text", "text": "No unexplained."}
    assert "steering" not in binding[2].data
    assert list(steered(db)) == [(0, 1)]


def test_interrupted_it_goes_on_to_the_same_rows(db: str, whole: dict[tuple[int, int], dict[str, Any]]) -> None:
    with pytest.raises(KeyboardInterrupt):
        steer(asked(db), Stopping(quiet=True))
    assert steered(db) == {}, "nothing is stored by halves"
    heard = Heard()
    steer(asked(db), heard)
    assert "going on after 1 of 2 signals" in heard.said
    assert steered(db) == whole


def test_a_store_that_is_locked_costs_no_measurement(
    db: str, whole: dict[tuple[int, int], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steer_rows, "_PATIENCE_MS", 50)
    locking = Locking(db)
    with pytest.raises(UserError, match=r"cannot be written.*what was measured is kept"):
        steer(asked(db), locking)
    locking.other.close()
    heard = Heard()
    steer(asked(db), heard)
    assert "going on after 2 of 2 signals" in heard.said
    assert not any("tokens/s" in each for each in heard.said), "no text was read again"
    assert steered(db) == whole


def test_the_same_again_measures_nothing(db: str, whole: dict[tuple[int, int], dict[str, Any]]) -> None:
    steer(asked(db), QUIET)
    heard = Heard()
    assert steer(asked(db), heard) == []
    assert "measured before, with the same settings: 0:1, 2:3" in heard.said
    assert steered(db) == whole


def test_a_signal_by_itself_comes_out_as_among_others(db: str, whole: dict[tuple[int, int], dict[str, Any]]) -> None:
    """And is put beside those that were measured the same way."""
    steer(asked(db, pairs=[(2, 3)]), QUIET)
    assert steered(db) == {(2, 3): whole[2, 3]}
    steer(asked(db, pairs=[(0, 1)]), QUIET)
    assert steered(db) == whole
    with Session(make_engine(db, read_only=True)) as session:
        assert session.query(Intervention).one().tokens == sum(row["data"]["predictions"] for row in whole.values())


def test_other_settings_take_the_place_of_all_that_was_said(db: str) -> None:
    steer(asked(db), QUIET)
    steer(asked(db, pairs=[(2, 3)], seed=1), QUIET)
    assert list(steered(db)) == [(2, 3)]
    binding, rest = scores(db, "context_binding"), scores(db, "unexplained")
    assert [binding[index].label for index in range(4)] == ["likely", "likely", "no", "no"]
    assert (binding[0].statement, binding[0].data) == (BOUND, {"half_life": 40.0})
    assert binding[2].data["steering"]["before"]["label"] == "likely", "what steering said is no part A or B"
    assert [rest[index].label for index in range(4)] == ["no", "no", "yes", "yes"]


def test_a_latent_without_a_mirror_image(db: str) -> None:
    heard = Heard()
    steer(asked(db, latents=[5, 0]), heard)
    found = steered(db)
    assert set(found) == {(5, 5), (0, 1)}, "a latent of a pair stands for its pair"
    assert found[5, 5]["label"] == "no"
    assert found[5, 5]["data"]["examples"] == []
    assert 5 not in {control["latent"] for control in found[5, 5]["data"]["controls"]}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"pairs": [(0, 2)]}, "--pair 0:2: expected an antipodal pair of .*; it has 0:1, 2:3"),
        ({"latents": [12]}, "--latent 12: expected a latent of .*, which has 0 to 11"),
        ({"sae": "3"}, "--sae 3: is no SAE of run 1"),
        ({"length": 40}, "--length 40: expected at most 21"),
    ],
)
def test_what_cannot_be_is_refused(db: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        steer(asked(db, **more), QUIET)
    assert steered(db) == {}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"texts": 14}, "--texts 14: expected at least 16"),
        ({"texts": 17}, "--texts 17: expected an even number"),
        ({"controls": 0}, "--controls 0: expected at least 1"),
    ],
)
def test_options_that_cannot_be_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        asked("x", **more)


def test_pairs_as_people_write_them() -> None:
    assert parse_pairs(["591:1042", "2:3"]) == [(591, 1042), (2, 3)]
    with pytest.raises(UserError, match="--pair 591: expected POS:NEG"):
        parse_pairs(["591"])


def test_the_command_line_and_its_help() -> None:
    import typer
    from typer.testing import CliRunner

    from analysis.commands.cli import COMMANDS

    app = typer.Typer()
    app.command("steer")(COMMANDS["steer"])
    app.command("other")(lambda: None)
    found = CliRunner().invoke(app, ["steer", "--help"])
    assert found.exit_code == 0
    for option in ("--sae", "--pair", "--latent", "--texts", "--controls", "--limit"):
        assert option in found.output
