"""Chains of a suite: each SAE's latents to those of the neighbouring layers, whichever run analysed these.

Worked out whenever an analysis is new. What takes long is done before the lock: which neighbours there are is looked at
again under it, and where another worker completed one meanwhile, that one is chained, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.orm import Session

from analysis.run.rows.classes import chain_rows
from analysis.run.rows.plain import Row
from analysis.statistics.chains import Layer, kind_of, links, steps
from analysis.statistics.traces import unpacked
from store.session import session_factory
from store.tables import Analysis, Chain, Run, Sae, Traces
from store.writing import COMPLETE, Writer, one_at_a_time


class Member(NamedTuple):
    """An SAE of a suite."""

    analysis_id: int
    layer: int
    kind: str
    traced: bool
    """What chains are made of is there: older versions kept none."""


class Way(NamedTuple):
    """From one analysis to its neighbour."""

    analysis_id: int
    side: str
    other: int
    alike: bool


def members(session: Session, suite: str, run: int | None = None) -> list[Member]:
    """The newest analysis of each SAE of a suite, by layer.

    Args:
        run: one that counts as complete, and as the newest.
    """
    wanted = (
        select(Analysis.id, Sae.id, Sae.layer, Sae.hook_point, Sae.details, Traces.analysis_id)
        .join(Run, Run.id == Analysis.run_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .outerjoin(Traces, Traces.analysis_id == Analysis.id)
        .where(Run.suite == suite, (Run.status == COMPLETE) | (Run.id == run))
        .order_by(Run.id == run, Run.finished, Run.id)
    )
    newest: dict[int, tuple[Any, ...]] = {}
    for own, sae, layer, hook, details, traces in session.execute(wanted):
        kind = kind_of((details or {}).get("hook_out") or hook)
        newest[sae] = (layer, hook, sae, Member(own, layer, kind, traces is not None))
    return [found[-1] for found in sorted(newest.values(), key=lambda one: one[:3])]


def ways(found: Sequence[Member]) -> list[Way]:
    """Both ways between neighbours of which what chains are made of is there."""
    made = []
    for place, side, other in steps([Layer(one.layer, one.kind) for one in found]):
        one, two = found[place], found[other]
        if one.traced and two.traced:
            made.append(Way(one.analysis_id, side, two.analysis_id, one.kind == two.kind))
    return made


def chain_suite(writer: Writer, readers: Engine, suite: str, run: int | None = None) -> None:
    """Bring a suite's chains up to date.

    Args:
        readers: of the same store.
        run: what is being written, of this suite: completed in the same transaction.
    """
    rows: dict[Way, list[Row]] = {}
    while True:
        with session_factory(readers)() as session:
            missing = [way for way in _missing(session, suite, run) if way not in rows]
            rows.update({way: _rows(session, way) for way in missing})
        if writer.transaction(lambda session: _put(session, suite, run, rows)):
            return


def _missing(session: Session, suite: str, run: int | None) -> list[Way]:
    wanted = ways(members(session, suite, run))
    known = select(Chain.analysis_id, Chain.side, Chain.other_analysis_id).distinct()
    there = set(session.execute(known.where(Chain.analysis_id.in_([way.analysis_id for way in wanted]))).all())
    return [way for way in wanted if way[:3] not in there]


def _rows(session: Session, way: Way) -> list[Row]:
    one, other = (unpacked(session.get_one(Traces, number).data) for number in (way.analysis_id, way.other))
    return list(chain_rows(links(one, other, way.alike), way.analysis_id, way.side, way.other))


def _put(session: Session, suite: str, run: int | None, rows: dict[Way, list[Row]]) -> bool:
    """Write the chains and complete the run; False, and nothing, where there is a neighbour that was not looked at."""
    one_at_a_time(session, suite)
    missing = _missing(session, suite, run)
    if any(way not in rows for way in missing):
        return False
    for way in missing:
        session.execute(delete(Chain).where(Chain.analysis_id == way.analysis_id, Chain.side == way.side))
        if rows[way]:
            session.execute(insert(Chain), rows[way])
    if run is not None:
        session.execute(update(Run).where(Run.id == run).values(status=COMPLETE, writer=None))
    return True
