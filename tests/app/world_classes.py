"""What the world's latents do: classes with whole, partial and no evidence, mixtures, chains, hostile labels."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from store.tables import Association, Chain, Label, Score
from tests.app.world import CONTROL, HOSTILE, NEGATIVE, ORIGINAL, POSITIVE

SIX = ("position", "context_binding", "null_space", "alphabet", "content_word", "principal_component")
HAS: dict[int, dict[int, dict[str, str]]] = {
    10: {POSITIVE: {"position": "yes"}, NEGATIVE: {"content_word": "yes"}, CONTROL: {}},
    11: {
        POSITIVE: {"position": "yes", "context_binding": "likely"},
        NEGATIVE: {"position": "yes"},
        CONTROL: {"content_word": "yes"},
        ORIGINAL: {},
    },
    12: {POSITIVE: {}, NEGATIVE: {"alphabet": "yes", "null_space": "yes"}, CONTROL: {}},
}
"""By analysis and latent: the classes it has. The other dense latents, TWIN and EDGE, were not measured."""
LABELS = ("party", HOSTILE[0], HOSTILE[3], "chapter")
BARE = 12
"""The analysis whose scores came without evidence."""


def write_classes(session: Session) -> None:
    """All rows of run 2."""
    for key, latents in HAS.items():
        for index, held in latents.items():
            session.add_all(_scores(key, index, held))
    session.add_all(_labels())
    session.flush()
    for key, latents in HAS.items():
        session.add_all(_association(key, index, label) for index in latents for label in (1, 2, 3))
    session.add_all(_chains())


def _scores(key: int, index: int, held: dict[str, str]) -> list[Score]:
    made = [_score(key, index, name, held.get(name, "no")) for name in SIX]
    rest = "no" if held else "yes"
    made.append(_score(key, index, "unexplained", rest))
    made.append(_score(key, index, "mixture", {POSITIVE: "sum", NEGATIVE: "aggregate"}.get(index, "own")))
    return made


def _score(key: int, index: int, name: str, label: str) -> Score:
    bare = key == BARE or name == "unexplained"
    numbers: dict[str, float | None] = dict.fromkeys(("score", "cut", "chance", "control", "p", "q"))
    if not bare:
        numbers |= {"score": 0.62 if label in {"yes", "likely", "sum"} else 0.05, "cut": 0.4, "chance": 0.12}
        numbers |= {"control": 0.03, "p": 1e-6, "q": 0.0312} if name == "position" else {}
    words = f"What {name} says of {index} is {label}."
    data = {} if bare else EVIDENCE.get(name, {})
    said = {"code": "text", "text": words}
    return Score(analysis_id=key, index=index, name=name, label=label, statement=said, data=data, **numbers)


EVIDENCE: dict[str, dict[str, Any]] = {
    "position": {
        "kind": "sentence",
        "kinds": {
            "context": {"rho": -0.12, "low": -0.2, "high": -0.04, "partial": 0.01, "chance": 0.1, "reason": None},
            "paragraph": {"rho": None, "reason": {"code": "none"}},
            "sentence": {"rho": -0.62, "low": -0.66, "high": -0.58, "partial": -0.5, "without_first": -0.6},
        },
        "profile": {
            "kind": "sentence",
            "edges": [0, 1, 2, 4],
            "mean": [0.9, 0.1, None],
            "low": [0.8, 0.0, None],
            "high": [1.0, 0.2, None],
            "tokens": [90, 80, 0],
        },
    },
    "context_binding": {
        "half_life": 41.0,
        "runs": {"edges": [1, 2, 4, 8], "observed": [30, 20, 0], "shuffled": [60.5, 5.5, 0.0]},
        "mean_run": 22.1,
        "mean_run_shuffled": 2.9,
        "within": 0.62,
        "across": 0.52,
    },
    "null_space": {
        "k": [1, 10, 64],
        "alpha": [0.01, 0.07, 0.3],
        "chance_low": [0.0, 0.02, 0.2],
        "chance_high": [0.1, 0.2, 0.4],
        "at": 10,
    },
    "alphabet": {
        "side": "suppressed",
        "letter": "<b>",
        "count": 31,
        "of": 100,
        "lift": 3.1,
        "letters": {"<b>": 31, "t": 12, "none": 57},
        "tokens": HOSTILE,
        "eligible": True,
    },
    "content_word": {
        "auc": 0.62,
        "low": 0.6,
        "high": 0.64,
        "auc_types": 0.6,
        "firing": 0.58,
        "tags": [
            {"tag": "NOUN", "auc": 0.7, "low": 0.68, "high": 0.72, "q": 0.001, "share": 0.2},
            {"tag": "<img>", "auc": 0.3, "low": None, "high": None, "q": None, "share": None},
        ],
        "roc": {"fpr": [0.0, 0.5, 1.0], "tpr": [0.0, 0.7, 1.0]},
        "tagger": "made",
    },
    "principal_component": {
        "component": 3,
        "cosines": [0.05, 0.1, -0.4],
        "variance": [0.3, 0.2, 0.1],
        "ratio": 1.5,
        "stability": 0.98,
        "uncentred": 0.4,
    },
    "word": {"sources": [{"name": "word", "share": [0.71, 0.69, 0.73]}], "random": 0.5},
    "slow_state": {
        "sources": [{"name": "past", "share": [0.2, 0.1, 0.3]}, {"name": "<b>", "share": [0.1, None, None]}]
    },
    "norm": {"sources": [{"name": "norm", "share": [None, None, None]}]},
    "constant": {},
    "mixture": {
        "r2": 0.62,
        "participation": 2.3,
        "latents": [{"index": 12, "share": 0.5, "weight": 1.2}, {"index": 9, "share": 0.25, "weight": -0.4}],
        "pool": 30,
        "tokens": 3000,
    },
}


def _labels() -> list[Label]:
    shape = {
        "run_id": 2,
        "of": "document",
        "documents": 233,
        "literal": None,
        "groups": [],
        "confounds": [],
        "reason": None,
    }
    confounds = [{"name": LABELS[1], "strength": 0.81, "measure": "eta²"}]
    groups = [{"value": HOSTILE[1], "documents": 120}, {"value": HOSTILE[3], "documents": 113}]
    short = {"code": "few_documents", "found": 12, "needed": 20}
    rows: list[dict[str, Any]] = [
        {"kind": "category", "measure": "eta2", "confounds": confounds, "groups": groups},
        {"kind": "number", "measure": "spearman"},
        {"kind": "boolean", "measure": "auc"},
        {"kind": "number", "measure": "spearman", "documents": 12, "reason": short},
    ]
    return [Label(**{**shape, **row, "id": 1 + place, "name": LABELS[place]}) for place, row in enumerate(rows)]


def _association(key: int, index: int, label: int) -> Association:
    """Strongest for the first analysis and the positive pole; only the positive pole goes with any label."""
    holds = index == POSITIVE
    effect = {1: 0.4, 2: -0.5, 3: 0.8}[label] if holds else {1: 0.01, 2: 0.02, 3: 0.51}[label]
    means = [
        {"value": HOSTILE[1], "mean": 0.5, "low": 0.3, "high": 0.7, "documents": 120},
        {"value": HOSTILE[3], "mean": -0.4, "low": None, "high": None, "documents": 113},
    ]
    numbers = {
        "effect": effect,
        "low": effect - 0.05,
        "high": effect + 0.05,
        "conditional": effect - 0.001 * (key - 10),
        "held_out": effect,
        "q": 0.0004 if holds else 0.6,
    }
    data = {"means": means, "chance": 0.02, "conditional_interval": [0.3, 0.5]} if label == 1 else {}
    return Association(
        analysis_id=key,
        index=index,
        label_id=label,
        verdict="yes" if holds else "no",
        **numbers,
        p=0.001,
        statement=_statement(label, holds, numbers, data),
        data=data,
    )


def _statement(label: int, holds: bool, numbers: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    kind, measure = {1: ("category", "eta2"), 2: ("number", "spearman"), 3: ("boolean", "auc")}[label]
    made = {"code": "yes" if holds else "shuffled", "label": LABELS[label - 1], "kind": kind, "measure": measure}
    numbers = {**numbers, "chance": data.get("chance")}
    made |= {name: numbers[name] for name in ("effect", "low", "high", "chance", "held_out", "conditional", "q")}
    return made | ({"highest": HOSTILE[1], "lowest": HOSTILE[3]} if label == 1 else {})


def _chains() -> list[Chain]:
    steps = [(10, "next", 11), (11, "previous", 10), (11, "next", 12), (12, "previous", 11)]
    return [
        Chain(
            analysis_id=key,
            index=POSITIVE,
            side=side,
            other_analysis_id=other,
            other=POSITIVE if other != 12 else NEGATIVE,
            correlation=-0.71,
            cosine=None if other == 12 else 0.66,
        )
        for key, side, other in steps
    ]
