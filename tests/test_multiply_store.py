"""A multiplied store is a store: sound, as large as asked, and every page and list of it answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from app.main import create_app
from app.settings import Settings
from store.session import make_engine, session_factory
from store.tables import Analysis, Annotation, Example, Latent, Pair, Profile, Sae, SearchText
from tests.app.servers import all_routes
from tests.app.world import WIDTH, build
from tests.multiply_store import check, multiply
from tests.scale import addresses, known

BLOCKS, WHOLE = 10, 3


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(build(tmp_path_factory.mktemp("small") / "world.db"))


@pytest.fixture(scope="module")
def large(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("large") / "large.db"
    assert multiply(small, made, 4 * WIDTH * BLOCKS, WHOLE) == 4 * WIDTH * BLOCKS
    return made


def _counts(store: Path) -> dict[str, int]:
    engine = make_engine(store, read_only=True)
    with session_factory(engine)() as session:
        tables = (Latent, Profile, Example, Pair, SearchText, Annotation)
        found = {table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}
        found["dense"] = session.scalar(select(func.count()).where(Latent.is_dense)) or 0
        found["n_dense"] = session.scalar(select(func.sum(Analysis.n_dense))) or 0
        found["curve"] = sum(len(curve) for curve in session.scalars(select(Analysis.density_curve)))
        found["sae"] = session.scalar(select(func.max(Sae.n_latents))) or 0
    engine.dispose()
    return found


def test_all_latents_are_multiplied_and_dense_ones_as_often_as_asked(small: Path, large: Path) -> None:
    before, after = _counts(small), _counts(large)
    assert after["latent"] == after["curve"] == BLOCKS * before["latent"]
    assert after["sae"] == BLOCKS * before["sae"]
    for table in ("dense", "example", "pair"):
        assert after[table] == WHOLE * before[table], table
    assert after["n_dense"] == after["dense"]
    assert after["profile"] > WHOLE * before["profile"]  # all latents have token lists
    assert after["search_text"] > WHOLE * before["search_text"]
    assert after["annotation"] >= WHOLE


def test_a_latent_of_a_further_block_has_what_the_first_has(large: Path) -> None:
    client = TestClient(create_app(Settings(db=str(large))), base_url="http://127.0.0.1")
    first, third = (client.get(f"/api/v1/saes/tiny/l2-resid/latents/{n}").json() for n in (0, 2 * WIDTH))
    assert third["partner"] == first["partner"] + 2 * WIDTH
    same = ("density", "promoted", "histogram", "scores", "labels", "verdict")
    assert {name: first.get(name) for name in same} == {name: third.get(name) for name in same}
    assert len(first["examples"]) == len(third["examples"]) > 0
    assert first["examples"][0]["tokens"] != third["examples"][0]["tokens"]  # another context


def test_every_page_and_list_of_it_answers(large: Path) -> None:
    application = create_app(Settings(db=str(large)))
    client = TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False)
    asked, empty = addresses(all_routes(application), known(lambda address: client.get(address).text))
    assert empty == ["/neuronpedia/{model}/{sae}/{index}"]
    each = {address.split("?")[0]: address for address in asked}.values()  # what lists may be asked, others test
    assert len(each) > 30
    answers = {address: client.get(address, follow_redirects=False).status_code for address in each}
    assert {address: status for address, status in answers.items() if status not in {200, 303}} == {}


def test_an_unsound_store_is_told_from_a_sound_one(small: Path, large: Path) -> None:
    check(large)
    engine = make_engine(large)
    with session_factory(engine)() as session:
        session.delete(session.get_one(Latent, (10, WIDTH * BLOCKS - 1)))
        session.commit()
    engine.dispose()
    with pytest.raises(ValueError, match="another number of latents"):
        check(large)


def test_what_cannot_be_done_is_refused(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fewer"):
        multiply(small, tmp_path / "less.db", 10)
    with pytest.raises(ValueError, match="there already"):
        multiply(small, small, 10_000)
