"""What older workers said of labels, of missing values and of experiments becomes codes, and comes back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.experiments.sentences import settings_said, summary_said
from app.labels.sentences import association_said, confound_said, refusal_said
from app.shared.reasons import reason_said
from migrations import runner
from store.session import make_engine
from tests.app.world import build

LABELS = {
    1: ("party", "category", "document", "eta2"),
    2: ("<b>{year}</b>", "number", "document", "spearman"),
    3: ("flag", "boolean", "document", "auc"),
    4: ("tag: quote", "boolean", "token", "auc"),
}
MEANS = [{"value": "b", "mean": -0.5}, {"value": "{a}", "mean": 0.75}, {"value": "c", "mean": 0.1}]
NUMBERS = {"effect": 0.4, "low": 0.3, "high": 0.5, "conditional": 0.2, "held_out": 0.31, "q": 0.01}
LESS = {"effect": -0.4, "low": -0.5, "high": -0.001, "conditional": -0.2, "held_out": -0.004, "q": 0.31}
SHUFFLED = "no more than labels dealt out anew would give (q 0.31)."
ETA = "Differs between the groups of party, highest in {a} and lowest in b (eta² 0.40, 0.30 to 0.50, 0.02 by chance;"
ETA += " held out, R² +0.31; after words and position 0.20):"
SAID: list[tuple[int, str, dict[str, float], dict[str, Any], dict[str, Any]]] = [
    (1, f"{ETA} yes.", NUMBERS, {}, {"code": "yes", "highest": "{a}", "lowest": "b"}),
    (1, f"{ETA} yes; still there after <b>{{year}}</b>, cannot be told apart from x, y.", NUMBERS,
     {"adjusted": {"for": "<b>{year}</b>", "p": 0.001, "inseparable": ["x", "y"]}},
     {"code": "yes", "after": "<b>{year}</b>", "still": True, "inseparable": ["x", "y"]}),
    (1, f"{ETA} yes; gone after flag.", NUMBERS, {"adjusted": {"for": "flag", "p": 0.4, "inseparable": []}},
     {"code": "yes", "after": "flag", "still": False}),
    (1, f"{ETA} no: does not hold in documents that were held out (+0.31).", NUMBERS, {}, {"code": "not_held_out"}),
    (2, "Lower in documents with a larger <b>{year}</b> (Spearman -0.40, -0.50 to 0.00; after words and position -0.20"
     f"): no: {SHUFFLED}", LESS, {}, {"code": "shuffled", "kind": "number"}),
    (2, "Lower in documents with a larger <b>{year}</b> (Spearman -0.40, -0.50 to 0.00; after words and position -0.20"
     f"): no: once words and position are out, {SHUFFLED}", LESS, {}, {"code": "words_or_position"}),
    (3, "Higher in documents where flag is true (AUC 0.40, 0.30 to 0.50; after words and position 0.20): no: the"
     " interval after words and position takes in chance.", NUMBERS, {}, {"code": "chance", "kind": "boolean"}),
    (4, "Higher on text marked tag: quote (AUC 0.40, 0.30 to 0.50; after words and position 0.20): yes.", NUMBERS, {},
     {"code": "yes", "kind": "token"}),
    (4, "Not measured: 3 of the documents read have text both inside and outside such spans; 5 are needed.", {}, {},
     {"code": "unmeasured", "reason": {"code": "few_mixed", "documents": 3, "needed": 5}}),
    (3, "Not measured: the signal is the same in all these documents.", {}, {},
     {"code": "unmeasured", "reason": {"code": "constant"}}),
    (3, "Nobody can read this back.", NUMBERS, {}, {"code": "text", "text": "Nobody can read this back."}),
]  # fmt: skip
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("its values are of different kinds: numbers in 39, true/false in 1 documents",
     {"code": "mixed", "kinds": {"number": 39, "boolean": 1}}),
    ("12 of the documents read have a value; at least 20 are needed",
     {"code": "few_documents", "found": 12, "needed": 20}),
    ("38 documents are true and 2 false; at least 5 of each are needed",
     {"code": "few_a_side", "true": 38, "false": 2, "needed": 5}),
    ("a number that is not finite in 2 documents", {"code": "not_finite", "documents": 2}),
    ("40 of 41 documents have a value that no other has",
     {"code": "own_values", "documents": 40, "of": 41, "numbers": False}),
    ("40 of 40 documents have a value that no other has; numbers are measured as such where they stand without quotes",
     {"code": "own_values", "documents": 40, "of": 40, "numbers": True}),
    ("only the 20 most frequent of its 30 labels are measured", {"code": "most_frequent", "measured": 20, "of": 30}),
    ("3 of the documents read have such a span; at least 5 are needed",
     {"code": "few_with_span", "found": 3, "needed": 5}),
    ("only the first 40 columns are measured", {"code": "first_columns", "measured": 40}),
    ("its values are objects; a label is one value a document", {"code": "objects"}),
    ("every document has the same value", {"code": "same_value"}),
    ("only one value is shared by two documents", {"code": "one_shared"}),
    ("its lists hold something other than spans (start, end and label, in characters)", {"code": "no_spans"}),
    ("no span in the documents read", {"code": "no_span"}),
    ("a reason of another program", {"code": "text", "text": "a reason of another program"}),
]  # fmt: skip
CONFOUNDS = [
    {"name": "flag", "strength": 0.81, "measure": "Cramér's V",
     "words": "party goes with flag (Cramér's V 0.81): what goes with one may come from the other"},
    {"name": "x", "strength": 0.5, "measure": "eta²", "words": "Party and x are one."},
]  # fmt: skip
REASONS = {
    "max": ("never fired on this text", {"code": "silent"}),
    "mean": ("never fired on an ordinary token of this text", {"code": "silent_on_ordinary"}),
    "skewness": ("fired too rarely, or always with the same activation", {"code": "rare_or_constant"}),
    "partner": ("needs an encoder and a decoder direction, and another latent", {"code": "no_directions"}),
    "cos_bias": ("the SAE has no decoder bias, or it is zero", {"code": "no_bias"}),
    "mass_share": ("no latent of this SAE fired on this text", {"code": "all_silent"}),
    "density_low": (
        "the text read lies in fewer than two of the 64 document groups, so no interval can be given",
        {"code": "few_groups"},
    ),
    "other": ("who knows", {"code": "text", "text": "who knows"}),
}
SUMMARY = {
    "arms": {
        "original": {"n_dense": {"mean": 36.333}},
        "dense": {"n_dense": {"mean": 19.0}},
        "dimension": {"n_dense": {"mean": 38.0}},
        "variance": {"n_dense": {"mean": 52.0}, "short": True, "removed_variance": 0.0812},
        "components": {"n_dense": {"mean": 19.0}, "short": False, "removed_variance": 0.2},
    },
    "more_than_dense": {
        "dimension": {"mean": 19.0, "low": 10.0, "high": 28.0, "seeds": 3},
        "variance": {"mean": 33.0, "low": None, "high": None, "seeds": 1},
        "components": {"mean": 0.0, "low": -2.5, "high": 2.5, "seeds": 3},
    },
    "words": (
        "Dense latents: 36.3 in SAEs of the activations as they are, 19.0 without the dense span, 38.0 without a sparse"
        " span of as many dimensions. Without the dense span 19.0 fewer come back than at equal dimension (95 %"
        " interval of the difference over 3 seeds 10.0 to 28.0): they depend on that span. Without sparse latents of"
        " equal variance: 52.0, 33.0 more than without the dense span (one seed; only 8.1% of the variance could be"
        " reached). Without as many top components: 19.0, as many as without the dense span (interval -2.5 to 2.5)."
    ),
    "angles": {},
}
NOT_BOTH = {
    "words": "The arms without the dense span and without a sparse span of equal dimension were not both trained."
}
NORMALISATION = {
    "normalisation": "sae-lens scales the activations that each arm is trained on, after the removal, so that their"
    " mean length is the square root of d_model (unit mean square), and folds the scale into the weights",
    "tokens": 5,
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store of before."""
    url = build(tmp_path / "store.db")
    runner.downgrade(url, "0009")
    engine = make_engine(Path(url))
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run("DELETE FROM association")
        run("DELETE FROM label")
        run("DELETE FROM experiment WHERE id > 2")
        for key, (name, kind, of, measure) in LABELS.items():
            confounds = json.dumps(CONFOUNDS if key == 1 else [])
            run(_insert("label"), (key, 2, name, kind, of, measure, 9, "[]", None, confounds))
        for key, (words, _statement) in enumerate(REFUSED):
            run(_insert("label"), (10 + key, 2, f"r{key}", "other", "document", "none", 9, "[]", words, "[]"))
        for index, (label, words, numbers, more, _statement) in enumerate(SAID):
            data = {"chance": 0.02 if label == 1 else 0.5 if label == 4 else 0.0, "means": MEANS, **more}
            if label == 4:
                data["chance"] = 0.3
            held = [numbers.get(name) for name in ("effect", "low", "high", "conditional", "held_out")]
            row = (11, index, label, "yes", *held, None, numbers.get("q"), words, json.dumps(data))
            run(_insert("association"), row)
        grounds = [{"of": "labels", "speaks": "keep", "code": "label", "label": "party"}]
        grounds[0] |= {"statement": {"code": "text", "text": SAID[0][1]}}  # type: ignore[dict-item]
        run('UPDATE verdict SET grounds = ? WHERE analysis_id = 11 AND "index" = 0', (json.dumps(grounds),))
        reasons = json.dumps({name: words for name, (words, _code) in REASONS.items()})
        run("UPDATE latent SET reasons = ? WHERE analysis_id = 11", (reasons,))
        run("UPDATE experiment SET summary = ?, settings = ? WHERE id = 1",
            (json.dumps(SUMMARY), json.dumps(NORMALISATION)))  # fmt: skip
        run("UPDATE experiment SET summary = ? WHERE id = 2", (json.dumps(NOT_BOTH),))
    engine.dispose()
    return url


COLUMNS = {
    "label": 'id, run_id, name, kind, "of", measure, documents, groups, reason, confounds',
    "association": (
        'analysis_id, "index", label_id, verdict, effect, low, high, conditional, held_out, p, q, words, data'
    ),
}


def _insert(table: str) -> str:
    return f"INSERT INTO {table} ({COLUMNS[table]}) VALUES ({', '.join('?' * len(COLUMNS[table].split(', ')))})"


def column(url: str, asked: str, as_json: bool = True) -> list[Any]:
    engine = make_engine(Path(url))
    with engine.connect() as connection:
        found = connection.execute(sa.text(asked)).scalars().all()
    engine.dispose()
    return [json.loads(one) if as_json and one is not None else one for one in found]


ASKED = {
    "association": 'SELECT {} FROM association ORDER BY "index"',
    "label": "SELECT {} FROM label ORDER BY id",
    "latent": 'SELECT {} FROM latent WHERE analysis_id = 11 ORDER BY "index"',
    "experiment": "SELECT {} FROM experiment ORDER BY id",
    "verdict": 'SELECT {} FROM verdict WHERE analysis_id = 11 AND "index" = 0',
}


def test_sentences_become_codes_and_come_back(url: str) -> None:
    for _again in range(2):
        runner.upgrade(url, "0010", backup=False)
        statements = column(url, ASKED["association"].format("statement"))
        for found, (*_said, wanted) in zip(statements, SAID, strict=True):
            assert {name: found[name] for name in wanted} == wanted
        assert statements[4] | LESS == statements[4]
        assert column(url, ASKED["verdict"].format("grounds"))[0][0]["statement"] == statements[0]
        refused = column(url, ASKED["label"].format("reason"))
        assert refused == [None] * len(LABELS) + [statement for _words, statement in REFUSED]
        assert column(url, ASKED["label"].format("confounds"))[0] == [
            {"name": "flag", "strength": 0.81, "measure": "Cramér's V"},
            {"name": "x", "strength": 0.5, "measure": "eta²", "statement": _text("Party and x are one.")},
        ]
        reasons = column(url, ASKED["latent"].format("reasons"))
        assert reasons == [{name: code for name, (_words, code) in REASONS.items()}] * 40
        summary, bare = column(url, ASKED["experiment"].format("summary"))
        assert (summary["statement"], bare) == ({"code": "depends"}, {"statement": {"code": "not_both"}})
        assert column(url, ASKED["experiment"].format("settings"))[0]["normalisation"] == "unit_mean_square"
        runner.downgrade(url, "0009")
        assert column(url, ASKED["association"].format("words"), False) == [words for _label, words, *_rest in SAID]
        assert column(url, ASKED["label"].format("reason"), False)[len(LABELS) :] == [words for words, _one in REFUSED]
        assert column(url, ASKED["label"].format("confounds"))[0] == CONFOUNDS
        assert column(url, ASKED["latent"].format("reasons"))[3] == {name: said for name, (said, _c) in REASONS.items()}
        assert column(url, ASKED["experiment"].format("summary")) == [SUMMARY, NOT_BOTH]
        assert column(url, ASKED["experiment"].format("settings"))[0] == NORMALISATION
        assert column(url, ASKED["verdict"].format("grounds"))[0][0]["statement"] == _text(SAID[0][1])


def _text(words: str) -> dict[str, Any]:
    return {"code": "text", "text": words}


def test_the_server_says_of_a_code_what_the_sentence_said(url: str) -> None:
    """To the letter, but for the true minus sign, the space before a per cent sign, and `REWORDED`."""
    runner.upgrade(url, "0010", backup=False)
    told = [association_said(one) for one in column(url, ASKED["association"].format("statement"))]
    assert [typed(words) for words in told] == [reworded(words) for _label, words, *_rest in SAID]
    refused = column(url, ASKED["label"].format("reason"))[len(LABELS) :]
    assert [refusal_said(one) for one in refused] == [words for words, _statement in REFUSED]
    confounds = column(url, ASKED["label"].format("confounds"))[0]
    assert [confound_said("party", one) for one in confounds] == [reworded(str(one["words"])) for one in CONFOUNDS]
    held = column(url, ASKED["latent"].format("reasons"))[0]
    assert [reason_said(one) for one in held.values()] == [words for words, _code in REASONS.values()]
    summaries = [typed(summary_said(one)) for one in column(url, ASKED["experiment"].format("summary"))]
    assert summaries == [SUMMARY["words"], NOT_BOTH["words"]]
    assert settings_said(column(url, ASKED["experiment"].format("settings"))[0]) == NORMALISATION


REWORDED = {
    "no more than labels dealt out anew would give": "no better than shuffled labels",
    "what goes with one may come from the other": "the two cannot be separated",
}
"""What an older worker wrote, and what the server says of the same code."""


def reworded(text: str) -> str:
    for old, now in REWORDED.items():
        text = text.replace(old, now)
    return text


def typed(text: str) -> str:
    """As a keyboard has it."""
    return re.sub("\u202f%", "%", text.replace("\u2212", "-"))
