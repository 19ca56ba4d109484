"""Suites: SAEs analysed one by one, by processes at once or on machines apart, end as those of one run do."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.reading.demo_parts import demo_saes
from analysis.run.analyze import analyze
from analysis.run.chaining import chain_suite
from analysis.verdict import judge_analysis
from app.commands.merge import merge_stores
from app.main import create_app
from app.settings import Settings
from store.digest import suite_digest
from store.session import make_engine
from store.tables import Analysis, Chain, Run, Sae
from tests.analysis.conftest import Parts, _sae
from tests.analysis.run.jobs import Worker
from tests.multiply_store import copy_store
from tests.root import ROOT

QUIET = Console(quiet=True)
LAYERS = (0, 1, 2)


@pytest.fixture(scope="module")
def three(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """An SAE on each layer of the tiny model."""
    base = tmp_path_factory.mktemp("three")
    return replace(parts, saes=[_sae(base / f"sae-{layer}", layer) for layer in LAYERS])


@pytest.fixture(scope="module")
def at_once(three: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one run of all SAEs."""
    db = tmp_path_factory.mktemp("once") / "run.db"
    analyze(three.config(db, tokens=3000), QUIET)
    return db


@pytest.fixture(scope="module")
def apart(three: Parts, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A store an SAE, as machines have them that know nothing of each other."""
    folder = tmp_path_factory.mktemp("apart")
    made = [folder / f"{layer}.db" for layer in LAYERS]
    for db, sae in zip(made, three.saes, strict=True):
        analyze(three.config(db, tokens=3000, saes=[str(sae)]), QUIET)
    return made


def merged(into: Path, *others: Path) -> Path:
    """The others, taken into a store one after the other."""
    for other in others:
        merge_stores(str(other), str(into), chain_suite, judge_analysis)
    return into


def only_suite(db: Path | str) -> str:
    """The digest of the one suite of a store."""
    engine = make_engine(db, read_only=True)
    with Session(engine) as session:
        (suite,) = set(session.scalars(select(Run.suite)))
        assert set(session.scalars(select(Run.status))) == {"complete"}
        assert set(session.scalars(select(Run.writer))) == {None}
    found = suite_digest(engine, suite)
    engine.dispose()
    return found


def pages(db: Path) -> dict[str, str]:
    """What a store's pages say, but for ids and times of runs."""
    client = TestClient(create_app(Settings(db=str(db))), base_url="http://127.0.0.1")
    saes = client.get("/api/v1/saes").json()
    dense = [
        f"/saes/{sae['slug']}/latents/{one['index']}/parts/all"
        for sae in saes
        for one in client.get(f"/api/v1/saes/{sae['slug']}/latents?limit=3").json()["items"]
    ]
    addresses = ["/", "/layers", "/latents", "/latents?dense=any&sort=max", "/labels", "/report", *dense]
    return {address: _said(client.get(address).raise_for_status().text) for address in addresses}


def _said(html: str) -> str:
    html = re.split(r"</main>|<section class=\"card\">\s*<header><h2>Runs in this store", html)[0].rstrip()
    html = re.sub(r"<t[hd][^>]*>runs?</t[hd]>.*?</tr>|<dt>runs?</dt>.*?</dd>", "", html, flags=re.DOTALL)
    html = re.sub(r">(run|suite)<.{,200}?[0-9a-f]{64}", "", html, flags=re.DOTALL)
    return re.sub(r"Report of runs? .*?<|, runs? [^<]* UTC<|--run \d+|cursor=\w+", "", html)


@pytest.mark.long  # Ray begins anew, or many processes do
def test_processes_at_once_end_as_one_run_does(three: Parts, at_once: Path, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    more = ("--tokens", "3000", "--contexts", "8")
    workers = [
        Worker(tmp_path / "cache", replace(three, saes=[sae]).arguments(db, *more))
        for sae in three.saes
    ]  # fmt: skip
    for worker in workers:
        status, said = worker.ends()
        assert status == 0, said
    whole = tmp_path / "whole.db"
    status, said = Worker(tmp_path / "cache", three.arguments(whole, *more)).ends()
    assert status == 0, said
    assert only_suite(db) == only_suite(whole)
    assert pages(db) == pages(whole)
    engine = make_engine(db, read_only=True)
    with Session(engine) as session:
        assert len(session.scalars(select(Run.id)).all()) == len(LAYERS)
    engine.dispose()


def test_stores_merged_in_any_order_end_as_one_run_does(at_once: Path, apart: list[Path], tmp_path: Path) -> None:
    first = merged(tmp_path / "new.db", *apart)
    other = tmp_path / "there.db"
    copy_store(apart[1], other)
    merged(other, apart[2], apart[0])
    assert only_suite(first) == only_suite(other) == only_suite(at_once)
    assert pages(first) == pages(other) == pages(at_once)


def test_twice_is_once(apart: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = merged(tmp_path / "new.db", *apart)
    before = db.read_bytes(), only_suite(db)
    capsys.readouterr()
    merged(db, *apart)
    said = capsys.readouterr().out
    assert said.count("new are 0 runs, 0 SAEs, 0 interventions, 0 experiments, 0 comparisons, 0 versions") == 3
    assert said.count("1 run of") == 3
    assert only_suite(db) == before[1]


def test_postgresql_takes_them_too(apart: list[Path], at_once: Path, postgres_db: str) -> None:
    for _again in range(2):
        for other in apart:
            merge_stores(str(other), postgres_db, chain_suite, judge_analysis)
    assert only_suite(postgres_db) == only_suite(at_once)


def test_a_layer_added_between_two_becomes_the_neighbour_of_both(three: Parts, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    for layers in ((0, 2), (1,)):
        analyze(three.config(db, tokens=3000, saes=[str(three.saes[layer]) for layer in layers]), QUIET)
        ways = neighbours(db)
        if layers == (0, 2):
            assert ways == {(0, "next", 2), (2, "previous", 0)}
    assert ways == {(0, "next", 1), (1, "next", 2), (2, "previous", 1), (1, "previous", 0)}


def neighbours(db: Path) -> set[tuple[int, str, int]]:
    """Layer, side, layer of all chains."""
    engine = make_engine(db, read_only=True)
    with Session(engine) as session:
        layers = dict(session.execute(select(Analysis.id, Sae.layer).join(Sae, Sae.id == Analysis.sae_id)).all())
        found = session.execute(select(Chain.analysis_id, Chain.side, Chain.other_analysis_id).distinct()).all()
    engine.dispose()
    return {(layers[one], side, layers[other]) for one, side, other in found}


def test_an_sae_analysed_again_is_shown_as_it_was_last(three: Parts, at_once: Path, tmp_path: Path) -> None:
    """--detail keeps more of a latent: the same suite, in which this analysis takes the other's place."""
    db = tmp_path / "run.db"
    copy_store(at_once, db)
    client = TestClient(create_app(Settings(db=str(db))), base_url="http://127.0.0.1")
    before = client.get("/api/v1/runs").json()[0]
    control = next(
        index
        for index in range(24)
        if client.get(f"/api/v1/saes/tiny-llama/l1-resid/latents/{index}").json()["detail"] is None
    )
    analyze(three.config(db, tokens=3000, saes=[str(three.saes[1])], detail={1: [control]}), QUIET)
    (suite,) = client.get("/api/v1/suites").json()
    assert (suite["n_saes"], suite["runs"]) == (3, [2, 1])
    found = client.get(f"/api/v1/saes/tiny-llama/l1-resid/latents/{control}").json()
    assert (found["detail"], found["run"]) == ("asked", 2)
    pinned = client.get(f"/api/v1/saes/tiny-llama/l1-resid/latents/{control}?run=1").json()
    assert (pinned["detail"], pinned["run"]) == (None, 1)
    assert client.get("/api/v1/saes/tiny-llama/l0-resid/latents/0").json()["run"] == 1
    assert client.get("/?run=1").text.count("run 1 of") == 1
    assert client.get(f"/?suite={suite['name']}").text.count("runs 1–2 of") == 1
    chains = client.get("/api/v1/saes/tiny-llama/l0-resid/latents/0?run=1").json()["chains"]
    assert [one["sae"] for one in chains] == ["tiny-llama/l1-resid"]
    assert before["suite"] == suite["key"]


@pytest.mark.long
def test_the_demos_seven_saes_in_seven_processes_and_seven_stores(tmp_path: Path) -> None:
    saes = demo_saes()

    def command(db: Path, *of: Path) -> list[str]:
        named = [word for sae in of for word in ("--sae", str(sae))]
        return [sys.executable, "-m", "dense_latents", "analyze", "--tokens", "4000", *named, "--db", str(db)]

    subprocess.run(command(tmp_path / "one.db", *saes), cwd=ROOT, check=True)
    going = [subprocess.Popen(command(tmp_path / "seven.db", sae), cwd=ROOT) for sae in saes]
    assert [one.wait() for one in going] == [0] * len(saes)
    for sae in saes:
        subprocess.run(command(tmp_path / f"{sae.name}.db", sae), cwd=ROOT, check=True)
    merged(tmp_path / "merged.db", *(tmp_path / f"{sae.name}.db" for sae in saes))
    names = ("one.db", "seven.db", "merged.db")
    assert len({only_suite(tmp_path / name) for name in names}) == 1
    first, *others = (pages(tmp_path / name) for name in names)
    assert all(other == first for other in others)
