"""How an error looks."""

from __future__ import annotations

from pydantic import BaseModel


class Problem(BaseModel):
    """An error (RFC 9457): `detail` says what was wrong and what there is instead."""

    type: str
    title: str
    status: int
    detail: str
