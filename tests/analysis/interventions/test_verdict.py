"""A verdict follows from measurements alone, names what made it and what is missing, and is never a guess."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from analysis.interventions.verdict import (
    Change,
    ClassFound,
    Decision,
    Found,
    LabelFound,
    Measured,
    Place,
    decide,
    judge_all,
    judge_analysis,
)
from analysis.interventions.verdict.measured import CLASSES
from analysis.interventions.verdict.statistics import STATISTICS
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
    Steering,
    Verdict,
)

ROOT = Path(__file__).resolve().parents[3]
PLACE = Place("tiny/l1-resid", 1, 7)
EPSILON = 0.002
# (loss, low, high), KL's (value, low, high)
LOSSES = {
    "needed": ((0.02, 0.01, 0.03), (0.02, 0.015, 0.025)),
    "harmful": ((-0.02, -0.03, -0.01), (0.02, 0.015, 0.025)),
    "equivalent": ((0.0004, -0.0006, 0.0014), (0.0005, 0.0004, 0.0006)),
    "unclear": ((0.002, -0.001, 0.005), (0.0015, 0.001, 0.0025)),
    "unclear but moving": ((0.002, -0.001, 0.005), (0.004, 0.003, 0.005)),
    "unclear but moving as others do": ((0.002, -0.001, 0.005), (0.004, 0.003, 0.005)),
    "equivalent, its KL open": ((0.0004, -0.0006, 0.0014), (0.0019, 0.0015, 0.0023)),
    "equivalent but moving": ((0.0004, -0.0006, 0.0014), (0.004, 0.003, 0.005)),
}


def change(what: str | None, of: str = "latent") -> Change | None:
    """An effect of that kind."""
    if what is None:
        return None
    (loss, low, high), (kl, kl_low, kl_high) = LOSSES[what]
    beats = 0.9 if what == "unclear but moving as others do" else 1.0
    control = {name: {"median": 0.0004, "high": 0.0011, "beats": beats, "n": 20} for name in ("loss", "kl")}
    return Change(of, loss, low, high, kl, kl_low, kl_high, low > -EPSILON and high < EPSILON, control)


def classes(position: str = "no", others: str = "no") -> tuple[ClassFound, ...]:
    """Six classes; `position` stands for the one that may hold."""
    labels = dict.fromkeys(CLASSES, others) | {"position": position}
    return tuple(ClassFound(name, label, f"What {name} says.") for name, label in labels.items())


def labels(*verdicts: str) -> tuple[LabelFound, ...]:
    return tuple(LabelFound(f"label {n}", verdict, "Goes with it.") for n, verdict in enumerate(verdicts))


UNSTABLE, STABLE = Found((0.31, 0.28, 0.3), 0, False, 0.22, 0.34), Found((0.9, 0.8, 0.95), 3, True, 0.22, 0.34)
NOTHING = {  # of which everything is known, and nothing speaks for it
    "classes": classes(), "labels": labels("no", "no"), "latent": change("equivalent"), "stability": UNSTABLE,
}  # fmt: skip


def judged(**known: Any) -> Decision:
    """The verdict where all is known and nothing speaks for the latent, but for what is given."""
    held: dict[str, Any] = {"index": 5, "is_dense": True, "has_detail": True, "partner": None, "pair": None}
    return decide(Measured(**(held | NOTHING | known)), PLACE)


def speaks(decision: Decision) -> dict[str, str]:
    return {ground.of: ground.speaks for ground in decision.grounds}


def missing(decision: Decision) -> set[str]:
    return {gap.of for gap in decision.missing}


def words(decision: Decision, of: str) -> str:
    return " ".join(said for name, said in told(decision) if name == of)


def told(decision: Decision) -> list[tuple[str, str]]:
    """All sentences, each with what it is about."""
    grounds = [(ground.of, ground.words) for ground in decision.grounds]
    return grounds + [(gap.of, gap.words) for gap in decision.missing]


# --- one branch after the other -------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["needed", "harmful", "unclear but moving"])
@pytest.mark.parametrize(
    "known", [{"classes": classes("yes")}, {"labels": labels("no", "yes")}], ids=["class", "label"]
)
def test_a_function_and_an_effect_are_kept(known: dict[str, Any], effect: str) -> None:
    decision = judged(**known, latent=change(effect), stability=None)
    assert decision.verdict == "keep"
    assert decision.grounds[0].of == "rule"
    assert speaks(decision)["effect"] == "keep"
    assert list(speaks(decision).values()).count("keep") == 3  # the rule's own, the function, the effect
    assert missing(decision) == {"stability"}  # named, though it would not change the verdict


def test_what_is_worse_with_it_is_said_to_be() -> None:
    decision = judged(classes=classes("yes"), latent=change("harmful"))
    assert "−0.0200 (95 % −0.0300 to −0.0100)" in words(decision, "effect")
    assert "better by more than 0.002" in words(decision, "effect")


def test_equivalent_unexplained_and_unstable_is_a_prune_candidate() -> None:
    decision = judged()
    assert decision.verdict == "prune"
    assert decision.missing == []
    assert speaks(decision) == dict.fromkeys(("rule", "classes", "labels", "effect", "stability"), "prune")
    assert "−0.0006 to +0.0014" in words(decision, "effect")
    assert "0.0011" in words(decision, "effect"), "the controls stand beside it"
    assert "34%" in words(decision, "stability").replace(" ", ""), "so do the sparse latents"


def test_a_corpus_without_labels_does_not_stand_in_the_way() -> None:
    decision = judged(labels=())
    assert decision.verdict == "prune"
    assert "no label" in words(decision, "labels")


@pytest.mark.parametrize(
    ("known", "gap", "command"),
    [
        ({"latent": None}, "effect", "dense-latents ablate --db STORE --sae tiny/l1-resid --run 7"),
        ({"stability": None}, "stability", "dense-latents retrain --db STORE --sae tiny/l1-resid --run 7"),
        ({"classes": None}, "classes", "dense-latents analyze` without --no-classes"),
        ({"classes": None, "has_detail": False}, "classes", "--detail 1:5"),
        ({"classes": classes("unmeasured")}, "position", "dense-latents analyze"),
        ({"classes": classes()[1:]}, "position", "dense-latents analyze"),
        ({"classes": classes("likely")}, "position", "Likely"),
        ({"labels": None}, "labels", "dense-latents analyze"),
        ({"labels": labels("unmeasured", "unmeasured")}, "labels", "dense-latents analyze"),
        ({"latent": change("unclear"), "tokens": 20_000}, "effect", "--tokens 80000"),
        ({"partner": 9}, "pair_effect", "mirror image 9"),
        ({"partner": 9, "pair": change("unclear", "pair")}, "effect", "too wide"),
        ({"latent": None, "is_dense": False}, "effect", "dense latents only"),
    ],
)
def test_what_is_missing_is_named_with_the_command(known: dict[str, Any], gap: str, command: str) -> None:
    decision = judged(**known)
    assert decision.verdict == "investigate"
    assert missing(decision) == {gap}
    assert command in words(decision, gap)
    assert gap.replace("_", " ") in decision.grounds[0].words
    assert decision.grounds[0].speaks == "neither"


def test_a_likely_context_binding_asks_for_steering() -> None:
    likely = tuple(ClassFound(name, "likely" if name == "context_binding" else "no", "") for name in CLASSES)
    for effect, verdict in (("needed", "investigate"), ("equivalent", "investigate")):
        decision = judged(classes=likely, latent=change(effect))
        assert decision.verdict == verdict
        assert "dense-latents steer --db STORE --sae tiny/l1-resid --run 7" in words(decision, "context_binding")


@pytest.mark.parametrize(
    ("known", "one", "other"),
    [
        ({"classes": classes("yes")}, "function (position)", "effect"),
        ({"labels": labels("yes")}, "label (label 0)", "effect"),
        ({"latent": change("equivalent but moving")}, "loss", "KL"),
        ({"stability": STABLE}, "effect", "stability"),
        ({"latent": change("needed")}, "effect", "classes"),
        ({"latent": change("unclear but moving")}, "effect", "classes"),
    ],
)
def test_two_that_disagree_are_named(known: dict[str, Any], one: str, other: str) -> None:
    decision = judged(**known)
    assert decision.verdict == "investigate"
    assert decision.missing == []
    why = decision.grounds[0].words
    assert one in why
    assert other in why
    assert "disagree" in why


def test_a_pair_is_one_signal() -> None:
    """Half of it may be missed by nobody; what the whole does decides."""
    whole = judged(partner=9, pair=change("needed", "pair"), classes=classes("yes"))
    assert whole.verdict == "keep"
    assert (speaks(whole)["effect"], speaks(whole)["pair_effect"]) == ("neither", "keep")
    assert judged(partner=9, pair=change("equivalent", "pair")).verdict == "prune"
    assert judged(partner=9, pair=change("equivalent", "pair"), latent=change("unclear")).verdict == "investigate"


def test_an_effect_without_interval_is_unclear() -> None:
    loss = Change("latent", 0.5, None, None, 0.5, None, None, None)
    decision = judged(classes=classes("yes"), latent=loss)
    assert decision.verdict == "investigate"
    assert "no interval" in words(decision, "effect")


def test_an_interval_that_touches_epsilon_is_not_beyond_it() -> None:
    for low, high in ((EPSILON, 0.03), (-0.03, -EPSILON)):
        touching = Change("latent", (low + high) / 2, low, high, 0.0, 0.0, EPSILON, False)
        assert judged(classes=classes("yes"), latent=touching).verdict == "investigate"


# --- every combination ----------------------------------------------------------------------------

CLASS = {
    "yes": classes("yes"), "likely": classes("likely"), "no": classes(), "open": classes("no", "unmeasured"),
    "none": None,
}  # fmt: skip
LABEL = {"yes": labels("no", "yes"), "no": labels("no"), "empty": (), "open": labels("unmeasured"), "none": None}
STABILITY = {"stable": STABLE, "unstable": UNSTABLE, "none": None}


def combinations() -> Iterator[tuple[str, str, str | None, str | None, bool, str]]:
    effects = [*LOSSES, None]
    for which, label, latent, stability in itertools.product(CLASS, LABEL, effects, STABILITY):
        yield which, label, latent, None, False, stability
        for pair in effects:
            yield which, label, latent, pair, True, stability


def expected(which: str, label: str, latent: str | None, pair: str | None, paired: bool, stability: str) -> str:
    """METHODS §12 once more, from the names alone."""
    effects = [effect for effect in (latent, pair) if effect]
    causal = any(effect in ("needed", "harmful", "unclear but moving") for effect in effects)
    if (which == "yes" or label == "yes") and causal:
        return "keep"
    equal = latent == "equivalent" and (not paired or pair == "equivalent")
    if equal and which == "no" and label in ("no", "empty") and stability == "unstable":
        return "prune"
    return "investigate"


def test_a_kl_that_any_push_of_the_length_has_is_no_ground_for_keeping() -> None:
    decision = judged(classes=classes("yes"), latent=change("unclear but moving as others do"))
    assert decision.verdict == "investigate"
    assert "effect" in missing(decision)


def test_nothing_is_pruned_whose_kl_is_not_shown_to_be_small() -> None:
    assert judged().verdict == "prune"
    assert judged(latent=change("equivalent, its KL open")).verdict == "investigate"


def test_a_retraining_too_short_to_find_sparse_latents_again_is_no_ground_for_pruning() -> None:
    short = replace(UNSTABLE, sparse=0.05)
    decision = judged(stability=short)
    assert decision.verdict == "investigate"
    assert "stability" in missing(decision)
    assert speaks(decision)["stability"] == "neither"


def test_every_combination_has_the_verdict_that_the_rule_says_and_a_reason() -> None:
    seen = set()
    for case in combinations():
        which, label, latent, pair, paired, stability = case
        decision = judged(
            classes=CLASS[which],
            labels=LABEL[label],
            latent=change(latent),
            partner=9 if paired else None,
            pair=change(pair, "pair"),
            stability=STABILITY[stability],
        )
        assert decision.verdict == expected(*case), case
        seen.add(decision.verdict)
        said = [ground.speaks for ground in decision.grounds[1:]]
        if decision.verdict == "keep":
            assert said.count("keep") >= 2, case  # a function or label, and an effect
        if decision.verdict == "prune":
            assert decision.missing == [], case
            assert set(said) <= {"prune", "neither"}, case
        if decision.verdict == "investigate":
            assert decision.missing or "disagree" in decision.grounds[0].words, case
        assert all(said.endswith(".") for _of, said in told(decision)), case
    assert seen == {"keep", "prune", "investigate"}


def test_the_rule_cannot_see_density_and_antipodality() -> None:
    names = {field.name for field in fields(Measured)}
    assert not names & {"density", "antipodality", "score", "cos_dec", "cos_enc"}


def test_it_is_declared_for_the_methods_page() -> None:
    assert [statistic.name for statistic in STATISTICS] == ["verdict"]
    assert "Density and antipodality are no ground" in STATISTICS[0].definition


def test_it_takes_no_torch() -> None:
    code = "import sys, analysis.interventions.verdict; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


# --- from the store and back ----------------------------------------------------------------------

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
                id=number, key=f"{number}" * 64, status="complete" if number == 1 else "writing", model_id=1,
                corpus_id=1, tokens=9, masked_tokens=0, documents=9, context=64, dense_threshold=0.1, seed=0,
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
            top_tokens=[], reasons={}, **none,
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
            Score(analysis_id=ANALYSIS, index=index, name=name, label=label, words=f"{name} says {label}.", data={})
        )


def _add_label(session: Session, verdicts: dict[int, str], reason: str | None = None) -> None:
    label = Label(
        run_id=1, name="party", kind="category", of="document", measure="eta2", documents=9, groups=[], reason=reason,
        confounds=[],
    )  # fmt: skip
    session.add(label)
    session.flush()
    for index, verdict in verdicts.items():
        session.add(
            Association(
                analysis_id=ANALYSIS, index=index, label_id=label.id, verdict=verdict, q=0.01, words="Differs.", data={}
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
                    kl_high=kl_high, top1=0, rank=0, control={},
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
            intervention_id=row.id, positive=positive, negative=negative, label=label, pairs=12, words="It flips.",
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
    assert "--sae tiny/l1-resid --run 1" in found[KEPT].missing[0]["words"]


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
        "rule", "classes", "labels", "effect", "pair_effect", "stability",
    }  # fmt: skip
    assert any("--tokens 80000" in gap["words"] for gap in found[BOUND].missing)


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
    assert "within ±0.05" in str(found[KEPT].grounds)


@pytest.mark.parametrize(("label", "verdict"), [("yes", "keep"), ("no", "investigate"), ("unmeasured", "investigate")])
def test_steering_completes_context_binding(engine: Engine, label: str, verdict: str) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_ablation(session, {(BOUND,): "needed"})
        _add_steering(session, BOUND, BOUND, label)
    found = _judge(engine)[BOUND]
    assert found.verdict == verdict
    assert ("context_binding" in {gap["of"] for gap in found.missing}) == (label == "unmeasured")
    assert any("It flips." in ground["words"] for ground in found.grounds) == (label == "yes")


def test_a_label_speaks_for_keeping(engine: Engine) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_ablation(session, {(CONTROL,): "needed"})
        _add_label(session, {CONTROL: "yes", KEPT: "unmeasured"})
    found = _judge(engine)
    assert found[CONTROL].verdict == "keep"
    assert "Party: Differs." in str(found[CONTROL].grounds)
    assert "labels" in {gap["of"] for gap in found[KEPT].missing}


def test_a_label_that_was_refused_is_not_waited_for(engine: Engine) -> None:
    """A title that every document has for itself can never be held against anything."""
    with session_factory(engine)() as session, session.begin():
        _add_label(session, {}, reason="every value is another")
        _add_ablation(session, {(PRUNED,): "equivalent", (PARTNER, PRUNED): "equivalent"})
        _add_experiment(session, 1, 1, {PRUNED: False})
    assert _judge(engine)[PRUNED].verdict == "prune"


def test_the_newest_experiment_that_looked_at_a_latent_counts(engine: Engine) -> None:
    with session_factory(engine)() as session, session.begin():
        _add_experiment(session, 5, 2, {PRUNED: True}, analysis=OLD)
        _add_experiment(session, 6, 1, {PRUNED: False, KEPT: False})
    found = _judge(engine)
    said = {index: next(g["words"] for g in found[index].grounds if g["of"] == "stability") for index in (PRUNED, KEPT)}
    assert said[PRUNED].startswith("Found again in 2 of 2")
    assert said[KEPT].startswith("Found again in 0 of 2")
    assert "random directions reach 0.22" in said[KEPT]


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
