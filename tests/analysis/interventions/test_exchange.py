"""Interventions go out of a store and into another as they were; what is there already is left alone."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from analysis.errors import BadFile
from analysis.interventions.exchange import export_intervention, import_folder, save_intervention
from store.session import make_engine
from store.tables import Corpus, Effect, Intervention, Sae, Steering, Verdict
from tests.app.world import build
from tests.app.world_interventions import WHOLE

KINDS = ("ablate", "steer")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Both interventions of one analysis as files."""
    engine = make_engine(build(tmp_path / "one.db"))
    out = tmp_path / "interventions"
    out.mkdir()
    for kind in KINDS:
        save_intervention(out / f"{kind}.json.gz", export_intervention(engine, WHOLE, kind))
    return out


def rows(engine: Any) -> list[tuple[Any, ...]]:
    """All effects and steerings of the analysis, without the store's own numbers."""
    found = []
    with Session(engine) as session:
        for table in (Effect, Steering):
            columns = [column for column in table.__table__.c if column.name != "intervention_id"]
            statement = select(*columns).join(Intervention).where(Intervention.analysis_id == WHOLE)
            found += [tuple(row) for row in session.execute(statement.order_by(*columns[:2]))]
    return found


def emptied(path: Path) -> Any:
    """The same store without them."""
    engine = make_engine(build(path))
    with Session(engine) as session, session.begin():
        session.execute(delete(Intervention).where(Intervention.analysis_id == WHOLE))
        session.execute(delete(Verdict).where(Verdict.analysis_id == WHOLE))
    return engine


def test_there_and_back_again(folder: Path, tmp_path: Path) -> None:
    before = rows(make_engine(tmp_path / "one.db"))
    engine = emptied(tmp_path / "other.db")
    assert rows(engine) == []
    assert import_folder(engine, folder) == 2
    assert rows(engine) == before
    with Session(engine) as session:
        judged = session.scalar(select(func.count()).select_from(Verdict).where(Verdict.analysis_id == WHOLE))
    assert judged  # the rule looks again at what is new


def test_a_second_time_changes_nothing(folder: Path, tmp_path: Path) -> None:
    engine = emptied(tmp_path / "other.db")
    import_folder(engine, folder)
    before = rows(engine)
    assert import_folder(engine, folder) == 0
    assert rows(engine) == before


def test_ones_own_measurement_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    assert import_folder(make_engine(tmp_path / "one.db"), folder) == 0


def test_an_sae_the_store_does_not_have_is_passed_over(folder: Path, tmp_path: Path) -> None:
    engine = emptied(tmp_path / "other.db")
    with Session(engine) as session, session.begin():
        for sae in session.scalars(select(Sae)):
            sae.sha256 = f"{sae.id:064d}"
    assert import_folder(engine, folder) == 0
    assert rows(engine) == []


def test_the_same_content_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    found = export_intervention(make_engine(tmp_path / "one.db"), WHOLE, "ablate")
    save_intervention(tmp_path / "again.json.gz", found)
    assert (tmp_path / "again.json.gz").read_bytes() == (folder / "ablate.json.gz").read_bytes()


def test_another_text_is_passed_over(folder: Path, tmp_path: Path) -> None:
    engine = emptied(tmp_path / "other.db")
    with Session(engine) as session, session.begin():
        for corpus in session.scalars(select(Corpus)):
            corpus.sha256 = f"{corpus.id:064d}"
    assert import_folder(engine, folder) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip",
        gzip.compress(b"[1", mtime=0),
        gzip.compress(b"[]", mtime=0),
        gzip.compress(b"{}", mtime=0),
        gzip.compress(b"{}", mtime=0)[:-9] + b"x" * 9,
    ],
)
def test_a_broken_file_is_named_and_nothing_is_written(content: bytes, folder: Path, tmp_path: Path) -> None:
    (folder / "aaa.json.gz").write_bytes(content)
    engine = emptied(tmp_path / "other.db")
    with pytest.raises(BadFile, match=r"aaa\.json\.gz: expected"):
        import_folder(engine, folder)
    assert rows(engine) == []


def test_what_was_not_measured_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no intervention 'ablate'"):
        export_intervention(make_engine(build(tmp_path / "one.db")), 10, "ablate")
