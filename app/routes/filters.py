"""The filters of a list of latents, as they stand in a query string: one reading for pages and API."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Query

from app.deps import MAX_ID
from app.errors import BadFilter
from app.queries import cursor as cursors
from app.queries.latents import DETAILS, SORTS, Filters, Order

ASCENDING = {"index", "layer"}
MAX_LIMIT = 500

Flag = Literal["true", "false", "any", ""] | None
Share = Annotated[str | None, Query(max_length=40, description="A number from 0 to 1.")]
Cosine = Annotated[str | None, Query(max_length=40, description="A number from -1 to 1.")]
Yes = Annotated[Flag, Query(description="true, false, or any.")]


def share(name: str, text: str | None) -> float | None:
    """A share from a query string; an empty field of a form is none.

    Raises:
        BadFilter: no number from 0 to 1 (NaN is none).
    """
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise BadFilter(f"{name} '{text}' is no number from 0 to 1; a density of 10 % is 0.1")
    return value


def cosine(name: str, text: str | None) -> float | None:
    """Like `share`, from -1 to 1."""
    if text is not None and text.strip().startswith("-"):
        value = share(name, text.strip()[1:])
        return None if value is None else -value
    return share(name, text)


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
    detail: Annotated[
        str | None, Query(max_length=12, description="dense, partner, control, asked, any or none.")
    ] = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of a top token, without regard to case.")] = None,
) -> Filters:
    """Filters within one SAE; a dependency, so pages and API read the same."""
    return Filters(
        dense=flag(dense),
        min_density=share("min_density", min_density),
        max_density=share("max_density", max_density),
        min_antipodality=cosine("min_antipodality", min_antipodality),
        max_antipodality=cosine("max_antipodality", max_antipodality),
        pair=flag(pair),
        duplicate=flag(duplicate),
        borderline=flag(borderline),
        detail=_detail(detail),
        q=_part(q),
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


def _part(text: str | None) -> str | None:
    if text and "\0" in text:
        raise BadFilter("q holds a NUL character; no token does")
    return text or None
