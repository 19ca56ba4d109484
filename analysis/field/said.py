"""Statements -> short lines for the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from store.vocabulary import Statement

Said = dict[str, Any]


def lines(statements: list[Statement]) -> list[str]:
    """A line for each statement, in their order; KeyError for a code without words."""
    return [_SENTENCES[said["code"]](said) for said in statements]


def _n(count: float, noun: str = "", plural: str = "") -> str:
    number = f"{count:,.0f}" if float(count).is_integer() else f"{count:,.1f}"
    return f"{number} {noun if count == 1 else plural or noun + 's'}" if noun else number


def _share(said: Said) -> str:
    share = 100 * said["rows"] / said["of"]
    return f"{share:.2g} %" if share < 99.5 or said["rows"] == said["of"] else "over 99 %"


def _role(said: Said) -> str:
    return "" if said.get("role", "label") in ("label", "none") else f" ({said['role']})"


def _groups(said: Said) -> str:
    sizes = f"{_n(said['smallest'])} to {_n(said['largest'])} rows each, median {_n(said['median'])}"
    if said["smallest"] == said["largest"]:
        sizes = f"{_n(said['largest'], 'row')} each"
    return f"Groups: {_n(said['groups'], 'group')} by '{said['column']}', {sizes}."


def _constant_units(said: Said) -> str:
    some = ", ".join(map(str, said["first"])) + (" ..." if said["count"] > len(said["first"]) else "")
    verb = "is" if said["count"] == 1 else "are"
    return f"{said['matrix']}: {_n(said['count'])} of {_n(said['of'], 'column')} {verb} constant: {some}."


def _confounded(said: Said) -> str:
    label, group = said["label"], said["group"]
    if said["way"] == "group":
        return f"'{label}' has one value in each group of '{group}': the groups count for it, not the rows."
    if said["way"] == "label":
        return f"Each value of '{label}' occurs in one group of '{group}' alone: the two cannot be separated."
    return f"'{label}' and '{group}' say the same: the two cannot be separated."


def _leak(said: Said) -> str:
    of = f"'{said['label']}'" + (f" = '{said['level']}'" if said["level"] else "")
    more = f", and {_n(said['units'] - 1, 'column')} more" if said["units"] > 1 else ""
    where = f"column {said['unit']} of {said['matrix']}{more}"
    if said["equal"]:
        return f"Leak: {of} is {where}."
    if said["measure"] == "spearman":
        return f"Leak: {of} rises or falls with {where} (|Spearman| {_below_one(said['strength'])}): a copy of it."
    return f"Leak: {of} is told apart by {where} (AUC {_below_one(said['strength'])})."


def _below_one(strength: float) -> str:
    return "1" if strength >= 0.99995 else f"{strength:.4f}"


_SENTENCES: dict[str, Callable[[Said], str]] = {
    "size": lambda s: f"{s['matrix']} (layer {s['layer']}): {_n(s['rows'], 'row')}, {_n(s['width'], 'column')}.",
    "table": lambda s: (
        f"Table: {_n(s['rows'], 'row')}, {_n(s['columns'], 'column')}, {_n(s['labels'])} of them"
        f" {'a label' if s['labels'] == 1 else 'labels'}."
    ),
    "groups": _groups,
    "missing": lambda s: f"'{s['column']}'{_role(s)}: {_n(s['rows'], 'row')} without a value ({_share(s)}).",
    "empty_column": lambda s: f"'{s['column']}' has no value.",
    "constant_column": lambda s: f"'{s['column']}'{_role(s)} is constant: {s['value']}.",
    "text_label": lambda s: f"'{s['column']}' has different texts in most rows: it is no label.",
    "few_whole_numbers": lambda s: (
        f"'{s['column']}' is read as a number and has {_n(s['values'], 'whole value')};"
        f" if these are codes, call it a category."
    ),
    "infinite": lambda s: f"'{s['column']}': {_n(s['rows'], 'infinite value')}, taken as missing.",
    "cut_cells": lambda s: f"'{s['column']}': {_n(s['cells'], 'text')} cut to 10,000 characters.",
    "nested": lambda s: f"'{s['column']}' holds lists or objects: it is not read.",
    "invalid_characters": lambda s: (
        f"{_n(s['count'], 'character')} cannot be read as {s['encoding']};"
        " if that is the wrong encoding, name the right one."
    ),
    "rows_left_out": lambda s: (
        f"{_n(s['rows'], 'row')} of the table left out: the activations have no such ids."
    ),
    "constant_units": _constant_units,
    "repeated_rows": lambda s: (
        f"{s['matrix']}: {_n(s['rows'], 'row')} {'repeats' if s['rows'] == 1 else 'repeat'} another ({_share(s)}),"
        f" such as rows {s['first'][0]} and {s['first'][1]}."
    ),
    "repeated_differ": lambda s: (
        f"{s['matrix']}: '{s['label']}' differs within {_n(s['sets'])} of {_n(s['of'], 'set')} of equal rows."
    ),
    "sampled": lambda s: f"{s['matrix']}: leaks were looked for in {_n(s['rows'])} of {_n(s['of'], 'row')}.",
    "leak": _leak,
    "confounded": _confounded,
}  # fmt: skip
"""Every code that `analysis.field` makes."""
