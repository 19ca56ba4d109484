"""Filters of a list of latents, from the query string."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from app.errors import BadFilter
from app.queries.latents import DEFAULT_LIMIT, MAX_LIMIT, Filters

Bound = Annotated[float | None, Query(allow_inf_nan=False, description="Inclusive.")]
Word = Annotated[str | None, Query(max_length=200)]


def filters_from(
    sae: Word = None,
    layer: Annotated[int | None, Query(ge=0, le=10_000)] = None,
    borderline: bool | None = None,
    pair: Annotated[bool | None, Query(description="In an antipodal pair.")] = None,
    duplicate: bool | None = None,
    detail: Annotated[str | None, Query(max_length=20, description="dense, partner, control or asked.")] = None,
    min_density: Bound = None,
    max_density: Bound = None,
    min_antipodality: Bound = None,
    max_antipodality: Bound = None,
    q: Annotated[str | None, Query(max_length=200, description="Part of one of the top tokens.")] = None,
    sort: Annotated[str, Query(max_length=80)] = "density",
    order: Annotated[str, Query(max_length=8, description="desc or asc.")] = "desc",
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Filters:
    """Checked as far as single values go; the query checks the rest.

    Raises:
        BadFilter: a search with the character NUL, which no database holds.
    """
    for word in (sae, q):
        if word is not None and "\0" in word:
            raise BadFilter("a search cannot hold the character NUL")
    return Filters(
        sae=sae,
        layer=layer,
        borderline=borderline,
        pair=pair,
        duplicate=duplicate,
        detail=detail,
        min_density=min_density,
        max_density=max_density,
        min_antipodality=min_antipodality,
        max_antipodality=max_antipodality,
        q=q,
        sort=sort,
        order=order,
        cursor=cursor,
        limit=limit,
    )
