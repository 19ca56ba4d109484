"""Store codes with numbers for labels, reasons of missing values and experiments, where sentences were stored"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.sentences import Statement, Templates, fields, filled, read, write

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LABEL = sa.table(
    "label", sa.column("id", sa.Integer), sa.column("name", sa.String), sa.column("kind", sa.String),
    sa.column("of", sa.String), sa.column("measure", sa.String), sa.column("confounds", sa.JSON),
    sa.column("reason", sa.String), sa.column("refusal", sa.JSON(none_as_null=True)),
)  # fmt: skip
_NUMBERS = ("effect", "low", "high", "conditional", "held_out", "q")
ASSOCIATION = sa.table(
    "association", sa.column("analysis_id", sa.Integer), sa.column("index", sa.Integer),
    sa.column("label_id", sa.Integer), *(sa.column(name, sa.Float) for name in _NUMBERS),
    sa.column("words", sa.String), sa.column("statement", sa.JSON), sa.column("data", sa.JSON),
)  # fmt: skip
VERDICT = sa.table(
    "verdict", sa.column("analysis_id", sa.Integer), sa.column("index", sa.Integer), sa.column("grounds", sa.JSON)
)
EXPERIMENT = sa.table(
    "experiment", sa.column("id", sa.Integer), sa.column("summary", sa.JSON), sa.column("settings", sa.JSON)
)


def upgrade() -> None:
    """Sentences -> codes."""
    _reasons(_reasons_up)
    op.add_column("label", sa.Column("refusal", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("association", sa.Column("statement", sa.JSON(), nullable=False, server_default="{}"))
    labels = _labels(_label_up)
    for analysis in _analyses():
        _verdicts(analysis, _associations(analysis, lambda row: _association_up(row, labels[row["label_id"]])))
    _experiments(summary_up, _settings_up)
    op.drop_column("association", "words")
    op.drop_column("label", "reason")
    op.alter_column("label", "refusal", new_column_name="reason")


def downgrade() -> None:
    """Codes -> the sentences of before."""
    _reasons(_reasons_down)
    op.alter_column("label", "reason", new_column_name="refusal")
    op.add_column("label", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("association", sa.Column("words", sa.String(), nullable=False, server_default=""))
    _labels(_label_down)
    for analysis in _analyses():
        _associations(analysis, lambda row: {"words": association_words(row["statement"])})
        _verdicts(analysis, None)
    _experiments(summary_down, _settings_down)
    op.drop_column("association", "statement")
    op.drop_column("label", "refusal")


def _analyses() -> list[int]:
    return list(op.get_bind().scalars(sa.text("SELECT id FROM analysis ORDER BY id")))


# --- why a latent's or a pair's value is missing ------------------------------------------------------

REASONS: Templates = [
    ("few_groups", "the text read lies in fewer than two of the 64 document groups, so no interval can be given"),
    ("no_directions", "needs an encoder and a decoder direction, and another latent"),
    ("no_bias", "the SAE has no decoder bias, or it is zero"),
    ("silent", "never fired on this text"),
    ("silent_on_ordinary", "never fired on an ordinary token of this text"),
    ("rare_or_constant", "fired too rarely, or always with the same activation"),
    ("all_silent", "no latent of this SAE fired on this text"),
    ("one_flat", "one of the signals does not vary over the ordinary tokens of this text"),
    ("one_silent", "one of the two never fired on this text"),
]
_AT_ONCE = 100  # different ones in a statement


def _reasons(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """A million latents have a few different ones: each is read once, and all rows are written in one pass."""
    connection = op.get_bind()
    as_text, as_json = ("reasons", "{}") if connection.dialect.name == "sqlite" else ("reasons::text", "({})::json")
    for table in ("latent", "pair"):
        held = connection.scalars(sa.text(f"SELECT DISTINCT {as_text} FROM {table}")).all()
        new = {text: json.dumps(change(json.loads(text))) for text in held if text and json.loads(text)}
        todo = [(old, made) for old, made in new.items() if old != made]
        for start in range(0, len(todo), _AT_ONCE):
            part = todo[start : start + _AT_ONCE]
            values = {f"old{place}": old for place, (old, _new) in enumerate(part)}
            values |= {f"new{place}": made for place, (_old, made) in enumerate(part)}
            cases = " ".join(f"WHEN :old{place} THEN :new{place}" for place in range(len(part)))
            olds = ", ".join(f":old{place}" for place in range(len(part)))
            made_of = as_json.format(f"CASE {as_text} {cases} END")
            connection.execute(sa.text(f"UPDATE {table} SET reasons = {made_of} WHERE {as_text} IN ({olds})"), values)


def _reasons_up(reasons: dict[str, Any]) -> dict[str, Any]:
    return {name: read(words, REASONS) if isinstance(words, str) else words for name, words in reasons.items()}


def _reasons_down(reasons: dict[str, Any]) -> dict[str, Any]:
    return {name: write(one, REASONS) if isinstance(one, dict) else one for name, one in reasons.items()}


# --- labels -------------------------------------------------------------------------------------------

GOES_WITH = "{label} goes with {name} ({measure} {strength:.2f}): what goes with one may come from the other"
_HINT = "; numbers are measured as such where they stand without quotes"
_ALONE = "{documents:d} of {of:d} documents have a value that no other has"
REFUSALS: Templates = [
    ("mixed", "its values are of different kinds: {kinds} documents"),
    ("objects", "its values are objects; a label is one value a document"),
    ("few_documents", "{found:d} of the documents read have a value; at least {needed:d} are needed"),
    ("few_a_side", "{true:d} documents are true and {false:d} false; at least {needed:d} of each are needed"),
    ("not_finite", "a number that is not finite in {documents:d} documents"),
    ("same_value", "every document has the same value"),
    ("own_values", f"{_ALONE}{{hint}}"),
    ("own_values", _ALONE),
    ("one_shared", "only one value is shared by two documents"),
    ("no_spans", "its lists hold something other than spans (start, end and label, in characters)"),
    ("most_frequent", "only the {measured:d} most frequent of its {of:d} labels are measured"),
    ("no_span", "no span in the documents read"),
    ("few_with_span", "{found:d} of the documents read have such a span; at least {needed:d} are needed"),
    ("first_columns", "only the first {measured:d} columns are measured"),
]
KINDS = {"true/false": "boolean", "numbers": "number", "text": "category", "lists": "list", "objects": "nested"}


def refusal(words: str) -> Statement:
    """Why a label was not measured, as a code."""
    found = read(words, REFUSALS)
    if found["code"] == "own_values":
        hint = found.pop("hint", "")
        return found | {"numbers": bool(hint)} if hint in {"", _HINT} else {"code": "text", "text": words}
    if found["code"] == "mixed":
        parts = [fields(part, "{kind} in {count:d}") or {} for part in found["kinds"].split(", ")]
        if not all(part.get("kind") in KINDS for part in parts):
            return {"code": "text", "text": words}
        return {"code": "mixed", "kinds": {KINDS[part["kind"]]: part["count"] for part in parts}}
    return found


def refusal_words(statement: Statement) -> str:
    """The sentence of before."""
    held = dict(statement)
    if held.get("code") == "own_values":
        return str(filled(_ALONE, held)) + (_HINT if held.get("numbers") else "")
    if held.get("code") == "mixed":
        names = {kind: name for name, kind in KINDS.items()}
        held["kinds"] = ", ".join(f"{names.get(kind, kind)} in {count}" for kind, count in held["kinds"].items())
    return write(held, REFUSALS)


def _labels(change: Callable[[Any], dict[str, Any]]) -> dict[int, Any]:
    """Change all, while both columns are there; returns them as they were, by id."""
    connection = op.get_bind()
    rows = {row["id"]: row for row in connection.execute(sa.select(LABEL)).mappings()}
    for key, row in rows.items():
        connection.execute(sa.update(LABEL).where(LABEL.c.id == key).values(**change(row)))
    return rows


def _label_up(row: Any) -> dict[str, Any]:
    refused = None if row["reason"] is None else refusal(row["reason"])
    return {"refusal": refused, "confounds": [confound_up(row["name"], one) for one in row["confounds"]]}


def _label_down(row: Any) -> dict[str, Any]:
    refused = None if row["refusal"] is None else refusal_words(row["refusal"])
    return {"reason": refused, "confounds": [confound_down(row["name"], one) for one in row["confounds"]]}


def confound_up(label: str, one: dict[str, Any]) -> dict[str, Any]:
    """Without its sentence, where its numbers give it."""
    held = {name: value for name, value in one.items() if name != "words"}
    words = one.get("words")
    if not words or words == filled(GOES_WITH, {**held, "label": label}):
        return held
    return held | {"statement": {"code": "text", "text": words}}


def confound_down(label: str, one: dict[str, Any]) -> dict[str, Any]:
    """With its sentence."""
    held = {name: value for name, value in one.items() if name != "statement"}
    if "statement" in one:
        return held | {"words": write(one["statement"], ())}
    return held | {"words": filled(GOES_WITH, {**held, "label": label}) or f"goes with {one.get('name')}"}


# --- associations -------------------------------------------------------------------------------------

UNMEASURED: Templates = [
    ("constant", "the signal is the same in all these documents"),
    ("few_left", "only {documents:d} documents with a value are left"),
    (
        "few_mixed",
        "{documents:d} of the documents read have text both inside and outside such spans; {needed:d} are needed",
    ),
    ("none_mixed", "no document read has text both inside and outside such spans"),
]
CLAIMS = {
    "token": "{up} on text marked {label}",
    "number": "{up} in documents with a larger {label}",
    "boolean": "{up} in documents where {label} is true",
    "category": "Differs between the groups of {label}",
}
CALLED = {"eta2": "eta²", "spearman": "Spearman", "auc": "AUC"}
_SHUFFLED = "no more than labels dealt out anew would give (q {q:.2f})"
ENDINGS = {
    "shuffled": f"no: {_SHUFFLED}",
    "words_or_position": f"no: once words and position are out, {_SHUFFLED}",
    "not_held_out": "no: does not hold in documents that were held out ({held})",
    "chance": "no: the interval after words and position takes in chance",
}
CODES = ("yes", *ENDINGS)


def _association_up(row: Any, label: Any) -> dict[str, Any]:
    return {"statement": association(row["words"], row, label)}


def association(words: str, row: Any, label: Any) -> Statement:
    """The statement whose sentence this is: its numbers are the row's, so each code is written and held against it."""
    if reason := fields(words, "Not measured: {reason}."):
        found = read(reason["reason"], UNMEASURED)
        return {"code": "text", "text": words} if found["code"] == "text" else {"code": "unmeasured", "reason": found}
    for code in CODES:
        statement = _statement(code, row, label)
        if association_words(statement) == words:
            return statement
    return {"code": "text", "text": words}


def _statement(code: str, row: Any, label: Any) -> Statement:
    data = row["data"] or {}
    made = {"code": code, "label": label["name"], "kind": "token" if label["of"] == "token" else label["kind"]}
    numbers = {**{name: row[name] for name in _NUMBERS}, "chance": data.get("chance")}
    order = ("effect", "low", "high", "chance", "held_out", "conditional", "q")
    made |= {"measure": label["measure"], **{name: numbers[name] for name in order}}
    means = sorted(data.get("means") or [], key=lambda group: group.get("mean") or 0.0)
    if made["kind"] == "category" and len(means) > 1:
        made |= {"highest": means[-1].get("value"), "lowest": means[0].get("value")}
    adjusted = data.get("adjusted")
    if code == "yes" and adjusted:
        if adjusted.get("for") is not None:
            made |= {"after": adjusted["for"], "still": (adjusted.get("p") or 0.0) < 0.05}
        if adjusted.get("inseparable"):
            made |= {"inseparable": adjusted["inseparable"]}
    return made


def association_words(statement: Statement) -> str:
    """The sentence of before."""
    code = statement.get("code")
    if code == "unmeasured":
        return f"Not measured: {write(statement.get('reason') or {}, UNMEASURED)}."
    if code not in CODES:
        return write(statement, ())
    held = {**statement, "held": _held_out(statement)}
    ending = _yes(held) if code == "yes" else filled(ENDINGS[code], {**held, "q": held.get("q") or 0.0})
    return f"{_claim(held)} ({_figures(held)}): {ending}."


def _claim(held: Statement) -> str:
    up = "Higher" if (held.get("effect") or 0.0) > (held.get("chance") or 0.0) else "Lower"
    ends = f", highest in {held['highest']} and lowest in {held['lowest']}" if "highest" in held else ""
    return str(filled(CLAIMS.get(held["kind"], CLAIMS["category"]), {**held, "up": up})) + ends


def _figures(held: Statement) -> str:
    signed = held["measure"] == "spearman"
    effect, low, high, left = (_figure(held.get(name), signed) for name in ("effect", "low", "high", "conditional"))
    more = ""
    if held["measure"] == "eta2":
        more = f", {held.get('chance') or 0.0:.2f} by chance; held out, R² {held['held']}"
    return f"{CALLED.get(held['measure'])} {effect}, {low} to {high}{more}; after words and position {left}"


def _held_out(held: Statement) -> str:
    return _figure(held.get("held_out"), held["measure"] in {"eta2", "spearman"})


def _figure(value: float | None, signed: bool) -> str:
    if value is None:
        return "unknown"
    return f"{value + 0.0:+.2f}".replace("-0.00", "0.00") if signed else f"{value:.2f}"


def _yes(held: Statement) -> str:
    parts = []
    if "after" in held:
        parts.append(f"{'still there' if held.get('still') else 'gone'} after {held['after']}")
    if "inseparable" in held:
        parts.append(f"cannot be told apart from {', '.join(held['inseparable'])}")
    return "yes; " + ", ".join(parts) if parts else "yes"


def _associations(analysis: int, change: Callable[[Any], dict[str, Any]]) -> dict[tuple[int, str], Statement]:
    """Change those of one analysis; returns by latent and sentence what it became."""
    connection = op.get_bind()
    rows = connection.execute(sa.select(ASSOCIATION).where(ASSOCIATION.c.analysis_id == analysis)).mappings().all()
    changed = [{"i": row["index"], "l": row["label_id"], **change(row)} for row in rows]
    if changed:
        here = ASSOCIATION.c.analysis_id == analysis
        one = sa.and_(here, ASSOCIATION.c.index == sa.bindparam("i"), ASSOCIATION.c.label_id == sa.bindparam("l"))
        connection.execute(sa.update(ASSOCIATION).where(one), changed)
    new = ((row, made.get("statement")) for row, made in zip(rows, changed, strict=True))
    return {(row["index"], row["words"]): statement for row, statement in new if statement}


def _verdicts(analysis: int, known: dict[tuple[int, str], Statement] | None) -> None:
    """What labels say stands in the grounds of verdicts, too. `known` on the way up."""
    connection = op.get_bind()
    here = VERDICT.c.analysis_id == analysis
    rows = connection.execute(sa.select(VERDICT).where(here)).mappings().all()
    changed = [
        {"i": row["index"], "grounds": [_ground(row["index"], one, known) for one in row["grounds"]]} for row in rows
    ]
    if changed:
        connection.execute(sa.update(VERDICT).where(here, VERDICT.c.index == sa.bindparam("i")), changed)


def _ground(index: int, one: Statement, known: dict[tuple[int, str], Statement] | None) -> Statement:
    held = one.get("statement")
    if one.get("of") != "labels" or not isinstance(held, dict):
        return one
    if known is None:
        return one | {"statement": {"code": "text", "text": association_words(held)}}
    return one | {"statement": known.get((index, str(held.get("text"))), held)}


# --- experiments --------------------------------------------------------------------------------------

NORMALISATION = (
    "sae-lens scales the activations that each arm is trained on, after the removal, so that their mean length is the"
    " square root of d_model (unit mean square), and folds the scale into the weights"
)
FINDINGS = ("not_both", "one_seed", "depends", "does_without", "undecided")


def _experiments(summary: Callable[[Any], Any], settings: Callable[[Any], Any]) -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(EXPERIMENT)).mappings().all():
        new = {"summary": summary(row["summary"] or {}), "settings": settings(row["settings"] or {})}
        connection.execute(sa.update(EXPERIMENT).where(EXPERIMENT.c.id == row["id"]).values(**new))


def _settings_up(settings: dict[str, Any]) -> dict[str, Any]:
    return settings | ({"normalisation": "unit_mean_square"} if settings.get("normalisation") == NORMALISATION else {})


def _settings_down(settings: dict[str, Any]) -> dict[str, Any]:
    return settings | ({"normalisation": NORMALISATION} if settings.get("normalisation") == "unit_mean_square" else {})


def summary_up(summary: dict[str, Any]) -> dict[str, Any]:
    """The code whose sentence this is."""
    words = summary.get("words")
    if not words:
        return summary
    code = next((code for code in FINDINGS if summary_words(summary, code) == words), None)
    return _instead(summary, "words", "statement", {"code": code} if code else {"code": "text", "text": words})


def summary_down(summary: dict[str, Any]) -> dict[str, Any]:
    """With its sentence."""
    statement = summary.get("statement")
    if not statement:
        return summary
    words = summary_words(summary, statement.get("code")) or write(statement, ())
    return _instead(summary, "statement", "words", words)


def _instead(held: dict[str, Any], old: str, new: str, value: Any) -> dict[str, Any]:
    """Another name and value in the place of one."""
    return {new if name == old else name: value if name == old else own for name, own in held.items()}


def summary_words(summary: dict[str, Any], code: str | None) -> str | None:
    """The sentence of before; None where a number of it is missing."""
    if code == "not_both":
        return "The arms without the dense span and without a sparse span of equal dimension were not both trained."
    try:
        arms, more = summary["arms"], summary["more_than_dense"]
        return " ".join([_opening(arms), _headline(more["dimension"], code), *_controls(arms, more)])
    except (KeyError, TypeError, ValueError):
        return None


def _opening(arms: Any) -> str:
    parts = [
        f"{arms[name]['n_dense']['mean']:.1f} {said}"
        for name, said in (
            ("original", "in SAEs of the activations as they are"),
            ("dense", "without the dense span"),
            ("dimension", "without a sparse span of as many dimensions"),
        )
        if name in arms
    ]
    return f"Dense latents: {', '.join(parts)}."


def _headline(gap: Any, code: str | None) -> str:
    if code == "one_seed":
        return f"The difference of {gap['mean']:.1f} is of one seed, so no interval over seeds can be given."
    size = f"{abs(gap['mean']):.1f} {'fewer' if gap['mean'] > 0 else 'more'}"
    bounds = f"95 % interval of the difference over {gap['seeds']} seeds {gap['low']:.1f} to {gap['high']:.1f}"
    back = f"Without the dense span {size} come back than at equal dimension ({bounds})"
    return {
        "depends": f"{back}: they depend on that span.",
        "does_without": f"{back}: they can do without it.",
        "undecided": (
            f"At equal dimension the difference cannot be told from none ({bounds}): no need of that span is shown."
        ),
    }[str(code)]


def _controls(arms: Any, more: Any) -> list[str]:
    said = []
    for name, what in (("variance", "sparse latents of equal variance"), ("components", "as many top components")):
        if name not in more:
            continue
        arm, gap = arms[name], more[name]
        short = f"; only {arm['removed_variance']:.1%} of the variance could be reached" if arm["short"] else ""
        side = "more than" if gap["mean"] > 0 else "fewer than" if gap["mean"] < 0 else "as many as"
        size = f"{abs(gap['mean']):.1f} {side}" if gap["mean"] else side
        bounds = "one seed" if gap["low"] is None else f"interval {gap['low']:.1f} to {gap['high']:.1f}"
        count = f"{arm['n_dense']['mean']:.1f}"
        said.append(f"Without {what}: {count}, {size} without the dense span ({bounds}{short}).")
    return said
