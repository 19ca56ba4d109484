"""Store codes with numbers for what classes and steering say, where sentences were stored"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.sentences import Statement, Templates, read, write

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def _latent() -> list[sa.ColumnClause[int]]:
    return [sa.column("analysis_id", sa.Integer), sa.column("index", sa.Integer)]


SCORE = sa.table(
    "score", *_latent(), sa.column("name", sa.String), sa.column("words", sa.String), sa.column("statement", sa.JSON),
    sa.column("data", sa.JSON),
)  # fmt: skip
STEERING = sa.table(
    "steering", sa.column("intervention_id", sa.Integer), sa.column("positive", sa.Integer),
    sa.column("negative", sa.Integer), sa.column("words", sa.String), sa.column("statement", sa.JSON),
)  # fmt: skip
VERDICT = sa.table("verdict", *_latent(), sa.column("grounds", sa.JSON), sa.column("missing", sa.JSON))


def upgrade() -> None:
    """Sentences -> codes."""
    for table in ("score", "steering"):
        op.add_column(table, sa.Column("statement", sa.JSON(), nullable=False, server_default="{}"))
    _each(lambda words, _statement, name: (words, parsed(name, words)), evidence_up, parsed_in)
    for table in ("score", "steering"):
        op.drop_column(table, "words")


def downgrade() -> None:
    """Codes -> the sentences of before."""
    for table in ("score", "steering"):
        op.add_column(table, sa.Column("words", sa.String(), nullable=False, server_default=""))
    _each(lambda _words, statement, name: (sentence(name, statement), statement), evidence_down, sentence_in)
    for table in ("score", "steering"):
        op.drop_column(table, "statement")


def _each(
    change: Callable[[str, Statement, str], tuple[str, Statement]],
    evidence: Callable[[str, dict[str, Any]], dict[str, Any]],
    embedded: Callable[[str, Statement], Statement],
) -> None:
    """Change the rows of all analyses, one analysis at a time."""
    connection = op.get_bind()
    for analysis in connection.scalars(sa.text("SELECT id FROM analysis ORDER BY id")).all():
        here = SCORE.c.analysis_id == analysis
        rows = connection.execute(sa.select(SCORE).where(here)).mappings().all()
        changed = []
        for row in rows:
            words, statement = change(row["words"], row["statement"], row["name"])
            new = {"words": words, "statement": statement, "data": evidence(row["name"], row["data"])}
            changed.append({"i": row["index"], "n": row["name"], **new})
        if changed:
            same = sa.and_(here, SCORE.c.index == sa.bindparam("i"), SCORE.c.name == sa.bindparam("n"))
            connection.execute(sa.update(SCORE).where(same), changed)
        _verdicts(connection, analysis, embedded)
    for row in connection.execute(sa.select(STEERING)).mappings().all():
        words, statement = change(row["words"], row["statement"], "steering")
        which = (STEERING.c[name] == row[name] for name in ("intervention_id", "positive", "negative"))
        connection.execute(sa.update(STEERING).where(*which).values(words=words, statement=statement))


def _verdicts(connection: sa.Connection, analysis: int, change: Callable[[str, Statement], Statement]) -> None:
    """What classes say stands in the grounds and gaps of verdicts, too."""
    here = VERDICT.c.analysis_id == analysis
    rows = connection.execute(sa.select(VERDICT).where(here)).mappings().all()
    changed = [
        {"i": row["index"]}
        | {name: [change(str(one.get("of")), one) for one in row[name]] for name in ("grounds", "missing")}
        for row in rows
    ]
    if changed:
        same = sa.and_(here, VERDICT.c.index == sa.bindparam("i"))
        connection.execute(sa.update(VERDICT).where(same), changed)


# --- templates --------------------------------------------------------------------------------------

COMMON: Templates = [
    ("absent", "Not measured."),
    ("no_tokens", "Not measured: no ordinary token is in the sample."),
    (
        "few_documents",
        "Not measured: {found:d} documents were read and {needed:d} are needed, since in few of them slow noise looks"
        " like an effect.",
    ),
    ("constant", "Not measured: the signal does not vary."),
]
DISTANCE = "{way} with the distance from the start of the {kind} (ρ {rho!m:+.2f})"
RUNS = "on one side for {run:.0f} tokens on average (shuffled {shuffled:.1f})"
GONE = "Does not last: half of its memory is gone after {half_life} tokens; it stays " + RUNS + "."
MOST = "Of the {of:d} tokens it {verb} most, {count:d} begin with “{letter}”"
HIGHER = "Higher on {where} (AUC {auc:.2f}), but"
FIRST = "Not measured: the first component"
PUSHED = (
    "Pushed to one side of this signal and to the other (by {dose:g} standard {deviation}), the model each time finds"
    " that side's text the likelier one in {flips:d} of {pairs:d} pairs of texts ({rate:.0f} %, {low:.0f} % to"
    " {high:.0f} %); "
)
TEMPLATES: dict[str, Templates] = {
    "position": [
        ("follows", f"{DISTANCE}."),
        ("explained", f"{DISTANCE}, but no more than random directions or other distances explain."),
        ("weak", "Hardly follows position: at most with the {kind} (ρ {rho!m:+.2f})."),
        ("no_distance", "Not measured: {reasons}."),
    ],
    "context_binding": [
        ("few_stretches", "Not measured: too few documents have several stretches of 32 tokens."),
        ("brief", GONE.replace("{half_life}", "{half_life:.0f}")),
        ("brief", GONE.replace("{half_life}", "inf")),
        (
            "bound",
            f"Stays {RUNS}; which side, the text decides: within a document its words tell (AUC {{within:.2f}}), across"
            " documents they do not ({across:.2f}). {steering}",
        ),
        ("concept", "Lasts, but is a fixed concept: words tell its side across documents too (AUC {across:.2f})."),
        (
            "untold",
            f"Lasts (stays {RUNS}), but within a document the words do not tell its side (AUC {{within:.2f}}).",
        ),
    ],
    "null_space": [
        ("narrow", "Not measured: of {width:d} directions, chance alone puts too much into any {directions:d}."),
        (
            "quiet",
            "Writes where the unembedding hardly looks: {alpha:.0%} of its length, {times:.1f} times chance.",
        ),
        (
            "read",
            "Does not hide from the unembedding: {alpha:.0%} of its length is in the quiet directions, chance gives"
            " about {typical:.0%}.",
        ),
    ],
    "alphabet": [
        ("small_vocabulary", "Not measured: the vocabulary is too small."),
        ("letter", f"{MOST}."),
        ("chance", f"{MOST}: short of the cut, or mere chance."),
        ("early", f"{MOST}, but the output is layers away."),
        ("none", "The tokens it {verb} most share no first letter: {count:d} of {of:d} begin with “{letter}”."),
        ("none", "The tokens it {verb} most share no first letter: {count:d} of {of:d} begin with “”."),
    ],
    "content_word": [
        ("few_words", "Not measured: too few tokens lie in a word."),
        ("one_sided", "Not measured: the text has only content words, or none."),
        (
            "told",
            "Higher on {where}: they are told from the rest with AUC {auc:.2f}, {types:.2f} over word types.",
        ),
        ("weak", "Hardly tells content words from the rest (AUC {auc:.2f}, a little higher on {where})."),
        ("chance", f"{HIGHER} a random direction reaches {{chance:.2f}}."),
        ("frequent", f"{HIGHER} over word types only {{types:.2f}}: a list of frequent words."),
        ("silent", f"{HIGHER} only its direction: firing itself tells them with {{firing:.2f}}."),
        ("spread", f"{HIGHER} not beyond what documents differ by (q {{q:.2f}})."),
        ("untagged", "Not measured: {reason}"),
    ],
    "principal_component": [
        ("no_tokens", "Not measured: no ordinary token was read."),
        (
            "shared",
            f"{FIRST} has only {{ratio:.2f}} times the variance of the second ({{needed:g}} is needed), so it is no"
            " direction of its own.",
        ),
        (
            "one_half",
            "Not measured: all documents are in one half, so it cannot be seen whether the first component is stable.",
        ),
        (
            "unstable",
            f"{FIRST} differs between halves of the documents (|cos| {{cos:.2f}}, {{needed:g}} is needed).",
        ),
        ("along", "Along the line on which the activations vary most (|cos| {cos:.2f})."),
        (
            "apart",
            "Not along the first principal component (|cos| {cos:.2f}); nearest to number {component:d}"
            " ({nearest:.2f}).",
        ),
        ("apart", "Not along the first principal component (|cos| {cos:.2f})."),
    ],
    "unexplained": [
        ("some", "At least one class holds."),
        ("few", "Too few of the classes could be measured to say. Not measured: {missing}."),
        ("none", "None of the {classes:d} classes holds. Not measured: {missing}."),
        ("few", "Too few of the classes could be measured to say."),
        ("none", "None of the {classes:d} classes holds."),
    ],
    "mixture": [
        ("alone", "Not measured: no sparse latent fires together with a dense one."),
        (
            "few_tokens",
            "Not measured: {tokens:,d} tokens in a half of the documents are too few for {latents:d} latents.",
        ),
        ("own", "A signal of its own: sparse latents rebuild only {r2:.0%} of its variance."),
        ("sum", "A readable sum: about {latents:.0f} sparse latents rebuild {r2:.0%} of its variance."),
        (
            "aggregate",
            "A messy aggregate: {r2:.0%} of its variance is spread over about {latents:.0f} sparse latents.",
        ),
    ],
    "steering": [
        ("unmeasured", "Steering could not be measured: {reason}."),
        ("follows", f"{PUSHED}no control does so in more than {{largest:.0f}} % ({{control}})."),
        ("rare", f"{PUSHED}{{cut:.0f}} % are needed, and controls reach {{largest:.0f}} % ({{control}})."),
        (
            "unsure",
            f"{PUSHED}too few pairs to be sure that it is more than what controls do ({{control}}: {{largest:.0f}} %).",
        ),
    ],
}
WITHOUT = "Steering is not measured yet."
DISTANCES: Templates = [
    ("none", "this text has no {kind}s"),
    ("few", "only {found:d} documents have {kind}s; {needed:d} are needed"),
]
UNTAGGED: Templates = [
    ("no_words", "no words in the sample"),
    (
        "not_english",
        "not English: {share:.1%} of the words are English function words; the tagger needs at least {needed:.0%}",
    ),
]
UNSTEERED: Templates = [
    ("constant", "the signal does not vary"),
    ("few_pairs", "{found:d} pairs of texts were found and {needed:d} are needed"),
    ("dear", "every dose costs the model more than {cost:g} nat per token"),
]
CONTROLS = {"random": "random directions", "sparse": "sparse latents", "swapped": "texts of other documents"}
SHARES = ("rate", "low", "high", "largest", "cut")
SIDES = {"content": "content words", "function": "function words and punctuation"}
VERBS = {"promoted": "promotes", "suppressed": "suppresses"}


def parsed(name: str, words: str) -> Statement:
    """A sentence of a class, of another score or of steering -> its statement."""
    found = read(words, [*COMMON, *TEMPLATES.get(name, ())])
    return found if found["code"] == "text" else (_reading(name, found) or read(words, ()))


def _reading(name: str, found: Statement) -> Statement | None:
    """What words mean that stand for numbers; None where one of them is none of ours."""
    found.pop("way", None)
    if "times" in found:
        found["typical"] = round(found["alpha"] / times, 6) if (times := found.pop("times")) else None
    if "verb" in found:
        found["side"] = _key(VERBS, found.pop("verb"))
        found.setdefault("letter", "")
    if "where" in found:
        found["side"] = _key(SIDES, found.pop("where"))
    if "missing" in found or (found["code"] in {"few", "none"} and name == "unexplained"):
        names = found.get("missing") or ""
        found["missing"] = [one.replace(" ", "_") for one in names.split(", ") if one]
    if "reasons" in found:
        reasons = [read(one, DISTANCES) for one in re.split("; (?=only |this )", found["reasons"])]
        found["reasons"] = {str(one.pop("kind", "")): one for one in reasons}
    if found.get("code") == "untagged":
        found["reason"] = read(found["reason"], UNTAGGED)
    if found.get("code") == "unmeasured" and name == "steering":
        found["reason"] = read(found["reason"], UNSTEERED)
    if "deviation" in found:
        found.pop("deviation")
        found |= {one: found[one] / 100 for one in SHARES if one in found}
        found["control"] = _key(CONTROLS, found["control"])
    if "steering" in found:
        words = found.pop("steering")
        found |= {} if words == WITHOUT else {"steering": parsed("steering", words)}
    strange = None in (found.get("side", ""), found.get("control", "")) or "" in found.get("reasons", {})
    reason = found.get("reason")
    strange = strange or (isinstance(reason, dict) and reason["code"] == "text")
    return None if strange else found


def _key(words: dict[str, str], text: str) -> str | None:
    return next((key for key, value in words.items() if value == text), None)


def sentence(name: str, statement: Statement) -> str:
    """A statement -> the sentence of before."""
    held = dict(statement)
    if held.get("code") == "text" and "steering" in held:
        return f"{held['text'].replace(f' {WITHOUT}', '')} {sentence('steering', held['steering'])}"
    templates = [*COMMON, *TEMPLATES.get(name, ())]
    written = write(_writing(name, held), templates)
    return write(statement, ()) if written.startswith("{") else written


def _writing(name: str, held: Statement) -> Statement:
    if "rho" in held:
        held["way"] = "Rises" if (held["rho"] or 0) > 0 else "Falls"
    if held.get("typical") and "alpha" in held:
        held["times"] = held["alpha"] / held["typical"]
    if "side" in held:
        held |= {"verb": VERBS.get(held["side"]), "where": SIDES.get(held["side"])}
        held = {one: value for one, value in held.items() if value is not None and not (one == "letter" and not value)}
    if "missing" in held:
        names = ", ".join(str(one).replace("_", " ") for one in held.pop("missing"))
        held |= {"missing": names} if names else {}
    if "reasons" in held:
        held["reasons"] = "; ".join(write({**one, "kind": kind}, DISTANCES) for kind, one in held["reasons"].items())
    if held.get("code") == "untagged":
        held["reason"] = write(held["reason"], UNTAGGED)
    if name == "mixture" and held.get("code") == "own":
        held["r2"] = max(held.get("r2") or 0.0, 0.0)
    if name == "steering" and held.get("code") == "unmeasured":
        held["reason"] = write(held["reason"], UNSTEERED)
    if name == "steering" and "rate" in held:
        held |= {one: 100 * held[one] for one in SHARES if held.get(one) is not None}
        held |= {"deviation": f"deviation{'s' * (held.get('dose') != 1)}", "control": CONTROLS.get(held["control"])}
    if name == "context_binding" and held.get("code") == "bound":
        held["steering"] = sentence("steering", held["steering"]) if "steering" in held else WITHOUT
    return held


# --- where else they stand --------------------------------------------------------------------------


def evidence_up(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Why a distance was not measured, and what steering said."""
    return _evidence(
        name,
        data,
        lambda kind, reason: _without_kind(read(reason, DISTANCES)) if isinstance(reason, str) else reason,
        lambda of, held: {**_but(held, "words"), "statement": parsed(of, held["words"])} if "words" in held else held,
    )


def evidence_down(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """The way back."""
    return _evidence(
        name,
        data,
        lambda kind, reason: write({**reason, "kind": kind}, DISTANCES) if isinstance(reason, dict) else reason,
        lambda of, held: (
            {**_but(held, "statement"), "words": sentence(of, held["statement"])} if "statement" in held else held
        ),
    )


def _evidence(
    name: str,
    data: dict[str, Any],
    reason: Callable[[str, Any], Any],
    told: Callable[[str, dict[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    kinds, steering = data.get("kinds"), data.get("steering")
    if name == "position" and isinstance(kinds, dict):
        changed = {
            kind: held | {"reason": reason(kind, held["reason"])}
            if isinstance(held, dict) and held.get("reason")
            else held
            for kind, held in kinds.items()
        }
        return data | {"kinds": changed}
    if name == "context_binding" and isinstance(steering, dict):
        own = told("steering", steering)
        if isinstance(own.get("before"), dict):
            own = own | {"before": told("context_binding", own["before"])}
        return data | {"steering": own}
    return data


def _without_kind(statement: Statement) -> Statement:
    return _but(statement, "kind")


def _but(held: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in held.items() if key != name}


def parsed_in(of: str, one: Statement) -> Statement:
    """A ground or gap whose statement is a sentence."""
    inner = one.get("statement")
    if of not in TEMPLATES or not isinstance(inner, dict) or inner.get("code") != "text":
        return one
    return one | {"statement": parsed(of, str(inner.get("text")))}


def sentence_in(of: str, one: Statement) -> Statement:
    """A ground or gap whose statement is a code."""
    inner = one.get("statement")
    if of not in TEMPLATES or not isinstance(inner, dict):
        return one
    return one | {"statement": {"code": "text", "text": sentence(of, inner)}}
