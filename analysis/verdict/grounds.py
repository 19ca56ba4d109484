"""Grounds and gaps of a verdict: what was measured and what it speaks for, and what was not; codes with numbers."""

from __future__ import annotations

from typing import NamedTuple

from analysis.verdict.measured import ALONE, EQUIVALENT, HARMFUL, NEEDED, PUSH, UNCLEAR, Change, ClassFound, Measured
from store.vocabulary import KEEP, LATENT, LIKELY, NEITHER, NO, PRUNE, STEERED, Statement


class Ground(NamedTuple):
    """One measurement and what it speaks for."""

    of: str
    speaks: str
    statement: Statement


class Gap(NamedTuple):
    """One measurement that is not there, or not sharp enough."""

    of: str
    statement: Statement


def grounds(m: Measured) -> list[Ground]:
    """All that was measured: classes, what it follows, labels, effects, stability."""
    return [
        *_of_classes(m),
        *_of_followed(m),
        *_of_labels(m),
        *(_of_change(one, m) for one in m.changes),
        *_of_stability(m),
    ]


def gaps(m: Measured) -> list[Gap]:
    """All that was not, or not sharply enough."""
    return [*_class_gaps(m), *_followed_gaps(m), *_label_gaps(m), *_effect_gaps(m), *_stability_gaps(m)]


def _of_classes(m: Measured) -> list[Ground]:
    holding = [Ground(one.name, KEEP, {"code": "class", "statement": one.statement}) for one in m.holding]
    if holding or m.classes is None:
        return holding
    measured = sum(one.label == NO for one in m.classes)
    speaks = PRUNE if m.unexplained else NEITHER
    return [Ground("classes", speaks, {"code": "no_class", "measured": measured})] if measured else []


def _of_followed(m: Measured) -> list[Ground]:
    if m.followed is None:
        return []
    speaks = PRUNE if m.unexplained else NEITHER  # to be predicted is no function, and no reason to take it out
    return [Ground("followed", speaks, {"code": "followed", "share": m.followed})]


def _of_labels(m: Measured) -> list[Ground]:
    if m.associated:
        return [
            Ground("labels", KEEP, {"code": "label", "label": one.name, "statement": one.statement})
            for one in m.associated
        ]
    if not m.labels:
        return [] if m.labels is None else [Ground("labels", NEITHER, {"code": "no_labels"})]
    measured = sum(one.verdict == NO for one in m.labels)
    speaks = PRUNE if m.unexplained else NEITHER
    return [Ground("labels", speaks, {"code": "no_label", "measured": measured})] if measured else []


def _of_change(change: Change, m: Measured) -> Ground:
    band = change.control.get("loss") or {}
    known = band.get("n") and band.get("high") is not None
    statement = {
        "code": change.status(m.epsilon),
        "epsilon": m.epsilon,
        **{name: getattr(change, name) for name in ("loss", "low", "high", "kl", "kl_low", "kl_high")},
        "moves": change.moves(m.epsilon),
        "control": {name: band.get(name) for name in ("n", "high", "beats")} if known else None,
    }
    return Ground("effect" if change.of == LATENT else "pair_effect", _speaks(change, m), statement)


def _speaks(change: Change, m: Measured) -> str:
    status = change.status(m.epsilon)
    if status in (NEEDED, HARMFUL) or (status in (UNCLEAR, PUSH, ALONE) and change.stands_out(m.epsilon)):
        return KEEP
    # a pair is one signal: half of it may be missed by nobody where the whole is
    return PRUNE if status == EQUIVALENT and m.causal == EQUIVALENT and change.still(m.epsilon) else NEITHER


def _of_stability(m: Measured) -> list[Ground]:
    held = m.stability
    if held is None:
        return []
    statement = {
        "code": "stable" if held.stable else "unstable" if m.unstable else "too_short",
        "cosines": list(held.cosines), "found": held.found, "chance": held.chance, "sparse": held.sparse,
    }  # fmt: skip
    return [Ground("stability", KEEP if held.stable else PRUNE if m.unstable else NEITHER, statement)]


def _class_gaps(m: Measured) -> list[Gap]:
    if m.classes is None:
        return [Gap("classes", {"code": "classes" if m.has_detail else "detail"})]
    return [Gap(one.name, _class_gap(one)) for one in m.open_classes]


def _class_gap(found: ClassFound) -> Statement:
    if found.label == LIKELY and found.name == STEERED:
        return {"code": "steer"}
    return {"code": found.label, "statement": found.statement}


def _followed_gaps(m: Measured) -> list[Gap]:
    measured = m.classes is None or m.followed is not None
    return [] if measured else [Gap("followed", {"code": "not_divided"})]


def _label_gaps(m: Measured) -> list[Gap]:
    return [] if m.labels_known else [Gap("labels", {"code": "labels"})]


def _effect_gaps(m: Measured) -> list[Gap]:
    missing = []
    if m.latent is None:
        missing.append(Gap("effect", _command("effect", m)))
    if m.partner is not None and m.pair is None:
        missing.append(Gap("pair_effect", _command("pair_effect", m) | {"partner": m.partner}))
    if m.causal == ALONE:
        missing.append(Gap("effect", {"code": "alone"}))
    if m.causal == UNCLEAR or (m.causal == EQUIVALENT and not m.still and not m.moves):
        which = "loss" if m.causal == UNCLEAR else "kl"
        missing.append(Gap("effect", {"code": f"wide_{which}", "epsilon": m.epsilon, "tokens": m.tokens}))
    return missing


def _stability_gaps(m: Measured) -> list[Gap]:
    if m.stability is not None and (m.stability.stable or m.unstable):
        return []
    return [Gap("stability", _command("stability", m))]


def _command(code: str, m: Measured) -> Statement:
    """What a command would measure; of a sparse latent none does."""
    return {"code": code, "dense": m.is_dense}
