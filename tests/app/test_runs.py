"""What a run says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.runs.queries import find_run
from app.shared.links import Pin
from store.session import make_engine
from store.tables import Run
from tests.app.world import build


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        (None, "240 special and padding tokens"),
        ({"bos": 1200, "special": 3}, "1,200 BOS and 3 special tokens"),
        ({"bos": 1200, "special": 0}, "1,200 BOS tokens"),
        ({"bos": 0, "special": 0}, "no tokens"),
    ],
)
def test_what_is_left_out_has_its_name(tmp_path: Path, masks: dict[str, int] | None, said: str) -> None:
    engine = make_engine(build(tmp_path / "own.db"))
    with Session(engine) as session, session.begin():
        session.get_one(Run, 1).masks = masks
    with Session(engine) as session:
        run = find_run(session, Pin(1))
        assert run is not None
        assert run.left_out == said
