"""What a label and a signal have to do with each other, what labels share, and why one was not measured."""

from __future__ import annotations

from typing import Any

from app.shared.language import N_, _
from app.shared.numbers import minus
from app.shared.statements import UNKNOWN, Sentences, filled, said
from app.shared.stored import one, part
from store.vocabulary import UNMEASURED, YES, Statement

CALLED = {"eta2": "eta²", "spearman": "Spearman", "auc": "AUC"}
_KINDS = {"boolean": "true/false", "number": "numbers", "category": "text", "list": "lists", "nested": "objects"}


def association_said(statement: Statement) -> str:
    """What a signal has to do with a label."""
    return said(statement, _SENTENCES)


def confound_said(label: str, statement: Statement) -> str:
    """What goes with a label: {"name": another, "strength": 0 to 1, "measure": str}."""
    if said_before := said(part(statement, "statement"), {}):
        return said_before
    values = {**statement, "label": label}
    if one(values, "strength") is None or not values.get("measure"):
        return filled("goes with {name}", values)
    return filled("{label} goes with {name} ({measure} {strength:.2f}): the two cannot be separated", values)


def refusal_said(statement: Statement | str | None) -> str | None:
    """Why a label was not measured; None where it was."""
    return said(statement, _REFUSALS) if isinstance(statement, dict) else statement


def _told(held: Statement, ending: str) -> str:
    """The claim and its numbers, and whether they hold."""
    return f"{_claim(held)} ({_figures(held)}): {ending}."


def _claim(held: Statement) -> str:
    up = "Higher" if (one(held, "effect") or 0.0) > (one(held, "chance") or 0.0) else "Lower"
    if held.get("kind") != "category":
        return filled(_CLAIMS.get(str(held.get("kind")), "{up} where {label} is"), {**held, "up": up})
    ends = N_(", highest in {highest} and lowest in {lowest}") if "highest" in held else ""
    return filled(f"Differs between the groups of {{label}}{ends}", held)


_CLAIMS = {
    "token": N_("{up} on text marked {label}"),
    "number": N_("{up} in documents with a larger {label}"),
    "boolean": N_("{up} in documents where {label} is true"),
}


def _figures(held: Statement) -> str:
    measure = str(held.get("measure"))
    effect, low, high, left = (_figure(held, name) for name in ("effect", "low", "high", "conditional"))
    more = ""
    if measure == "eta2":
        more = filled(", {chance:.2f} by chance; held out, R² ", held) + _held_out(held)
    return _(
        "%(measure)s %(effect)s, %(low)s to %(high)s%(more)s; after words and position %(left)s",
        measure=CALLED.get(measure, measure),
        effect=effect,
        low=low,
        high=high,
        more=more,
        left=left,
    )


def _held_out(held: Statement) -> str:
    return _figure(held, "held_out", signed=held.get("measure") in {"eta2", "spearman"})


def _figure(held: Statement, name: str, signed: bool | None = None) -> str:
    value = one(held, name)
    if value is None:
        return UNKNOWN
    signed = held.get("measure") == "spearman" if signed is None else signed
    return minus(f"{value + 0.0:+.2f}".replace("-0.00", "0.00") if signed else f"{value:.2f}")


def _yes(held: Statement) -> str:
    parts = []
    if held.get("after"):
        parts.append(f"{'still there' if held.get('still') else 'gone'} after {held['after']}")
    if held.get("inseparable"):
        parts.append(
            _("cannot be told apart from %(inseparable)s", inseparable=", ".join(map(str, held["inseparable"])))
        )
    return "".join(["yes", "; " if parts else "", ", ".join(parts)])


def _shuffled(held: Statement, once: str = "") -> str:
    return _told(held, filled(f"no: {once}no better than shuffled labels (q {{q:.2f}})", held))


_SENTENCES: Sentences = {
    YES: lambda held: _told(held, _yes(held)),
    "shuffled": _shuffled,
    "words_or_position": lambda held: _shuffled(held, _("once words and position are out, ")),
    "not_held_out": lambda held: _told(
        held, _("no: does not hold in documents that were held out (%(held_out)s)", held_out=_held_out(held))
    ),
    "chance": lambda held: _told(held, _("no: the interval after words and position takes in chance")),
    UNMEASURED: lambda held: _("Not measured: %(unmeasured)s.", unmeasured=said(part(held, "reason"), _UNMEASURED)),
}
_UNMEASURED: Sentences = {
    "constant": N_("the signal is the same in all these documents"),
    "few_left": N_("only {documents} documents with a value are left"),
    "few_mixed": (
        N_("{documents} of the documents read have text both inside and outside such spans; {needed} are needed")
    ),
    "none_mixed": N_("no document read has text both inside and outside such spans"),
}


def _mixed(held: Statement) -> str:
    kinds: dict[str, Any] = part(held, "kinds")
    parts = ", ".join(f"{_KINDS.get(kind, kind)} in {count}" for kind, count in kinds.items())
    return _("its values are of different kinds: %(parts)s documents", parts=parts)


_REFUSALS: Sentences = {
    "mixed": _mixed,
    "objects": N_("its values are objects; a label is one value a document"),
    "few_documents": N_("{found} of the documents read have a value; at least {needed} are needed"),
    "few_a_side": N_("{true} documents are true and {false} false; at least {needed} of each are needed"),
    "not_finite": N_("a number that is not finite in {documents} documents"),
    "same_value": N_("every document has the same value"),
    "own_values": lambda held: (
        filled("{documents} of {of} documents have a value that no other has", held)
        + (_("; numbers are measured as such where they stand without quotes") if held.get("numbers") else "")
    ),
    "one_shared": N_("only one value is shared by two documents"),
    "no_spans": N_("its lists hold something other than spans (start, end and label, in characters)"),
    "most_frequent": N_("only the {measured} most frequent of its {of} labels are measured"),
    "no_span": N_("no span in the documents read"),
    "few_with_span": N_("{found} of the documents read have such a span; at least {needed} are needed"),
    "first_columns": N_("only the first {measured} columns are measured"),
}
