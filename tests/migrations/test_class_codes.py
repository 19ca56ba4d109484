"""What an older worker said of classes and of steering in sentences becomes codes with numbers, and comes back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from app.classes.sentences import score_said
from app.interventions.sentences import steering_said
from migrations import runner
from store.session import make_engine
from tests.app.world import build

RUNS = "on one side for 18 tokens on average (shuffled 2.1)"
FOLLOWS = (
    "Pushed to one side of this signal and to the other (by 2 standard deviations), the model each time finds that"
    " side's text the likelier one in 10 of 12 pairs of texts (83 %, 70 % to 93 %); no control does so in more than"
    " 42 % (sparse latents)."
)
STEERED = {
    "code": "follows", "dose": 2.0, "flips": 10, "pairs": 12, "rate": 0.83, "low": 0.7, "high": 0.93, "largest": 0.42,
    "control": "sparse",
}  # fmt: skip
BOUND = {"code": "bound", "run": 18.0, "shuffled": 2.1, "within": 0.71, "across": 0.52}
TOLD = f"Stays {RUNS}; which side, the text decides: within a document its words tell (AUC 0.71), across documents they"
LETTERS = {"side": "suppressed", "count": 97, "of": 100, "letter": "s"}
SAID: list[tuple[str, str, dict[str, Any]]] = [
    ("position", "Falls with the distance from the start of the sentence (ρ −0.62).",
     {"code": "follows", "kind": "sentence", "rho": -0.62}),
    ("position", "Not measured: only 12 documents have paragraphs; 64 are needed; this text has no sentences.",
     {"code": "no_distance", "reasons": {"paragraph": {"code": "few", "found": 12, "needed": 64},
                                         "sentence": {"code": "none"}}}),
    ("context_binding", f"{TOLD} do not (0.52). Steering is not measured yet.", BOUND),
    ("context_binding", f"{TOLD} do not (0.52). {FOLLOWS}", BOUND | {"steering": STEERED}),
    ("context_binding", f"Does not last: half of its memory is gone after inf tokens; it stays {RUNS}.",
     {"code": "brief", "half_life": None, "run": 18.0, "shuffled": 2.1}),
    ("null_space", "Writes where the unembedding hardly looks: 30% of its length, 3.0 times chance.",
     {"code": "quiet", "alpha": 0.3, "typical": 0.1}),
    ("alphabet", "Of the 100 tokens it suppresses most, 97 begin with “s”, but the output is layers away.",
     {"code": "early", **LETTERS}),
    ("content_word", "Higher on function words and punctuation (AUC 0.80), but over word types only 0.55: a list of"
     " frequent words.",
     {"code": "frequent", "side": "function", "auc": 0.8, "types": 0.55}),
    ("content_word", "Not measured: not English: 1.2% of the words are English function words; the tagger needs at"
     " least 15%",
     {"code": "untagged", "reason": {"code": "not_english", "share": 0.012, "needed": 0.15}}),
    ("principal_component", "Not along the first principal component (|cos| 0.10); nearest to number 3 (0.40).",
     {"code": "apart", "cos": 0.1, "component": 3, "nearest": 0.4}),
    ("unexplained", "None of the 6 classes holds. Not measured: null space, content word.",
     {"code": "none", "classes": 6, "missing": ["null_space", "content_word"]}),
    ("mixture", "A messy aggregate: 62% of its variance is spread over about 120 sparse latents.",
     {"code": "aggregate", "r2": 0.62, "latents": 120.0}),
    ("position", "Not measured: 40 documents were read and 64 are needed, since in few of them slow noise looks like an"
     " effect.",
     {"code": "few_documents", "found": 40, "needed": 64}),
    ("steering", FOLLOWS, STEERED),
    ("steering", "Steering could not be measured: 3 pairs of texts were found and 24 are needed.",
     {"code": "unmeasured", "reason": {"code": "few_pairs", "found": 3, "needed": 24}}),
    ("of_yesterday", "Nobody can read this back.", {"code": "text", "text": "Nobody can read this back."}),
]  # fmt: skip
EVIDENCE = {"steering": {"label": "yes", "words": FOLLOWS, "before": {"label": "likely", "words": SAID[2][1]}}}
KEPT = {"steering": {"label": "yes", "statement": STEERED, "before": {"label": "likely", "statement": BOUND}}}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store of before: sentence after sentence, one a latent."""
    url = build(tmp_path / "store.db")
    runner.downgrade(url, "0008")
    engine = make_engine(Path(url))
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM score"))
        connection.execute(sa.text("DELETE FROM steering"))
        for index, (name, words, _statement) in enumerate(SAID):
            where = "steering (intervention_id, positive, negative, label, pairs, words, data)"
            values = "(3, :index, :index, 'yes', 0, :words, '{}')"
            if name != "steering":
                where = 'score (analysis_id, "index", name, label, words, data)'
                values = "(11, :index, :name, 'yes', :words, '{}')"
            said = {"index": index, "name": name, "words": words}
            connection.execute(sa.text(f"INSERT INTO {where} VALUES {values}"), said)
        held = sa.text("UPDATE score SET data = :data WHERE name = 'context_binding'").bindparams(
            sa.bindparam("data", type_=sa.JSON)
        )
        connection.execute(held, {"data": EVIDENCE})
    engine.dispose()
    return url


def stored(engine: Engine, column: str) -> dict[int, Any]:
    """A column of all of them, by the latent's index."""
    kind = sa.JSON if column == "statement" else sa.String
    score = sa.text(f'SELECT "index", {column} FROM score').columns(sa.column("index"), sa.column(column, kind))
    steering = sa.text(f"SELECT positive, {column} FROM steering").columns(
        sa.column("positive"), sa.column(column, kind)
    )
    with engine.connect() as connection:
        return {index: said for part in (score, steering) for index, said in connection.execute(part)}


def evidence(engine: Engine) -> Any:
    """Of the first of context binding."""
    found = sa.text("SELECT data FROM score WHERE name = 'context_binding'").columns(sa.column("data", sa.JSON))
    with engine.connect() as connection:
        return connection.execute(found).scalars().first()


def test_sentences_become_codes_and_come_back(url: str) -> None:
    engine = make_engine(Path(url))
    for _again in range(2):
        runner.upgrade(url, "0009", backup=False)
        assert stored(engine, "statement") == {index: statement for index, (*_said, statement) in enumerate(SAID)}
        assert evidence(engine) == KEPT
        runner.downgrade(url, "0008")
        assert stored(engine, "words") == {index: words for index, (_name, words, _statement) in enumerate(SAID)}
        assert evidence(engine) == EVIDENCE
    engine.dispose()


@pytest.mark.parametrize(("name", "words", "statement"), SAID)
def test_the_server_says_of_a_code_what_the_sentence_said(name: str, words: str, statement: dict[str, Any]) -> None:
    """The same numbers in the same order, in the server's own words."""
    told = steering_said(statement) if name == "steering" else score_said(name, statement)
    assert "unknown" not in told
    assert digits(told) == digits(words)


def digits(text: str) -> list[str]:
    """All numbers of a sentence."""
    return re.findall(r"\d+(?:\.\d+)?", text)
