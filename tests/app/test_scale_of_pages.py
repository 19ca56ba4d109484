"""No page and no answer reads more of a store that is ten times as wide: steps of SQLite's machine, which count the
same on every computer. Milliseconds and bytes of a million latents are `python -m tests.scale`'s to tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from app.main import create_app
from app.search import queries as search
from app.settings import Settings
from tests.app.servers import all_routes
from tests.app.world import WIDTH, build
from tests.multiply_store import multiply
from tests.scale import WHOLE, addresses, known

WHOLE_BLOCKS, BLOCKS, MORE = 2, 5, 10
"""Blocks with dense latents in both stores; all blocks of the smaller; how often as many the wider has."""
STEPS = 100
"""Of SQLite's machine in each call."""
LEFT_OUT = re.compile(r"limit=500|/saes/.*sort=antipodality")
"""Of so many the smaller store has too few; past the places of other SAEs in the index that they share is walked."""
Steps = dict[str, int]


class Counted:
    """A server over a store, and what it asks of SQLite."""

    def __init__(self, store: Path) -> None:
        self.steps, self.statements = 0, list[str]()
        self.app = create_app(Settings(db=str(store)))
        event.listen(self.app.state.engine, "connect", self._listen)
        event.listen(self.app.state.engine, "before_cursor_execute", self._heard)
        self.client = TestClient(self.app, base_url="http://127.0.0.1")

    def _listen(self, connection: Any, _record: Any) -> None:
        connection.set_progress_handler(self._step, STEPS)

    def _step(self) -> None:
        self.steps += STEPS

    def _heard(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        self.statements.append(statement)

    def get(self, address: str) -> str:
        """An answer; only its steps and statements are kept."""
        self.steps = 0
        self.statements.clear()
        return self.client.get(address, follow_redirects=False).text

    def all_steps(self) -> Steps:
        """Of a first visit to each address, under a name that two stores share."""
        asked, _empty = addresses(all_routes(self.app), known(self.get))
        steps = {}
        for address in asked:
            if not (WHOLE.search(address) or LEFT_OUT.search(address)):
                self.get(address)
                steps[re.sub(r"(latents|cursor|pairs)[/=][\w/-]+", r"\1", address)] = self.steps
        return steps


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Counted]]:
    """One, and one that is MORE times as wide, with as many dense latents."""
    folder = tmp_path_factory.mktemp("scale")
    source, made = Path(build(folder / "world.db")), []
    for blocks in (BLOCKS, BLOCKS * MORE):
        multiply(source, folder / f"{blocks}.db", 4 * WIDTH * blocks, WHOLE_BLOCKS)
        made.append(Counted(folder / f"{blocks}.db"))
    yield made
    for one in made:
        one.app.state.engine.dispose()


def test_a_first_visit_reads_as_much_of_a_store_ten_times_as_wide(
    stores: list[Counted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RANKED", 100)
    small, large = (one.all_steps() for one in stores)
    assert len(small) > 80
    assert small.keys() == large.keys()
    # of a word that all have, the ids are counted, of two lists a latent: some steps each, a fifth of ordering them
    rows = 2 * 4 * WIDTH * BLOCKS * MORE
    more = {name: (small[name], steps) for name, steps in large.items() if steps > 1.5 * small[name] + 3_000}
    assert {name: steps for name, steps in more.items() if "search" not in name} == {}
    assert {name: steps for name, steps in more.items() if steps[1] > 20 * rows} == {}


def test_all_densities_are_read_once_for_all_pages(stores: list[Counted]) -> None:
    large = stores[1]
    large.get("/?visit=1")
    large.get("/layers?visit=1")
    for path in ("/", "/layers"):
        large.get(f"{path}?visit=2")
        assert large.statements
        assert not [asked for asked in large.statements if "density_curve" in asked]


def test_a_note_makes_nobody_count_dense_latents_again(stores: list[Counted]) -> None:
    large = stores[1]
    for path in ("/annotations", "/report"):
        large.get(path)
        large.get(f"{path}?visit=2")
        assert not [asked for asked in large.statements if "FROM latent" in asked], path
