"""The columns of the user's corpus: which can be held against signals, as what, and why the rest cannot.

A value that is missing, null or blank text is no value. What a column is follows from all its values:
true/false, numbers, text, or lists of character spans; a column that mixes them is refused and says so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.labels.confounds import Confound, confounds
from analysis.labels.literal import standing
from analysis.labels.spans import FEWEST_WITH, UnreadableError, read_spans
from analysis.reading.batches import Sample
from analysis.reading.documents import Document
from store.vocabulary import Statement

FEWEST_DOCUMENTS = 20
FEWEST_A_SIDE = 5  # documents that are true, and that are false
MOST_SPAN_LABELS = 20
MOST_MEASURED = 40  # columns: a hostile file has thousands, and the tests are latents x columns
MOST_LISTED = 200
NAME_LENGTH, VALUE_LENGTH = 120, 200
MEASURES = {"category": "eta2", "number": "spearman", "boolean": "auc"}
_NOTHING = torch.empty(0, dtype=torch.int64)


class LabelColumn(NamedTuple):
    """One column. D documents with a value that can be used, s spans; both empty where `reason` says why not."""

    name: str
    kind: str  # category, number, boolean; other where it is none of them (refused)
    of: str  # document, token
    measure: str  # eta2, spearman, auc; none where refused as other
    documents: int  # that have a value and were read
    groups: list[dict[str, Any]]  # of a category: {"value", "documents"}, most frequent first
    reason: Statement | None
    confounds: list[Confound]  # strongest first
    which: Tensor  # [D] int64: which documents of the corpus, ascending
    values: Tensor  # [D] float64: the number; 1 true, 0 false; the place in `groups`
    spans: Tensor  # [s, 3] int64: document, first character, first character after; ascending and apart
    literal: int | None = None  # documents in whose text the value stands; None of true/false and of spans


Values = dict[int, Any]  # document -> value


def label_columns(sample: Sample, documents: Mapping[int, Document]) -> list[LabelColumn]:
    """All columns of the documents that were read, once per run, in the order in which they first occur.

    Args:
        sample: which documents were read.
        documents: them, by their index in the corpus.
    """
    indices = torch.unique(sample.document[torch.unique(sample.context)]).tolist()
    read = [documents[index] for index in indices if index in documents]
    names = list(dict.fromkeys(name for document in read for name in document.labels))
    found: list[LabelColumn] = []
    for name in names[:MOST_LISTED]:
        values = {d.index: d.labels[name] for d in read if not _missing(d.labels.get(name))}
        found += _columns(name, values, read) if values else []
    return _with_confounds(_with_own_names(_at_most(found)))


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _columns(name: str, values: Values, read: list[Document]) -> list[LabelColumn]:
    kinds = Counter(map(_kind, values.values()))
    if len(kinds) > 1:
        return [_refused(name, "other", len(values), {"code": "mixed", "kinds": dict(kinds.most_common())})]
    kind = next(iter(kinds))
    if kind == "nested":
        return [_refused(name, "other", len(values), {"code": "objects"})]
    if kind == "list":
        return _span_columns(name, values, read)
    if len(values) < FEWEST_DOCUMENTS:
        return [_refused(name, kind, len(values), _too_few(len(values)))]
    column = {"boolean": _boolean, "number": _number, "category": _category}[kind](name, values)
    stands = None if kind == "boolean" else standing(values, {document.index: document.text for document in read})
    return [column._replace(literal=stands)]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "category"
    return "list" if isinstance(value, list | tuple) else "nested"


def _too_few(count: int) -> Statement:
    return {"code": "few_documents", "found": count, "needed": FEWEST_DOCUMENTS}


def _refused(name: str, kind: str, documents: int, reason: Statement, of: str = "document") -> LabelColumn:
    measure = MEASURES.get(kind, "none")
    return LabelColumn(
        name, kind, of, measure, documents, [], reason, [], _NOTHING, _NOTHING.double(), _NOTHING.view(0, 3)
    )


def _measured(name: str, kind: str, values: Mapping[int, float]) -> LabelColumn:
    index = sorted(values)
    numbers = torch.tensor([values[i] for i in index], dtype=torch.float64)
    return _refused(name, kind, len(values), {})._replace(reason=None, which=torch.tensor(index), values=numbers)


def _boolean(name: str, values: Values) -> LabelColumn:
    true = sum(values.values())
    if min(true, len(values) - true) < FEWEST_A_SIDE:
        why = {"code": "few_a_side", "true": true, "false": len(values) - true, "needed": FEWEST_A_SIDE}
        return _refused(name, "boolean", len(values), why)
    return _measured(name, "boolean", {index: float(value) for index, value in values.items()})


def _number(name: str, values: Values) -> LabelColumn:
    numbers = {index: _finite(value) for index, value in values.items()}
    wrong = sum(value is None for value in numbers.values())
    if wrong:
        return _refused(name, "number", len(values), {"code": "not_finite", "documents": wrong})
    if len(set(numbers.values())) == 1:
        return _refused(name, "number", len(values), {"code": "same_value"})
    return _measured(name, "number", {index: value for index, value in numbers.items() if value is not None})


def _finite(value: float) -> float | None:
    """As a float; None where it is not finite (Python's JSON reads 1e999, and integers of any length)."""
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _category(name: str, values: Values) -> LabelColumn:
    """Only values that two documents share can be told from the document itself; the others are left out."""
    counts = sorted(Counter(values.values()).items(), key=lambda item: (-item[1], item[0]))
    groups = [{"value": value[:VALUE_LENGTH], "documents": count} for value, count in counts]
    place = {value: place for place, (value, count) in enumerate(counts) if count > 1}
    shared = {index: float(place[value]) for index, value in values.items() if value in place}
    reason = _no_category(counts, len(shared))
    column = _refused(name, "category", len(values), reason) if reason else _measured(name, "category", shared)
    return column._replace(groups=groups, documents=len(values))


def _no_category(counts: list[tuple[str, int]], shared: int) -> Statement | None:
    total = sum(count for _value, count in counts)
    if len(counts) == 1:
        return {"code": "same_value"}
    if shared < max(FEWEST_DOCUMENTS, total / 2):
        return {"code": "own_values", "documents": total - shared, "of": total, "numbers": _all_numbers(counts)}
    return None if sum(count > 1 for _value, count in counts) > 1 else {"code": "one_shared"}


def _all_numbers(counts: Iterable[tuple[str, int]]) -> bool:
    try:
        return all(math.isfinite(float(value)) for value, _count in counts)
    except ValueError:
        return False


def _span_columns(name: str, values: Values, read: list[Document]) -> list[LabelColumn]:
    """A true/false column of tokens for each of the most frequent labels."""
    if len(values) < FEWEST_DOCUMENTS:
        return [_refused(name, "other", len(values), _too_few(len(values)))]
    try:
        labelled = read_spans(values, {document.index: document.text for document in read})
    except UnreadableError:
        return [_refused(name, "other", len(values), {"code": "no_spans"})]
    most = sorted(labelled, key=lambda label: (-len(labelled[label]), label))
    index = torch.tensor(sorted(values))
    found = [_span_column(f"{name}: {label}", index, labelled[label]) for label in most[:MOST_SPAN_LABELS]]
    if len(most) > MOST_SPAN_LABELS:
        why = {"code": "most_frequent", "measured": MOST_SPAN_LABELS, "of": len(most)}
        found.append(_refused(f"{name}: other labels", "boolean", len(values), why, "token"))
    return found or [_refused(name, "boolean", len(values), {"code": "no_span"}, "token")]


def _span_column(name: str, index: Tensor, spans: Tensor) -> LabelColumn:
    documents = len(torch.unique(spans[:, 0]))
    if documents < FEWEST_WITH:
        why = {"code": "few_with_span", "found": documents, "needed": FEWEST_WITH}
        return _refused(name, "boolean", len(index), why, "token")
    return _refused(name, "boolean", len(index), {}, "token")._replace(reason=None, which=index, spans=spans)


def _at_most(found: list[LabelColumn]) -> list[LabelColumn]:
    measured = [column for column in found if column.reason is None][:MOST_MEASURED]
    kept = {id(column) for column in measured}
    why: Statement = {"code": "first_columns", "measured": MOST_MEASURED}
    return [
        column if column.reason is not None or id(column) in kept
        # what was measured is dropped with it
        else _refused(column.name, column.kind, column.documents, why, column.of)
        for column in found
    ]  # fmt: skip


def _with_own_names(found: list[LabelColumn]) -> list[LabelColumn]:
    """Names cut to what the table holds, and no two the same."""
    used: set[str] = set()
    for place, column in enumerate(found):
        name, number = column.name[:NAME_LENGTH] or "(no name)", 1
        while name in used:
            number += 1
            tail = f" ({number})"
            name = column.name[: NAME_LENGTH - len(tail)] + tail
        used.add(name)
        found[place] = column._replace(name=name)
    return found


def _with_confounds(found: list[LabelColumn]) -> list[LabelColumn]:
    whole = [column for column in found if column.reason is None and column.of == "document"]
    listed = confounds([(column.name, column.kind, column.which, column.values) for column in whole])
    return [column._replace(confounds=listed.get(column.name, [])) for column in found]
