"""The verdict over a store: what is read, what is written, and when it is judged anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from analysis.verdict import judge_all, judge_analysis
from migrations.runner import upgrade
from store.session import make_engine, session_factory
from store.tables import (
    Analysis,
    Association,
    Corpus,
    Effect,
    Experiment,
    Intervention,
    Label,
    Latent,
    Model,
    Pair,
    Run,
    Sae,
    Score,
    Stability,
    Statistic,
    Steering,
    Verdict,
)
from tests.analysis.verdict.test_verdict import EPSILON, LOSSES

CLASSES = ("position", "context_binding", "null_space", "alphabet", "content_word", "principal_component")
KEPT, PRUNED, PARTNER, BARE, CONTROL, QUIET, BOUND = range(7)
ANALYSIS, OTHER, OLD = 1, 2, 3
NOW = datetime(2025, 7, 1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Two analyses of run 1 (one per SAE), one of run 2, which is not complete; no measurement but classes."""
    path = tmp_path / "store.db"
    upgrade(str(path))
    made = make_engine(path)
    with session_factory(made)() as session, session.begin():
        _add_parts(session)
        for latent in range(7):
            _add_latent(session, latent)
        _add_latent(session, 0, OTHER)
        _add_latent(session, 0, OLD)
        session.flush()
        for latent in (KEPT, PRUNED, PARTNER, CONTROL, BOUND):
            _add_scores(
                session, latent, {KEPT: {"position": "yes"}, BOUND: {"context_binding": "likely"}}.get(latent, {})
            )
    yield made
    made.dispose()


def _add_parts(session: Session) -> None:
    session.add(
        Model(
            id=1, slug="tiny", name="Tiny", fingerprint="f" * 64, source="made", licence=None, family="llama",
            n_layers=3, d_model=8, vocab_size=99,
        )
    )  # fmt: skip
    session.add(
        Corpus(id=1, name="made", sha256="c" * 64, documents=9, characters=9, licence=None, report={}, label_columns=[])
    )
    session.flush()
    for number in (1, 2):
        session.add(
            Sae(
                id=number, slug=f"tiny/l{number}-resid", sha256=f"{number}" * 64, model_id=1, layer=number, d_in=8,
                hook_point=f"blocks.{number}.hook_resid_post", architecture="topk", n_latents=40, dtype="float32",
                source="made", neuronpedia_id=None, details={}, training=None,
            )
        )  # fmt: skip
        session.add(
            Run(
                id=number, key=f"{number}" * 64, suite="5" * 64, model_id=1, corpus_id=1,
                status="complete" if number == 1 else "writing",
                tokens=9, masked_tokens=0, documents=9, context=64, dense_threshold=0.1, seed=0,
                settings={"classes": True}, versions={}, strip=None, seconds=1.0, finished=NOW,
            )
        )  # fmt: skip
    session.flush()
    for number, run, sae in ((ANALYSIS, 1, 1), (OTHER, 1, 2), (OLD, 2, 1)):
        session.add(
            Analysis(
                id=number, run_id=run, sae_id=sae, l0=3.0, fvu=0.2, n_dense=5, n_borderline=0, n_dead=0, n_pairs=1,
                dense_mass_share=0.5, massive_share=0.0, median_norm=1.0, density_curve=[], summary={},
            )
        )  # fmt: skip
    session.flush()


def _add_latent(session: Session, index: int, analysis: int = ANALYSIS) -> None:
    dense, pair = index not in (CONTROL, QUIET), index in (PRUNED, PARTNER)
    detail = None if index in (BARE, QUIET) else "dense" if dense else "control"
    none = dict.fromkeys(
        ("density_low", "density_high", "mean", "std", "skewness", "max", "mass_share", "antipodality", "cos_enc",
         "cos_dec", "duplicate_of", "cos_bias", "decoder_norm", "quantiles")
    )  # fmt: skip
    session.add(
        Latent(
            analysis_id=analysis, index=index, density=0.3 if dense else 0.01, is_dense=dense, borderline=False,
            detail=detail, partner={PRUNED: PARTNER, PARTNER: PRUNED}.get(index), mutual=pair, is_pair=pair, spark=[],
            top_tokens=[], reasons={}, followed=0.05 if detail else None, **none,
        )
    )  # fmt: skip
    if index == PARTNER:
        session.add(
            Pair(
                analysis_id=analysis, positive=PARTNER, negative=PRUNED, is_pair=True, joint_1d=True, coverage=0.5,
                dead_zone=0.5, cofiring=0.0, histogram={}, reasons={},
            )
        )  # fmt: skip


def _add_scores(session: Session, index: int, held: dict[str, str]) -> None:
    for name in (*CLASSES, "unexplained", "mixture"):
        label = held.get(name, "no")
        session.add(
            Score(
                analysis_id=ANALYSIS,
                index=index,
                name=name,
                label=label,
                statement={"code": "text", "text": f"{name} says {label}."},
                data={},
            )
        )


def _add_label(session: Session, verdicts: dict[int, str], reason: dict[str, Any] | None = None) -> None:
    label = Label(
        run_id=1, name="party", kind="category", of="document", measure="eta2", documents=9, groups=[], reason=reason,
        confounds=[],
    )  # fmt: skip
    session.add(label)
    session.flush()
    for index, verdict in verdicts.items():
        session.add(
            Association(
                analysis_id=ANALYSIS,
                index=index,
                label_id=label.id,
                verdict=verdict,
                q=0.01,
                statement={"code": "text", "text": "Differs."},
                data={},
            )
        )


def _add_ablation(session: Session, effects: dict[tuple[int, ...], str], epsilon: float = EPSILON) -> None:
    session.add(_intervention("ablate", {"epsilon": epsilon}))
    session.flush()
    for number, (latents, what) in enumerate(effects.items()):
        (loss, low, high), (kl, kl_low, kl_high) = LOSSES[what]
        for control in (False, True):  # a control that would say the opposite
            session.add(
                Effect(
                    intervention_id=1, number=2 * number + control, what="random" if control else "own", norm=1.0,
                    subject="pair" if len(latents) > 1 else "latent", index=latents[0], latents=[], variance=None,
                    other=latents[1] if len(latents) > 1 else None, loss=9 if control else loss,
                    loss_low=9 if control else low, loss_high=9 if control else high, entropy=0, kl=kl, kl_low=kl_low,
                    kl_high=kl_high, top1=0, rank=0, control={name: {"n": 20, "beats": 1.0} for name in ("loss", "kl")},
                    equivalent=not control and -epsilon < low and high < epsilon,
                )
            )  # fmt: skip


def _intervention(kind: str, settings: dict[str, Any]) -> Intervention:
    return Intervention(
        analysis_id=ANALYSIS, kind=kind, key=kind, tokens=20_000, documents=9, settings=settings, versions={},
        summary={}, seconds=1.0, finished=NOW,
    )  # fmt: skip


def _add_experiment(session: Session, key: int, day: int, stable: dict[int, bool], analysis: int | None = None) -> None:
    summary = {"stability": {"chance": [0.21, 0.22], "sparse_stable_share": 0.34}}
    session.add(
        Experiment(
            id=key, key=f"{key}", sae_id=1, analysis_id=analysis, tokens=9, eval_tokens=9, dense_threshold=0.1,
            recipe={}, settings={}, versions={}, summary=summary, seconds=1.0, finished=datetime(2025, 7, day),
        )
    )  # fmt: skip
    session.flush()
    for index, holds in stable.items():
        cosines = [0.9, 0.95] if holds else [0.2, 0.3]
        session.add(Stability(experiment_id=key, index=index, cosines=cosines, found=2 * holds, stable=holds))


def _add_steering(session: Session, positive: int, negative: int, label: str) -> None:
    row = _intervention("steer", {})
    session.add(row)
    session.flush()
    session.add(
        Steering(
            intervention_id=row.id, positive=positive, negative=negative, label=label, pairs=12,
            statement={"code": "text", "text": "It flips."},
            data={},
        )
    )  # fmt: skip


def _judge(engine: Engine) -> dict[int, Verdict]:
    with session_factory(engine)() as session, session.begin():
        judge_analysis(session, ANALYSIS)
    return _verdicts(engine, ANALYSIS)


def _verdicts(engine: Engine, analysis: int) -> dict[int, Verdict]:
    with session_factory(engine)() as session:
        rows = session.scalars(select(Verdict).where(Verdict.analysis_id == analysis))
        return {row.index: row for row in rows}


def test_dense_latents_and_those_with_detail_are_judged_from_the_first_analysis_on(engine: Engine) -> None:
    found = _judge(engine)
    assert set(found) == {KEPT, PRUNED, PARTNER, BARE, CONTROL, BOUND}
    assert {row.verdict for row in found.values()} == {"investigate"}
    assert {gap["of"] for gap in found[PRUNED].missing} == {"effect", "pair_effect", "stability"}
    assert {gap["of"] for gap in found[BARE].missing} == {"classes", "labels", "effect", "stability"}
    assert found[KEPT].missing[0] == {"of": "effect", "code": "effect", "dense": True}


def test_a_class_that_is_declared_and_was_not_measured_is_missing(engine: Engine) -> None:
    """A newer worker looks for it; nothing is unexplained before it was looked for here, too."""
    with session_factory(engine)() as session, session.begin():
        shape = {"title": "", "unit": "", "kind": "class", "definition": "", "grade": "O", "source": "", "position": 1}
        session.add_all([Statistic(name=name, of="class", **shape) for name in ("always_on", "unexplained", "mixture")])
    found = _judge(engine)
    assert {gap["of"] for gap in found[PRUNED].missing} == {"always_on", "effect", "pair_effect", "stability"}
    gap = {"of": "always_on", "code": "unmeasured", "statement": {"code": "absent"}}
    assert gap in found[PRUNED].missing


def test_all_measurements_come_together(engine: Engine) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_label(session, dict.fromkeys((KEPT, PRUNED, PARTNER, CONTROL, BOUND), "no"))
        effects: dict[tuple[int, ...], str] = dict.fromkeys([(PRUNED,), (PARTNER,), (PARTNER, PRUNED)], "equivalent")
        _add_ablation(session, {**effects, (KEPT,): "needed", (BOUND,): "unclear"})
        _add_experiment(session, 1, 1, dict.fromkeys((KEPT, PRUNED, PARTNER, BARE, BOUND), False))
    found = _judge(engine)
    assert {index: row.verdict for index, row in found.items()} == {
        KEPT: "keep", PRUNED: "prune", PARTNER: "prune", BARE: "investigate", CONTROL: "investigate",
        BOUND: "investigate",
    }  # fmt: skip
    assert found[PRUNED].missing == []
    assert {ground["of"] for ground in found[PRUNED].grounds} == {
        "rule", "classes", "followed", "labels", "effect", "pair_effect", "stability",
    }  # fmt: skip
    assert {"of": "effect", "code": "wide_loss", "epsilon": EPSILON, "tokens": 20_000} in found[BOUND].missing


def test_a_new_measurement_replaces_the_verdicts_of_its_analysis_alone(engine: Engine) -> None:
    with session_factory(engine)() as session, session.begin():
        for analysis in (ANALYSIS, OTHER):
            session.add(Verdict(analysis_id=analysis, index=0, verdict="keep", grounds=[{"of": "old"}], missing=[]))
        session.add(Verdict(analysis_id=ANALYSIS, index=QUIET, verdict="prune", grounds=[], missing=[]))
    assert QUIET not in _judge(engine)
    with session_factory(engine)() as session, session.begin():
        _add_ablation(session, {(KEPT,): "needed"})
    assert _judge(engine)[KEPT].verdict == "keep"
    assert _verdicts(engine, OTHER)[0].grounds == [{"of": "old"}]


def test_nothing_is_stored_where_the_caller_does_not_commit(engine: Engine) -> None:
    with session_factory(engine)() as session:
        judge_analysis(session, ANALYSIS)
        session.rollback()
    assert _verdicts(engine, ANALYSIS) == {}


def test_the_ablations_own_epsilon_counts(engine: Engine) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_ablation(session, {(KEPT,): "needed", (PRUNED,): "needed"}, epsilon=0.05)
    found = _judge(engine)
    assert found[KEPT].verdict == "investigate"
    (effect,) = [ground for ground in found[KEPT].grounds if ground["of"] == "effect"]
    assert (effect["code"], effect["epsilon"]) == ("equivalent", 0.05)


@pytest.mark.parametrize(("label", "verdict"), [("yes", "keep"), ("no", "investigate"), ("unmeasured", "investigate")])
def test_steering_completes_context_binding(engine: Engine, label: str, verdict: str) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_ablation(session, {(BOUND,): "needed"})
        _add_steering(session, BOUND, BOUND, label)
    found = _judge(engine)[BOUND]
    assert found.verdict == verdict
    assert ("context_binding" in {gap["of"] for gap in found.missing}) == (label == "unmeasured")
    assert any("It flips." in str(ground.get("statement")) for ground in found.grounds) == (label == "yes")


def test_a_label_speaks_for_keeping(engine: Engine) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_ablation(session, {(CONTROL,): "needed"})
        _add_label(session, {CONTROL: "yes", KEPT: "unmeasured"})
    found = _judge(engine)
    assert found[CONTROL].verdict == "keep"
    statement = {"code": "text", "text": "Differs."}
    ground = {"of": "labels", "speaks": "keep", "code": "label", "label": "party", "statement": statement}
    assert ground in found[CONTROL].grounds
    assert "labels" in {gap["of"] for gap in found[KEPT].missing}


def test_a_label_that_was_refused_is_not_waited_for(engine: Engine) -> None:
    """A title that every document has for itself can never be held against anything."""
    with session_factory(engine)() as session, session.begin():
        _add_label(session, {}, reason={"code": "same_value"})
        _add_ablation(session, {(PRUNED,): "equivalent", (PARTNER, PRUNED): "equivalent"})
        _add_experiment(session, 1, 1, {PRUNED: False})
    assert _judge(engine)[PRUNED].verdict == "prune"


def test_the_newest_experiment_that_looked_at_a_latent_counts(engine: Engine) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_experiment(session, 5, 2, {PRUNED: True}, analysis=OLD)
        _add_experiment(session, 6, 1, {PRUNED: False, KEPT: False})
    found = _judge(engine)
    said = {index: next(g for g in found[index].grounds if g["of"] == "stability") for index in (PRUNED, KEPT)}
    assert (said[PRUNED]["code"], said[PRUNED]["found"], len(said[PRUNED]["cosines"])) == ("stable", 2, 2)
    assert (said[KEPT]["found"], len(said[KEPT]["cosines"]), said[KEPT]["chance"]) == (0, 2, 0.22)


def test_density_and_antipodality_change_nothing(engine: Engine) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_ablation(session, {(KEPT,): "needed"})
    before = {index: (row.verdict, row.grounds, row.missing) for index, row in _judge(engine).items()}
    with session_factory(engine)() as session, session.begin():
        for latent in session.scalars(select(Latent).where(Latent.analysis_id == ANALYSIS)):
            latent.density, latent.antipodality, latent.cos_dec = 0.99, 0.99, -0.99
    assert {index: (row.verdict, row.grounds, row.missing) for index, row in _judge(engine).items()} == before


def test_judging_all_leaves_out_runs_that_are_not_complete(engine: Engine) -> None:
    counts = judge_all(engine)
    assert counts == {ANALYSIS: {"investigate": 6}, OTHER: {"investigate": 1}}
    assert _verdicts(engine, OLD) == {}
    assert len(_verdicts(engine, ANALYSIS)) == 6


def test_queries_do_not_grow_with_the_latents(engine: Engine) -> None:
    asked: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    with session_factory(engine)() as session, session.begin():
        judge_analysis(session, ANALYSIS)
        few = len([statement for statement in asked if statement.startswith(("SELECT", "INSERT", "DELETE"))])
        for index in range(7, 40):
            _add_latent(session, index)
        session.flush()
        asked.clear()
        judge_analysis(session, ANALYSIS)
    many = len([statement for statement in asked if statement.startswith(("SELECT", "INSERT", "DELETE"))])
    assert few == many
    assert many <= 14
