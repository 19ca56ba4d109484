"""The filters of a list of latents, as they stand in a query string: one reading for pages and API."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import WithJsonSchema

from app.classes.queries import CLASSES
from app.deps import MAX_ID
from app.http.errors import BadFilter
from app.latents.queries import SORTS, Filters, Order
from app.shared import cursor as cursors
from app.vocabulary import ANY, NONE
from store.vocabulary import DETAILS, UNEXPLAINED, UNMEASURED, VERDICTS

FUNCTIONS = (*CLASSES, UNEXPLAINED, "any", UNMEASURED)
RULED = (*VERDICTS, NONE)
SAID = (*VERDICTS, ANY, NONE)
ASCENDING = {"index", "layer"}
MAX_LIMIT = 500

Flag = Literal["true", "false", "any", ""] | None
_EMPTY = {"type": "string", "maxLength": 0}  # what a form sends for an empty field
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def _number(low: int, high: int) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "number", "minimum": low, "maximum": high}, _EMPTY]})


# read as text, so that an empty field is no error; described as what they are
Share = Annotated[str | None, Query(max_length=40, description="A number from 0 to 1."), _number(0, 1)]
Cosine = Annotated[str | None, Query(max_length=40, description="A number from -1 to 1."), _number(-1, 1)]
Yes = Annotated[Flag, Query(description="true, false, or any.")]
Sort = Annotated[
    str,
    Query(max_length=200, description="Latents without the value come last."),
    WithJsonSchema({"type": "string", "enum": ["", *SORTS]}),
]
Direction = Annotated[
    str | None,
    Query(max_length=200, description="asc or desc; by default the largest first, but index and layer ascend."),
    WithJsonSchema({"type": "string", "enum": ["", "asc", "desc"]}),
]
Kept = Annotated[
    str | None,
    Query(max_length=200, description="Why examples were kept; any: they were; none: they were not."),
    WithJsonSchema({"type": "string", "enum": ["", *DETAILS, "any", "none"]}),
]
Function = Annotated[
    str | None,
    Query(
        alias="class",
        max_length=200,
        description="A class the latent has (yes or likely); any: one of the six; unmeasured: none was measured.",
    ),
    WithJsonSchema({"type": "string", "enum": ["", *FUNCTIONS]}),
]
Ruled = Annotated[
    str | None,
    Query(max_length=200, description="The verdict by rule; none: the rule was not applied. No person's is meant."),
    WithJsonSchema({"type": "string", "enum": ["", *RULED]}),
]
Alone = Annotated[Flag, Query(description="true: it has exactly one of the six classes; false: several; any.")]
Named = Annotated[
    str | None,
    Query(max_length=200, description="Name of a label of the corpus that the latent goes with (see /api/v1/labels)."),
    WithJsonSchema({"type": "string", "maxLength": 200, "pattern": "^[^\u0000]*$"}),
]
Part = Annotated[
    str | None,
    Query(max_length=200, description="Part of a top token, without regard to the case of A to Z."),
    WithJsonSchema({"type": "string", "maxLength": 200, "pattern": "^[^\u0000]*$"}),
]
Given = Annotated[
    str | None,
    Query(
        max_length=60,
        description="The category people gave: a class, or the key of one of the team's own; any: one; none: none.",
    ),
    WithJsonSchema({"type": "string", "maxLength": 60, "pattern": "^[^\u0000]*$"}),
]
Human = Annotated[
    str | None,
    Query(max_length=200, description="A person's verdict, not the rule's; any: one; none: none."),
    WithJsonSchema({"type": "string", "enum": ["", *SAID]}),
]
Said = Annotated[Flag, Query(description="true: somebody said something of it; false: nobody did; any.")]
Note = Annotated[
    str | None,
    Query(max_length=200, description="Part of a note, without regard to the case of A to Z."),
    WithJsonSchema({"type": "string", "maxLength": 200, "pattern": "^[^\u0000]*$"}),
]
Next = Annotated[str | None, Query(max_length=400, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Latents a page.")]


def within(name: str, text: str | None, low: float, high: float) -> float | None:
    """A number from a query string; an empty field of a form is none.

    Raises:
        BadFilter: no number from `low` to `high` (NaN is none).
    """
    if text is None or not text:
        return None
    if not _NUMBER.fullmatch(text) or not low <= float(text) <= high:
        raise BadFilter(f"{name} '{text}' is no number from {low:g} to {high:g}; 10 % is 0.1")
    return float(text)


def flag(value: Flag) -> bool | None:
    """true, false, or no filter."""
    return None if value in {None, "any", ""} else value == "true"


def order(sort: str, direction: str | None) -> Order:
    """A sort by name.

    Raises:
        BadFilter: unknown name or direction.
    """
    if sort not in SORTS:
        raise BadFilter(f"unknown sort '{sort[:60]}'; choose one of {', '.join(SORTS)}")
    if direction not in {None, "", "asc", "desc"}:
        raise BadFilter(f"unknown order '{str(direction)[:60]}'; choose asc or desc")
    return Order(sort, direction == "desc" if direction else sort not in ASCENDING)


def cursor(text: str | None, by: Order) -> cursors.Cursor | None:
    """Where a page begins."""
    return cursors.decode(text, by.sort, by.descending) if text else None


def latent_filters(
    dense: Yes = None,
    min_density: Share = None,
    max_density: Share = None,
    min_antipodality: Cosine = None,
    max_antipodality: Cosine = None,
    pair: Yes = None,
    duplicate: Yes = None,
    borderline: Yes = None,
    detail: Kept = None,
    of_class: Function = None,
    alone: Alone = None,
    label: Named = None,
    verdict: Ruled = None,
    q: Part = None,
    category: Given = None,
    human: Human = None,
    annotated: Said = None,
    note: Note = None,
) -> Filters:
    """Filters within one SAE; a dependency, so pages and API read the same."""
    return Filters(
        dense=flag(dense),
        min_density=within("min_density", min_density, 0, 1),
        max_density=within("max_density", max_density, 0, 1),
        min_antipodality=within("min_antipodality", min_antipodality, -1, 1),
        max_antipodality=within("max_antipodality", max_antipodality, -1, 1),
        pair=flag(pair),
        duplicate=flag(duplicate),
        borderline=flag(borderline),
        detail=_detail(detail),
        of_class=_function(of_class),
        alone=flag(alone),
        label=_part("label", label),
        verdict=_verdict(verdict),
        q=_part("q", q),
        category=_part("category", category),
        human=_human(human),
        annotated=flag(annotated),
        note=_part("note", note),
    )


def run_filters(
    within: Annotated[Filters, Depends(latent_filters)],
    sae: Annotated[str | None, Query(max_length=200, description="Slug of one SAE.")] = None,
    layer: Annotated[str | None, Query(max_length=12, description="Number of a layer.")] = None,
) -> Filters:
    """Filters over all SAEs of a run."""
    return replace(within, sae=sae or None, layer=_layer(layer))


def _layer(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_ID):
        raise BadFilter(f"layer '{text}' is no layer's number")
    return int(text)


def _detail(text: str | None) -> str | None:
    known = (*DETAILS, "any", "none")
    if text and text not in known:
        raise BadFilter(f"unknown detail '{text}'; choose one of {', '.join(known)}")
    return text or None


def _function(text: str | None) -> str | None:
    if text and text not in FUNCTIONS:
        raise BadFilter(f"unknown class '{text[:60]}'; choose one of {', '.join(FUNCTIONS)}")
    return text or None


def _verdict(text: str | None) -> str | None:
    if text and text not in RULED:
        raise BadFilter(f"unknown verdict '{text[:60]}'; choose one of {', '.join(RULED)}")
    return text or None


def _human(text: str | None) -> str | None:
    if text and text not in SAID:
        raise BadFilter(f"unknown verdict of a person, human '{text[:60]}'; choose one of {', '.join(SAID)}")
    return text or None


def _part(name: str, text: str | None) -> str | None:
    if text and "\0" in text:
        raise BadFilter(f"{name} holds a NUL character; none of ours does")
    return text or None
