"""Rows of one analysis -> verdicts of its latents, and back into the store."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.orm import Session

from analysis.verdict.measured import Change, ClassFound, Found, LabelFound, Measured, completed
from analysis.verdict.rule import Decision, decide
from store.session import session_factory
from store.tables import (
    Analysis,
    Association,
    Effect,
    Experiment,
    Intervention,
    Label,
    Latent,
    Run,
    Score,
    Stability,
    Statistic,
    Steering,
    Verdict,
)
from store.vocabulary import ABLATE, EPSILON, LATENT, NO_CLASS, OWN, PAIR, STEER, UNMEASURED, Statement

Row = dict[str, Any]


def judge_analysis(session: Session, analysis_id: int) -> dict[str, int]:
    """Put the rule's verdicts of one analysis in the place of those it had; the caller commits.

    To be called whenever one of its measurements is new: after analyze, ablate, steer and retrain (there for
    every analysis of the SAE). A person's own verdict is another table, and is left alone.

    Returns:
        how many latents have each verdict; dense ones and those with detail are judged.
    """
    rows = judgements(session, analysis_id)
    session.execute(delete(Verdict).where(Verdict.analysis_id == analysis_id))
    if rows:
        session.execute(insert(Verdict), rows)
    mark_judged(session, analysis_id)
    return dict(Counter(str(row["verdict"]) for row in rows))


def judgements(session: Session, analysis_id: int) -> list[Row]:
    """The rule's verdicts of one analysis as rows; nothing is written."""
    return [_row(analysis_id, one.index, decide(one)) for one in measurements(session, analysis_id)]


def mark_judged(session: Session, analysis_id: int) -> None:
    """Say that an analysis' verdicts are of now; the caller commits."""
    now = datetime.now(UTC).replace(tzinfo=None)
    session.execute(update(Analysis).where(Analysis.id == analysis_id).values(judged=now))


def judge_all(engine: Engine) -> dict[int, dict[str, int]]:
    """All analyses of all complete runs, each in a transaction of its own: id -> counts by verdict."""
    sessions = session_factory(engine)
    with sessions() as session:
        wanted = select(Analysis.id).join(Run, Run.id == Analysis.run_id).where(Run.status == "complete")
        ids = session.scalars(wanted.order_by(Analysis.id)).all()
    counts = {}
    for analysis_id in ids:
        with sessions() as session, session.begin():
            counts[analysis_id] = judge_analysis(session, analysis_id)
    return counts


def measurements(session: Session, analysis_id: int) -> Iterable[Measured]:
    """What is known of each dense latent and each latent with detail, by index; ten queries for all of them."""
    steered = _steered(session, analysis_id)
    classes = _classes(session, analysis_id, steered)
    labels, asked = _labels(session, analysis_id)
    ablation = _ablation(session, analysis_id)
    stability = _stability(session, analysis_id)
    wanted = select(Latent.index, Latent.is_dense, Latent.detail, Latent.is_pair, Latent.partner, Latent.followed)
    wanted = wanted.where(Latent.analysis_id == analysis_id, Latent.is_dense | Latent.detail.is_not(None))
    for index, is_dense, detail, is_pair, partner, followed in session.execute(wanted.order_by(Latent.index)):
        other = partner if is_pair else None
        yield Measured(
            index=index,
            is_dense=is_dense,
            has_detail=detail is not None,
            partner=other,
            classes=classes.get(index),
            # labels are measured together with classes: where those are there, no row means no usable label
            labels=tuple(labels.get(index, ())) if index in labels or (index in classes and not asked) else None,
            latent=ablation.changes.get(frozenset({index})),
            pair=None if other is None else ablation.changes.get(frozenset({index, other})),
            stability=stability.get(index),
            epsilon=ablation.epsilon,
            tokens=ablation.tokens,
            followed=followed,
        )


def _row(analysis_id: int, index: int, decision: Decision) -> Row:
    return {
        "analysis_id": analysis_id,
        "index": index,
        "verdict": decision.verdict,
        "grounds": [{"of": one.of, "speaks": one.speaks, **one.statement} for one in decision.grounds],
        "missing": [{"of": one.of, **one.statement} for one in decision.missing],
    }


def _classes(
    session: Session, analysis_id: int, steered: dict[int, tuple[str, Statement]]
) -> dict[int, tuple[ClassFound, ...]]:
    """Of each latent that classes were looked for in: all that the store knows of, those without a row unmeasured."""
    wanted = select(Score.index, Score.name, Score.label, Score.statement)
    wanted = wanted.where(Score.analysis_id == analysis_id, Score.name.not_in(NO_CLASS))
    found: dict[int, dict[str, ClassFound]] = defaultdict(dict)
    for index, name, label, statement in session.execute(wanted.order_by(Score.name)):
        found[index][name] = completed(ClassFound(name, label, statement), steered.get(index))
    declared = select(Statistic.name).where(Statistic.of == "class", Statistic.name.not_in(NO_CLASS))
    names = session.scalars(declared.order_by(Statistic.position)).all()
    names = list(dict.fromkeys([*names, *(name for own in found.values() for name in own)]))
    return {
        index: tuple(own.get(name, ClassFound(name, UNMEASURED, {"code": "absent"})) for name in names)
        for index, own in found.items()
    }


def _steered(session: Session, analysis_id: int) -> dict[int, tuple[str, Statement]]:
    """What steering says of each latent that was steered along, by itself or with its mirror image."""
    wanted = select(Steering.positive, Steering.negative, Steering.label, Steering.statement)
    wanted = wanted.join(Intervention, Intervention.id == Steering.intervention_id)
    rows = session.execute(wanted.where(Intervention.analysis_id == analysis_id, Intervention.kind == STEER))
    return {index: (label, statement) for *both, label, statement in rows for index in both}


def _labels(session: Session, analysis_id: int) -> tuple[dict[int, list[LabelFound]], bool]:
    """Of each latent, and whether the corpus has any label that was not refused."""
    wanted = select(Association.index, Label.name, Association.verdict, Association.statement)
    wanted = wanted.join(Label, Label.id == Association.label_id).where(Association.analysis_id == analysis_id)
    found: dict[int, list[LabelFound]] = defaultdict(list)
    for index, name, verdict, statement in session.execute(wanted.order_by(Association.q, Label.id)):
        found[index].append(LabelFound(name, verdict, statement))
    run = select(Analysis.run_id).where(Analysis.id == analysis_id).scalar_subquery()
    usable = session.scalar(select(Label.id).where(Label.run_id == run, Label.reason.is_(None)).limit(1))
    return found, usable is not None


class _Ablation(NamedTuple):
    changes: dict[frozenset[int], Change]  # of a latent, of a pair
    epsilon: float = EPSILON
    tokens: int = 0


def _ablation(session: Session, analysis_id: int) -> _Ablation:
    wanted = select(Intervention).where(Intervention.analysis_id == analysis_id, Intervention.kind == ABLATE)
    found = session.scalar(wanted)
    if found is None:
        return _Ablation({})
    own = select(Effect).where(Effect.intervention_id == found.id, Effect.what == OWN)
    rows = session.scalars(own.where(Effect.subject.in_((LATENT, PAIR))))
    changes = {frozenset(n for n in (one.index, one.other) if n is not None): _change(one) for one in rows}
    return _Ablation(changes, float(found.settings.get("epsilon", EPSILON)), found.tokens)


def _change(row: Effect) -> Change:
    names = ("loss", "kl", "kl_low", "kl_high", "equivalent", "control")
    return Change(of=row.subject, low=row.loss_low, high=row.loss_high, **{name: getattr(row, name) for name in names})


def _stability(session: Session, analysis_id: int) -> dict[int, Found]:
    """By the newest experiment with this SAE that looked at the latent, on whichever text: it is the weights'."""
    sae = select(Analysis.sae_id).where(Analysis.id == analysis_id).scalar_subquery()
    wanted = select(Experiment.id, Experiment.summary).where(Experiment.sae_id == sae)
    beside = {key: _beside(summary) for key, summary in session.execute(wanted)}
    rows = select(Stability).join(Experiment, Experiment.id == Stability.experiment_id)
    rows = rows.where(Experiment.id.in_(beside)).order_by(Experiment.finished, Experiment.id)
    return {
        one.index: Found(tuple(one.cosines), one.found, one.stable, *beside[one.experiment_id])
        for one in session.scalars(rows)
    }


def _beside(summary: dict[str, Any]) -> tuple[float | None, float | None]:
    """What random directions and sparse latents reach in the same experiment."""
    stability = summary.get("stability") or {}
    return max(stability.get("chance") or [], default=None), stability.get("sparse_stable_share")
