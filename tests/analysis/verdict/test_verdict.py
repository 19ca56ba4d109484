"""A verdict follows from measurements alone, names what made it and what is missing, and is never a guess."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from analysis.verdict import Change, ClassFound, Decision, Found, LabelFound, Measured, decide
from analysis.verdict.statistics import STATISTICS
from app.shared.commands import Place
from app.verdicts.sentences import gap_said, ground_said, title
from store.vocabulary import Statement
from tests.root import ROOT

CLASSES = ("position", "context_binding", "null_space", "alphabet", "content_word", "principal_component")

PLACE = Place("tiny/l1-resid", 1, 7, 5)
EPSILON = 0.002
# (loss, low, high), KL's (value, low, high)
LOSSES = {
    "needed": ((0.02, 0.01, 0.03), (0.02, 0.015, 0.025)),
    "harmful": ((-0.02, -0.03, -0.01), (0.02, 0.015, 0.025)),
    "equivalent": ((0.0004, -0.0006, 0.0014), (0.0005, 0.0004, 0.0006)),
    "needed as by any push": ((0.02, 0.01, 0.03), (0.0019, 0.0015, 0.0025)),
    "harmful as by any push": ((-0.02, -0.03, -0.01), (0.0019, 0.0015, 0.0025)),
    "push that moves": ((0.02, 0.01, 0.03), (0.02, 0.015, 0.025)),
    "unclear": ((0.002, -0.001, 0.005), (0.0015, 0.001, 0.0025)),
    "unclear but moving": ((0.002, -0.001, 0.005), (0.004, 0.003, 0.005)),
    "unclear but moving as others do": ((0.002, -0.001, 0.005), (0.004, 0.003, 0.005)),
    "equivalent, its KL open": ((0.0004, -0.0006, 0.0014), (0.0019, 0.0015, 0.0023)),
    "equivalent but moving": ((0.0004, -0.0006, 0.0014), (0.004, 0.003, 0.005)),
}


def text(words: str) -> Statement:
    """What a class or a label says; the rule does not read it."""
    return {"code": "text", "text": words}


def change(what: str | None, of: str = "latent") -> Change | None:
    """An effect of that kind."""
    if what is None:
        return None
    (loss, low, high), (kl, kl_low, kl_high) = LOSSES[what]
    beats = 0.9 if what == "unclear but moving as others do" else 1.0
    control = {name: {"median": 0.0004, "high": 0.0011, "beats": beats, "n": 20} for name in ("loss", "kl")}
    if "push" in what:
        control["loss"]["beats"] = 0.5
    return Change(of, loss, low, high, kl, kl_low, kl_high, low > -EPSILON and high < EPSILON, control)


def classes(position: str = "no", others: str = "no") -> tuple[ClassFound, ...]:
    """Six classes; `position` stands for the one that may hold."""
    labels = dict.fromkeys(CLASSES, others) | {"position": position}
    return tuple(ClassFound(name, label, text(f"What {name} says.")) for name, label in labels.items())


def labels(*verdicts: str) -> tuple[LabelFound, ...]:
    return tuple(LabelFound(f"label {n}", verdict, text("Goes with it.")) for n, verdict in enumerate(verdicts))


UNSTABLE, STABLE = Found((0.31, 0.28, 0.3), 0, False, 0.22, 0.34), Found((0.9, 0.8, 0.95), 3, True, 0.22, 0.34)
NOTHING = {  # of which everything is known, and nothing speaks for it
    "classes": classes(), "labels": labels("no", "no"), "latent": change("equivalent"), "stability": UNSTABLE,
    "followed": 0.05,
}  # fmt: skip


def judged(**known: Any) -> Decision:
    """The verdict where all is known and nothing speaks for the latent, but for what is given."""
    held: dict[str, Any] = {"index": 5, "is_dense": True, "has_detail": True, "partner": None, "pair": None}
    return decide(Measured(**(held | NOTHING | known)))


def speaks(decision: Decision) -> dict[str, str]:
    return {ground.of: ground.speaks for ground in decision.grounds}


def missing(decision: Decision) -> set[str]:
    return {gap.of for gap in decision.missing}


def words(decision: Decision, of: str) -> str:
    return " ".join(said for name, said in told(decision) if name == of)


def told(decision: Decision) -> list[tuple[str, str]]:
    """All sentences as the server makes them, each with what it is about."""
    grounds = [(ground.of, ground_said(ground.of, stored(ground.statement))) for ground in decision.grounds]
    return grounds + [(gap.of, gap_said(gap.of, stored(gap.statement), PLACE)) for gap in decision.missing]


def stored(statement: Statement) -> Statement:
    """As it comes out of the store."""
    return dict(json.loads(json.dumps(statement)))


# --- one branch after the other -------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["needed", "harmful", "unclear but moving"])
@pytest.mark.parametrize(
    "known", [{"classes": classes("yes")}, {"labels": labels("no", "yes")}], ids=["class", "label"]
)
def test_a_class_and_an_effect_are_kept(known: dict[str, Any], effect: str) -> None:
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
    assert speaks(decision) == dict.fromkeys(("rule", "classes", "followed", "labels", "effect", "stability"), "prune")
    assert "−0.0006 to +0.0014" in words(decision, "effect")
    assert "0.0011" in words(decision, "effect"), "the controls stand beside it"
    assert "34.0\u202f%" in words(decision, "stability"), "so do the sparse latents"


def test_a_latent_that_follows_something_is_no_prune_candidate() -> None:
    decision = judged(followed=0.4)
    assert decision.verdict == "investigate"
    assert speaks(decision)["followed"] == "neither"
    assert "40\u202f% of its variance" in words(decision, "followed")
    assert missing(judged(followed=None)) == {"followed"}
    assert judged(followed=None).verdict == "investigate"


def test_to_follow_something_is_no_function() -> None:
    decision = judged(followed=0.4, latent=change("needed"))
    assert decision.verdict == "investigate"
    assert "of its variance is followed, yet no class and no label" in words(decision, "rule")


def test_an_effect_without_controls_keeps_nothing() -> None:
    needed = change("needed")
    assert needed
    bare = replace(needed, control={})
    decision = judged(classes=classes("yes"), latent=bare)
    assert decision.verdict == "investigate"
    assert "nothing to hold it against" in words(decision, "effect")
    assert "has no matched controls: `dense-latents ablate" in words(decision, "effect")
    beside = replace(bare, control={"kl": {"n": 20, "beats": 1.0, "high": 0.001}})
    assert judged(classes=classes("yes"), latent=beside).verdict == "keep"  # the KL has its controls


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
    assert title(gap) in words(decision, "rule")
    assert decision.grounds[0].speaks == "neither"


def test_a_likely_context_binding_asks_for_steering() -> None:
    likely = tuple(ClassFound(name, "likely" if name == "context_binding" else "no", text("")) for name in CLASSES)
    for effect, verdict in (("needed", "investigate"), ("equivalent", "investigate")):
        decision = judged(classes=likely, latent=change(effect))
        assert decision.verdict == verdict
        assert "dense-latents steer --db STORE --sae tiny/l1-resid --run 7" in words(decision, "context_binding")


@pytest.mark.parametrize(
    ("known", "one", "other"),
    [
        ({"classes": classes("yes")}, "class (position)", "effect"),
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
    why = words(decision, "rule")
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
    """docs/methods.md §12 once more, from the names alone."""
    effects = [effect for effect in (latent, pair) if effect]
    causal = any(effect in ("needed", "harmful", "unclear but moving", "push that moves") for effect in effects)
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


@pytest.mark.parametrize("effect", ["needed as by any push", "harmful as by any push"])
def test_an_effect_that_controls_reach_as_often_as_not_is_no_ground_for_keeping(effect: str) -> None:
    """docs/methods.md §12: it is no more than a push of its length, and no sentence says that the model needs it."""
    decision = judged(classes=classes("yes"), latent=change(effect))
    assert decision.verdict == "investigate"
    assert speaks(decision)["effect"] == "neither"
    assert "no more than a push of its length" in words(decision, "effect")
    assert "10 change it as much" in words(decision, "effect")
    assert "no more than a push of its length" in words(decision, "rule")
    assert not any("needs it" in sentence for _of, sentence in told(decision))
    assert "no more than a push" in words(judged(latent=change(effect)), "rule")


def test_a_pair_with_an_effect_of_its_own_outweighs_a_push_of_one_half() -> None:
    held = {"classes": classes("yes"), "latent": change("needed as by any push"), "partner": 9}
    assert judged(**held, pair=change("needed", "pair")).verdict == "keep"
    assert judged(**held, pair=change("needed as by any push", "pair")).verdict == "investigate"


def test_one_more_than_half_of_the_controls_is_an_effect() -> None:
    needed = change("needed")
    assert needed is not None
    band = needed.control["loss"]
    for beats, verdict in ((0.55, "keep"), (0.5, "investigate"), (0.0, "investigate")):
        found = replace(needed, kl_low=0.0, control={"loss": band | {"beats": beats}})
        assert judged(classes=classes("yes"), latent=found).verdict == verdict


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
            why = words(decision, "rule")
            assert decision.missing or "disagree" in why or "no more than a push" in why, case
        assert all(said.endswith(".") and "unknown" not in said for _of, said in told(decision)), case
    assert seen == {"keep", "prune", "investigate"}


def test_the_rule_cannot_see_density_and_antipodality() -> None:
    names = {field.name for field in fields(Measured)}
    assert not names & {"density", "antipodality", "score", "cos_dec", "cos_enc"}


def test_it_is_declared_for_the_methods_page() -> None:
    assert [statistic.name for statistic in STATISTICS] == ["verdict"]
    assert "Density and antipodality are no ground" in STATISTICS[0].definition


def test_it_takes_no_torch() -> None:
    code = "import sys, analysis.verdict; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
