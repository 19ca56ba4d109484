"""Lists of latents hold what a reading of every row says, in any order and in pages of any size, found either way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo, Subject, annotations_of
from app.annotations.write import Draft, save
from app.classes.queries import classes_of
from app.classes.views import CLASSES
from app.interventions.queries import EffectInfo, own_effects
from app.latents import listing
from app.latents.columns import SORTS, Order
from app.latents.filters import LatentFilters, RunList
from app.latents.queries import find_rows
from app.runs import queries as runs
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.record import Key
from app.verdicts.queries import verdicts_of
from store.session import make_engine, session_factory
from store.tables import Latent
from tests.app.world import NEGATIVE, POSITIVE, TWIN, build


class One(NamedTuple):
    """A latent with all that filters ask."""

    latent: Latent
    classes: set[str]
    verdict: str | None
    said: AnnotationInfo | None
    effect: EffectInfo | None

    @property
    def tokens(self) -> str:
        """Its top tokens, a line each."""
        return "\n".join(self.latent.top_tokens).lower()

    @property
    def functions(self) -> set[str]:
        """Of the six."""
        return self.classes & set(CLASSES)


Read = dict[Key, One]
Passes = Callable[[One], bool]
FILTERS: list[tuple[dict[str, Any], Passes]] = [
    ({}, lambda one: True),
    ({"dense": True}, lambda one: one.latent.is_dense),
    ({"dense": False}, lambda one: not one.latent.is_dense),
    ({"dense": False, "detail": "none"}, lambda one: not one.latent.is_dense and not one.latent.detail),
    ({"pair": True, "borderline": False}, lambda one: one.latent.is_pair and not one.latent.borderline),
    ({"duplicate": True}, lambda one: one.latent.duplicate_of is not None),
    (
        {"duplicate": False, "min_density": 0.001},
        lambda one: one.latent.duplicate_of is None and one.latent.density >= 0.001,
    ),
    ({"detail": "control"}, lambda one: one.latent.detail == "control"),
    ({"min_density": 0.0005, "max_density": 0.2}, lambda one: 0.0005 <= one.latent.density <= 0.2),
    (
        {"min_antipodality": 0.2, "max_density": 0.23},
        lambda one: (one.latent.antipodality or 0) >= 0.2 and one.latent.density <= 0.23,
    ),
    ({"max_antipodality": 0.5}, lambda one: (1 if one.latent.antipodality is None else one.latent.antipodality) <= 0.5),
    ({"of_class": "position"}, lambda one: "position" in one.classes),
    ({"of_class": "any", "dense": True}, lambda one: bool(one.functions) and one.latent.is_dense),
    ({"of_class": "unmeasured"}, lambda one: not one.classes),
    ({"of_class": "unmeasured", "dense": True}, lambda one: not one.classes and one.latent.is_dense),
    ({"alone": True}, lambda one: len(one.functions) == 1),
    ({"alone": False}, lambda one: len(one.functions) > 1),
    ({"verdict": "keep"}, lambda one: one.verdict == "keep"),
    ({"verdict": "none", "max_density": 0.3}, lambda one: one.verdict is None and one.latent.density <= 0.3),
    ({"q": "WORD1"}, lambda one: "word1" in one.tokens),
    ({"q": "w", "dense": False}, lambda one: "w" in one.tokens and not one.latent.is_dense),
    ({"q": "<"}, lambda one: "<" in one.tokens),
    ({"category": "position"}, lambda one: one.said is not None and one.said.category == "position"),
    ({"category": "none"}, lambda one: one.said is None or one.said.category is None),
    (
        {"human": "any", "of_class": "any"},
        lambda one: one.said is not None and one.said.verdict is not None and bool(one.functions),
    ),
    (
        {"human": "none", "verdict": "none"},
        lambda one: (one.said is None or one.said.verdict is None) and one.verdict is None,
    ),
    ({"annotated": True}, lambda one: one.said is not None),
    ({"annotated": False, "pair": False}, lambda one: one.said is None and not one.latent.is_pair),
    ({"note": "LAW"}, lambda one: one.said is not None and "law" in one.said.note.lower()),
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store with annotations, in either database."""
    if request.param == "sqlite":
        url = str(build(tmp_path_factory.mktemp("listing") / "world.db"))
        yield _said(url)
        return
    from tests.postgres import database

    with database(request.getfixturevalue("postgres")) as url:
        build(url)
        yield _said(url)


def _said(url: str) -> str:
    engine = make_engine(url)
    with session_factory(engine)() as session:
        drafts = {
            POSITIVE: Draft("position", "keep", "the law of it"),
            NEGATIVE: Draft(None, "prune", ""),
            TWIN: Draft(None, None, "Lawful"),
        }
        for index, draft in drafts.items():
            save(session, Subject("1" * 64, index), draft, 0, "Ada")
        save(session, Subject("1" * 64, 4_000), Draft("position", "keep", "law: no latent has this index"), 0, "Ada")
    engine.dispose()
    return url


@pytest.fixture(scope="module")
def session(db: str) -> Iterator[Session]:
    """Reads it."""
    engine = make_engine(db, read_only=True)
    with session_factory(engine)() as opened:
        yield opened
    engine.dispose()


@pytest.fixture(scope="module")
def held(session: Session) -> list[SaeInfo]:
    """The SAEs of its newest run."""
    run = runs.find_run(session)
    assert run
    return saes.list_saes(session, run)


@pytest.fixture(scope="module")
def read(session: Session, held: list[SaeInfo]) -> Read:
    """Every latent with all that filters ask, row by row."""
    ids = [one.analysis_id for one in held]
    keys = [(row[0], row[1]) for row in session.execute(select(*listing.KEY).where(Latent.analysis_id.in_(ids)))]
    classes, said = classes_of(session, keys), annotations_of(session, keys)
    ruled, broken = verdicts_of(session, keys), own_effects(session, keys)
    return {
        key: One(
            latent,
            {score.name for score in classes.get(key, [])},
            ruled[key].verdict if key in ruled else None,
            said.get(key),
            broken.get(key),
        )
        for key, latent in zip(keys, find_rows(session, keys), strict=True)
    }


def value(one: One, sort: str) -> float | None:
    """What a list is sorted by."""
    if SORTS[sort].measure:
        return None if one.effect is None else one.effect.measures[SORTS[sort].measure].value
    found: float | None = getattr(one.latent, sort)
    return found


def expected(read: Read, passes: Passes, by: Order) -> list[Key]:
    """Latents with the value, then those without, each by value and key in the direction of the sort."""
    passing = [(value(one, by.sort), key) for key, one in read.items() if passes(one)]
    have = sorted(((at, key) for at, key in passing if at is not None), reverse=by.descending)
    return [key for _at, key in have] + sorted((key for at, key in passing if at is None), reverse=by.descending)


def paged(session: Session, plan: listing.Plan, by: Order, limit: int) -> list[Key]:
    """All pages joined."""
    found: list[Key] = []
    after = None
    while page := listing.page(session, plan, by, after, limit):
        found += [place.key for place in page]
        after = listing.cursor_of(page[-1], by)
    return found


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("given", range(len(FILTERS)))
def test_a_list_is_what_reading_every_row_gives(
    session: Session, held: list[SaeInfo], read: Read, monkeypatch: pytest.MonkeyPatch, given: int, few: int
) -> None:
    monkeypatch.setattr(listing, "GATHERED", few)
    monkeypatch.setattr(listing, "LOOKED_UP", few)
    monkeypatch.setattr(listing, "RARE", few)
    wanted, passes = FILTERS[given]
    plan = listing.plan_of(session, held, LatentFilters.model_validate(wanted))
    orders = [Order(sort, descending) for sort in SORTS for descending in (True, False)]
    all_orders = given < 4 and session.get_bind().dialect.name == "sqlite"
    for by in orders if all_orders else orders[given % 5 :: 5]:
        right = expected(read, passes, by)
        assert paged(session, plan, by, 7) == right, by
        joined = [key for batch in listing.batches(lambda: nullcontext(session), plan, by, 11) for key in batch]
        assert joined == right, by
    assert listing.total(session, plan) == (len(right), False)
    assert 0 < len(right) < len(read) or given == 0


def test_what_very_many_have_is_counted_to_a_limit(
    session: Session, held: list[SaeInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "RARE", 5)
    monkeypatch.setattr(listing, "COUNTED", 20)
    plan = listing.plan_of(session, held, LatentFilters(q="w"))
    assert listing.total(session, plan) == (20, True)


def test_a_list_writes_its_own_address() -> None:
    asked = {"dense": "any", "class": "position", "min_density": "0.1", "pair": "true", "sort": "max", "order": "asc"}
    read = RunList.model_validate({**asked, "q": "", "limit": "50"})
    assert read.query() == {**asked, "min_density": 0.1, "pair": True}
    assert RunList.model_validate({name: str(value).lower() for name, value in read.query().items()}) == read
    assert RunList.model_validate({}).dense is True
    assert RunList.model_validate({"dense": ""}).query() == {}
