"""Two who write at the same moment, on SQLite and PostgreSQL: what the writers and the tables themselves hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from app.annotations.queries import AnnotationInfo, Subject, find_latest, history
from app.annotations.write import Draft, Stale, _add, change_many, restore, save
from app.http.errors import BadFilter
from app.main import create_app
from app.settings import Settings
from store.session import make_engine, session_factory
from store.tables import Annotation

SUBJECT = Subject("a" * 64, 5)


@pytest.fixture
def engine(either_store: str) -> Iterator[Engine]:
    made = make_engine(either_store)
    yield made
    made.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    return session_factory(engine)


def say(sessions: sessionmaker[Session], note: str, base: int, subject: Subject = SUBJECT) -> AnnotationInfo | None:
    with sessions() as session:
        return save(session, subject, Draft(note=note), base, "Ada")


def waits(pool: ThreadPoolExecutor, sessions: sessionmaker[Session], base: int) -> Future[AnnotationInfo | None]:
    """A save that the transaction of another holds up."""
    waiting = pool.submit(say, sessions, "second", base)
    time.sleep(0.4)
    assert not waiting.done()
    return waiting


@pytest.mark.parametrize("base", [0, 1])
def test_of_two_from_one_version_the_second_is_told(sessions: sessionmaker[Session], base: int) -> None:
    if base:
        say(sessions, "before", 0)
    with ThreadPoolExecutor() as pool, sessions() as first:
        _add(first, SUBJECT, Draft(note="first"), base, "Bea", None)
        waiting = waits(pool, sessions, base)
        first.commit()
        with pytest.raises(Stale) as stale:
            waiting.result()
    assert stale.value.current
    assert (stale.value.current.version, stale.value.current.note) == (base + 1, "first")
    with sessions() as session:
        assert [one.version for one in history(session, SUBJECT)] == [*range(base + 1, 0, -1)]


def test_where_the_first_gives_up_the_second_is_saved(sessions: sessionmaker[Session]) -> None:
    say(sessions, "before", 0)
    with ThreadPoolExecutor() as pool, sessions() as first:
        _add(first, SUBJECT, Draft(note="first"), 1, "Bea", None)
        waiting = waits(pool, sessions, 1)
        first.rollback()
        saved = waiting.result()
    assert saved
    assert (saved.version, saved.note) == (2, "second")


def test_a_form_sent_twice_is_no_conflict(sessions: sessionmaker[Session]) -> None:
    first, again = say(sessions, "the same", 0), say(sessions, "the same", 0)
    assert first == again


def test_two_versions_that_are_both_the_latest_cannot_be_stored(sessions: sessionmaker[Session]) -> None:
    made = say(sessions, "one", 0)
    say(sessions, "two", 1)
    assert made
    with sessions() as session, pytest.raises(IntegrityError):
        session.execute(text("UPDATE annotation SET latest = (1 = 1)"))


@pytest.mark.parametrize("verdicts", [("keep", "prune"), ("keep", "keep")])
def test_two_who_change_many_in_opposite_orders_both_do(
    sessions: sessionmaker[Session], verdicts: tuple[str, str]
) -> None:
    subjects = [Subject("a" * 64, index) for index in range(40)]

    def change(verdict: str, asked: list[Subject]) -> None:
        for _time in range(5):
            with sessions() as session:
                change_many(session, asked, verdict, category=None, verdict=verdict)

    with ThreadPoolExecutor() as pool:
        for work in [pool.submit(change, verdicts[0], subjects), pool.submit(change, verdicts[1], subjects[::-1])]:
            work.result()
    with sessions() as session:
        for subject in subjects:
            versions = [one.version for one in history(session, subject)]
            assert versions == [*range(len(versions), 0, -1)]
            found = find_latest(session, subject)
            assert found
            assert found.version == len(versions)


def test_a_refusal_gives_the_lock_back_before_its_answer_is_sent(
    either_store: str, sessions: sessionmaker[Session]
) -> None:
    hasty = session_factory(make_engine(either_store, wait_ms=50, lock_ms=50))
    say(sessions, "one", 0)
    with sessions() as session:  # a request that is not over yet
        with pytest.raises(Stale):
            save(session, SUBJECT, Draft(note="late"), 0, "Ada")
        say(hasty, "two", 1)
        with pytest.raises(BadFilter):
            save(session, SUBJECT, Draft(verdict="maybe"), 2, "Ada")
        say(hasty, "three", 2)
        with pytest.raises(BadFilter):
            restore(session, SUBJECT, 9, 3, "Ada")
        say(hasty, "four", 3)
        with pytest.raises(BadFilter):
            change_many(session, [SUBJECT], "Ada", category="no-such", verdict=None)
        say(hasty, "five", 4)
    hasty.kw["bind"].dispose()


def test_a_page_is_new_after_commits_in_another_order_than_their_numbers(postgres_db: str) -> None:
    from tests.app.world import build

    application = create_app(Settings(db=build(postgres_db)))
    client = TestClient(application, base_url="http://127.0.0.1")
    sessions = application.state.writing
    with sessions() as slow:
        _add(slow, SUBJECT, Draft(note="numbered first"), 0, "Ada", None)
        say(sessions, "numbered second", 0, Subject("b" * 64, 1))
        before = client.get("/annotations/activity").headers["etag"]
        slow.commit()
    assert client.get("/annotations/activity").headers["etag"] != before
    application.state.engine.dispose()
    sessions.kw["bind"].dispose()


def test_a_reader_cannot_write_and_sees_one_state(either_store: str, sessions: sessionmaker[Session]) -> None:
    engine = make_engine(either_store, read_only=True)
    with session_factory(engine)() as reader:
        count = select(func.count(Annotation.id))
        before = reader.scalar(count)
        say(sessions, "meanwhile", 0)
        assert reader.scalar(count) == before
        reader.rollback()
        assert reader.scalar(count) == (before or 0) + 1
        with pytest.raises(DBAPIError, match=r"read-?only"):
            reader.execute(text("DELETE FROM annotation"))
        reader.rollback()
    engine.dispose()


def test_what_is_said_now_is_found_by_its_index(store: str) -> None:
    statement = select(Annotation).where(SUBJECT.where(), Annotation.latest)
    with make_engine(store, read_only=True).connect() as connection:
        shown = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {shown}").all())
    assert "ix_annotation_latest" in plan
