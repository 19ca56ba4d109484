"""Verdicts that an older worker put in sentences become codes with numbers, and come back as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, text

from migrations import runner
from store.session import make_engine
from store.tables import Verdict
from tests.app.world import build

RUN = "--db STORE --sae tiny/l1-resid --run 2"
LOSS = "the loss changes by +0.0200 (95 % +0.0100 to +0.0300) nats per token, more than 0.002: the model needs it."
KL = " KL 0.0200 (0.0150 to 0.0250), more than 0.002: it says other things."
CONTROL = " Of 20 random directions of about that length 95 % change it by less than 0.0011."
SEEDS = "(largest |cosine| 0.31, 0.28; random directions reach 0.22). Of the sparse latents 34% are found again."
GROUNDS: list[tuple[tuple[str, str, str], dict[str, Any]]] = [
    (
        ("rule", "keep", "Keep: it has a function (position, null space), and what the model says of the text changes"
         " without it."),
        {"code": "keep", "classes": ["position", "null_space"], "labels": []},
    ),
    (
        ("rule", "neither", "Investigate: it goes with a label (year, party), yet the loss stays the same without it;"
         " class or label and effect disagree. Missing: pair effect, stability."),
        {"code": "investigate", "classes": [], "labels": ["year", "party"], "conflict": "explained_without_effect",
         "missing": ["pair_effect", "stability"]},
    ),
    (
        ("rule", "neither", "Investigate. Missing: context binding."),
        {"code": "investigate", "classes": [], "labels": [], "conflict": None, "missing": ["context_binding"]},
    ),
    (
        ("null_space", "keep", "Null space: Writes where the unembedding hardly looks."),
        {"code": "class", "statement": {"code": "text", "text": "Writes where the unembedding hardly looks."}},
    ),
    (
        ("labels", "keep", "Party: Differs: highest in R."),
        {"code": "label", "label": "Party", "statement": {"code": "text", "text": "Differs: highest in R."}},
    ),
    (("classes", "prune", "None of the 6 classes that were measured holds."), {"code": "no_class", "measured": 6}),
    (
        ("effect", "keep", f"Without the latent {LOSS}{KL}{CONTROL}"),
        {"code": "needed", "loss": 0.02, "low": 0.01, "high": 0.03, "kl": 0.02, "kl_low": 0.015, "kl_high": 0.025,
         "epsilon": 0.002, "moves": True, "control": {"n": 20, "high": 0.0011}},
    ),
    (
        ("pair_effect", "neither", "Without the pair the loss changes by −0.0004 (no interval) nats per token, neither"
         " within nor beyond ±0.002. No matched controls were measured."),
        {"code": "unclear", "loss": -0.0004, "low": None, "high": None, "kl": None, "kl_low": None, "kl_high": None,
         "epsilon": 0.002, "moves": False, "control": None},
    ),
    (
        ("stability", "prune", f"Found again in 0 of 2 SAEs trained from other seeds {SEEDS}"),
        {"code": "unstable", "cosines": [0.31, 0.28], "found": 0, "chance": 0.22, "sparse": 0.34},
    ),
    (("effect", "keep", "Nobody can read this back."), {"code": "text", "text": "Nobody can read this back."}),
]  # fmt: skip
GAPS: list[tuple[tuple[str, str], dict[str, Any]]] = [
    (("effect", f"What the model does without it is not measured: `dense-latents ablate {RUN}`."),
     {"code": "effect", "dense": True}),
    (("stability", "Whether other seeds find it is not measured: `dense-latents retrain` looks at dense latents only."),
     {"code": "stability", "dense": False}),
    (("effect", f"The interval is too wide for ±0.002; four times the text halves it: `dense-latents ablate {RUN}"
      " --tokens 80000`."),
     {"code": "wide_loss", "epsilon": 0.002, "tokens": 20_000}),
    (("classes", "No class was measured: `dense-latents analyze` with --detail 1:7."), {"code": "detail"}),
    (("context_binding", f"Likely context binding; steering would decide: `dense-latents steer {RUN}`."),
     {"code": "steer"}),
    (("position", "Position: Not measured: no text. More text may tell: `dense-latents analyze` with more --tokens."),
     {"code": "unmeasured", "statement": {"code": "text", "text": "Not measured: no text."}}),
]  # fmt: skip


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store of before, with one verdict of those grounds and gaps."""
    url = build(tmp_path / "store.db")
    runner.downgrade(url, "0007")
    engine = make_engine(Path(url))
    with engine.begin() as connection:
        connection.execute(text('DELETE FROM verdict WHERE analysis_id = 11 AND "index" = 7'))
        connection.execute(insert(Verdict).values(analysis_id=11, index=7, verdict="keep", **old()))
    engine.dispose()
    return url


def old() -> dict[str, Any]:
    """As they were stored."""
    return {
        "grounds": [{"of": of, "speaks": speaks, "words": words} for (of, speaks, words), _new in GROUNDS],
        "missing": [{"of": of, "words": words} for (of, words), _new in GAPS],
    }


def new() -> dict[str, Any]:
    """As they are stored."""
    return {
        "grounds": [{"of": of, "speaks": speaks, **statement} for (of, speaks, _words), statement in GROUNDS],
        "missing": [{"of": of, **statement} for (of, _words), statement in GAPS],
    }


def held(engine: Engine) -> dict[str, Any]:
    """What is stored now."""
    with engine.connect() as connection:
        here = select(Verdict.grounds, Verdict.missing).where(Verdict.analysis_id == 11, Verdict.index == 7)
        return dict(connection.execute(here).one()._mapping)


def test_sentences_become_codes_and_come_back(url: str) -> None:
    engine = make_engine(Path(url))
    for _again in range(2):
        runner.upgrade(url, "0008", backup=False)
        assert held(engine) == new()
        runner.downgrade(url, "0007")
        assert held(engine) == old()
    engine.dispose()


def test_codes_of_a_newer_worker_survive_the_way_down(url: str) -> None:
    engine = make_engine(Path(url))
    runner.upgrade(url, "0008", backup=False)
    newer = [{"of": "effect", "speaks": "keep", "code": "of_tomorrow", "numbers": [1, 2.5]}]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM verdict"))
        connection.execute(insert(Verdict).values(analysis_id=11, index=7, verdict="keep", grounds=newer, missing=[]))
    runner.downgrade(url, "0007")
    runner.upgrade(url, "0008", backup=False)
    assert held(engine)["grounds"] == newer
    engine.dispose()
