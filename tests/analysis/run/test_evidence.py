"""From text to what is said: rows of classes, chains and labels of a whole run with a tiny model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from analysis.calibration.calibrate import rates
from analysis.classes import CLASSES
from analysis.config import AnalyzeConfig, parse_cuts
from analysis.decomposition.decompose import OWN
from analysis.errors import UserError
from analysis.process.checkpoint import Checkpoints
from analysis.reading.tags import Tags
from analysis.run import pipeline
from analysis.run.analyze import analyze
from analysis.run.evidence import Lenses, Total, evidence_of, remainder, sampled
from analysis.statistics import contexts
from app.classes.sentences import score_said
from store.digest import digest
from store.session import make_engine
from store.tables import Analysis, Association, Chain, Label, Latent, Pair, Profile, Run, Sae, Score, Statistic
from store.vocabulary import NO_CLASS
from tests.analysis.conftest import Parts
from tests.stored_words import is_sentence, sentences

QUIET = Console(quiet=True)
NAMES = [each.statistic.name for each in CLASSES]


@pytest.fixture(scope="module")
def store(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    base = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_LATENTS_CACHE", str(base / "cache"))
        analyze(parts.config(base / "run.db"), QUIET)
    return make_engine(base / "run.db")


def test_no_sentence_is_stored(store: Engine) -> None:
    """What the worker says, it says in codes with numbers."""
    assert sentences(store) == []
    with Session(store) as session:
        reasons = [one for held in session.scalars(select(Latent.reasons)) for one in held.values()]
        statements = list(session.scalars(select(Association.statement)))
        refused = [one for one in session.scalars(select(Label.reason)) if one is not None]
    for held in (reasons, statements, refused):
        assert held
        assert all(one["code"] != "text" for one in held), "that is for stores of before"


def test_a_stored_sentence_would_be_found() -> None:
    assert not any(map(is_sentence, ("words_or_position", "sd", "standard deviations of document means")))
    assert is_sentence("Differs.")
    assert is_sentence("the signal is the same in all these documents")


def everything(store: Engine, table: type) -> list[Any]:
    with Session(store) as session:
        return list(session.scalars(select(table)))


def test_every_latent_with_detail_has_every_class_and_the_mixture(store: Engine) -> None:
    with Session(store) as session:
        detailed = set(session.execute(select(Latent.analysis_id, Latent.index).where(Latent.detail.is_not(None))))
    for name in (*NAMES, *NO_CLASS):
        rows = [row for row in everything(store, Score) if row.name == name]
        assert {(row.analysis_id, row.index) for row in rows} == {tuple(key) for key in detailed}


def test_every_row_has_a_label_a_sentence_and_finite_numbers(store: Engine) -> None:
    for row in everything(store, Score):
        known = (
            ("sum", "aggregate", "own", "unmeasured")
            if row.name == "mixture"
            else ("yes", "likely", "no", "unmeasured")
        )
        assert row.label in known
        assert score_said(row.name, row.statement).endswith(".")
        assert "unknown" not in score_said(row.name, row.statement)
        json.dumps(row.data, allow_nan=False)
        if row.label not in ("unmeasured",) and row.name not in NO_CLASS:
            assert row.score is not None
            assert row.cut is not None
            assert math.isfinite(row.score)


def test_unexplained_is_where_no_class_holds_and_little_is_followed(store: Engine) -> None:
    rows = everything(store, Score)
    holding = {(row.analysis_id, row.index) for row in rows if row.name in NAMES and row.label in ("yes", "likely")}
    with Session(store) as session:
        divided = session.execute(select(Latent.analysis_id, Latent.index, Latent.followed)).all()
    followed = {(analysis_id, index): share or 0 for analysis_id, index, share in divided}
    for row in rows:
        key = row.analysis_id, row.index
        if row.name == "unexplained":
            assert (row.label == "no") == (key in holding or followed[key] >= 0.2)
        if row.name == "partly_followed":
            assert (row.label == "yes") == (key not in holding and followed[key] >= 0.2)


def test_what_is_left_without_a_class() -> None:
    from analysis.classes.base import Finding

    def left(findings: dict[str, Finding], followed: float) -> list[str]:
        found = remainder(findings, Total(followed, 0.25))
        return [found["unexplained"].label, found["partly_followed"].label]

    some = {name: Finding("no", {}) for name in NAMES}
    some["position"] = Finding("unmeasured", {})
    assert left(some, 0.1) == ["yes", "no"]
    assert left(some, 0.3) == ["no", "yes"]
    assert left(some, math.nan) == ["yes", "unmeasured"]
    held = {"classes": len(NAMES), "missing": ["position"], "share": None, "random": 0.25}
    assert remainder(some, Total(math.nan, 0.25))["unexplained"].statement == {"code": "none", **held}
    few = some | {name: Finding("unmeasured", {}) for name in NAMES[: len(NAMES) // 2]}
    assert left(few, 0.3) == ["unmeasured", "unmeasured"]
    some["null_space"] = Finding("likely", {})
    assert left(some, 0.3) == ["no", "no"]


def test_chains_lead_to_latents_with_detail_of_the_other_layer(store: Engine) -> None:
    with Session(store) as session:
        layers = dict(session.execute(select(Analysis.id, Sae.layer).join(Sae, Sae.id == Analysis.sae_id)).all())
        chains = session.scalars(select(Chain)).all()
        assert chains
        for chain in chains:
            step = layers[chain.other_analysis_id] - layers[chain.analysis_id]
            assert step > 0 if chain.side == "next" else step < 0
            assert abs(chain.correlation) <= 1
            other = session.get_one(Latent, (chain.other_analysis_id, chain.other))
            assert other.detail is not None


def test_columns_of_the_corpus_are_labels(store: Engine) -> None:
    labels = {row.name: row for row in everything(store, Label)}
    assert labels["year"].kind == "number"
    assert labels["year"].reason is None
    assert labels["title"].reason is not None, "every document has its own"
    rows = everything(store, Association)
    assert {row.label_id for row in rows} == {labels["year"].id}
    with Session(store) as session:
        detailed = session.scalars(select(Latent.index).where(Latent.detail.is_not(None))).all()
    assert len(rows) == len(detailed)
    assert all(row.verdict == "no" or row.q < 0.05 for row in rows)


def test_everything_that_is_said_is_declared(store: Engine) -> None:
    declared = {row.name: row for row in everything(store, Statistic)}
    for name in (*NAMES, *NO_CLASS):
        assert declared[name].kind == "class"
        assert declared[name].of == "class"
    assert declared["chain"].of == "latent"


def test_cuts_are_stored_with_the_run(store: Engine) -> None:
    (run,) = everything(store, Run)
    assert run.settings["cuts"]["position_rho"] == 0.4
    assert run.settings["classes"] is True


def test_without_classes_there_are_none_and_it_is_another_run(parts: Parts, store: Engine, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
        analyze(parts.config(tmp_path / "run.db", classes=False), QUIET)
    plain = make_engine(tmp_path / "run.db")
    for table in (Score, Chain, Label, Association):
        assert everything(plain, table) == []
    assert everything(plain, Run)[0].key != everything(store, Run)[0].key


def test_the_same_run_again_says_the_same(parts: Parts, store: Engine, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
        analyze(parts.config(tmp_path / "run.db"), QUIET)
    assert digest(make_engine(tmp_path / "run.db"), 1) == digest(store, 1)


def test_cuts_by_name() -> None:
    assert parse_cuts(["position_rho=0.3", "documents=32"]) == {"position_rho": 0.3, "documents": 32}
    for text, said in (("rho=1", "unknown cut 'rho'"), ("q=", "expected q=NUMBER"), ("q=-1", "above 0")):
        with pytest.raises(UserError, match=said):
            parse_cuts([text])


def test_further_random_directions_see_a_part_of_the_sample_with_its_tags(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contexts, "CROWD_TOKENS", 1000)
    reading = pipeline.prepare(parts.config(tmp_path / "none.db", chance_directions=80))
    run = pipeline.Run(reading, Checkpoints(tmp_path, "crowd"))
    run.stream(lambda _tokens: None)
    panel = run.panels[0]
    signals = sampled(panel)
    tags = Tags(torch.arange(len(signals.values)), "numbers")
    found = evidence_of(reading.model, panel, signals, tags, Lenses(reading.model).of(panel), reading.config.cuts, None)
    crowd = found.chance
    assert crowd is found.crowd
    assert crowd.signals.values.shape[1] == 80
    assert 800 < len(crowd.signals.values) <= 1000 < len(found.signals.values)
    assert len(crowd.tags.values) == len(crowd.signals.values)
    whole, part = signals.sample, crowd.signals.sample
    for name in ("token", "column", "begin"):
        assert torch.equal(getattr(whole, name)[crowd.tags.values], getattr(part, name))
    assert torch.equal(whole.document[whole.context[crowd.tags.values]], part.document[part.context])
    both = panel.plan.random @ crowd.signals.directions.T
    assert float(both.abs().max()) < 0.999


def test_calibration_counts_random_directions_and_sparse_latents(parts: Parts, tmp_path: Path) -> None:
    found = rates(parts.config(tmp_path / "none.db", controls=6), 24, QUIET)
    assert set(found["classes"]) == set(NAMES)
    for groups in found["classes"].values():
        assert groups["random"]["tried"] + groups["random"]["unmeasured"] == 24 * 2
        assert groups["control"]["tried"] + groups["control"]["unmeasured"] <= 12
    assert found["classes"]["position"]["random"]["labelled"] == 0
    assert not (tmp_path / "none.db").exists()


def test_pairs_are_divided_as_one_signal(store: Engine) -> None:
    with Session(store) as session:
        found = session.scalars(select(Profile).where(Profile.name.like("follows_with_%"))).all()
        pairs = session.execute(select(Pair.analysis_id, Pair.positive, Pair.negative)).all()
    named = {(row.analysis_id, frozenset((row.index, int(row.name.split("_")[-1])))) for row in found}
    assert named
    assert named <= {(analysis, frozenset((one, other))) for analysis, one, other in pairs}
    for row in found:
        assert set(row.data) == {"z", "axis"}
        for part in row.data.values():
            assert part["total"][0] <= 1
            assert sum(one["added"][0] for one in part["sources"]) == pytest.approx(part["total"][0], abs=1e-3)


def test_each_sae_has_a_map_of_its_dense_latents(store: Engine) -> None:
    """One place each, and one for each mirror image of one: the ends of a pair opposite each other."""
    with Session(store) as session:
        for analysis in session.scalars(select(Analysis)):
            mine = select(Latent.index).where(Latent.analysis_id == analysis.id)
            dense = set(session.scalars(mine.where(Latent.is_dense)))
            ends = session.scalars(select(Pair).where(Pair.analysis_id == analysis.id, Pair.is_pair)).all()
            pairs = [{pair.positive, pair.negative} for pair in ends if {pair.positive, pair.negative} & dense]
            held = analysis.summary["map"]
            places = {index: torch.tensor([x, y]) for index, x, y in held["latents"]}
            assert set(places) == dense.union(*pairs)
            assert 0 < held["share"] <= 1
            for one, other in pairs:
                near = min(float(places[one].norm()), float(places[other].norm()))
                assert float(places[one] @ places[other]) < 0 or near < 0.2
        assert session.scalars(select(Analysis)).first()


def test_what_latents_follow_is_stored_with_their_shares(store: Engine) -> None:
    with Session(store) as session:
        rows = session.scalars(select(Profile).where(Profile.name == "follows")).all()
        assert rows
        for row in rows:
            latent = session.get_one(Latent, (row.analysis_id, row.index))
            added = {one["name"]: one["added"][0] for one in row.data["sources"]}
            assert latent.word_share == pytest.approx(added["word"], abs=1e-3)
            assert latent.past_share == pytest.approx(sum(added[name] for name in OWN), abs=1e-3)
            assert latent.followed == pytest.approx(row.data["total"][0], abs=1e-3)
            assert sum(added.values()) == pytest.approx(row.data["total"][0], abs=1e-3)
            assert latent.detail is not None
        for analysis in session.scalars(select(Analysis)):
            held = analysis.summary["follows"]
            assert set(held) == {"dense", "control", "random"}
            assert held["random"]["latents"] == AnalyzeConfig(saes=["any"]).random_directions
