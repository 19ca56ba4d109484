"""Latents side by side. The form leads to the address of its choice, so that every comparison is a link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from app.compare.page import compare_page
from app.compare.references import MOST, address, chosen, reference_of
from app.deps import PinDep, RendererDep, SessionDep
from app.http.cache import Fresh
from app.http.errors import BadFilter
from app.shared.language import _

router = APIRouter(dependencies=[Fresh])
Latent = Annotated[str, Query(max_length=240, description="SLUG:INDEX, or SLUG:INDEX@RUN.")]
Sae = Annotated[str, Query(max_length=220, description="Of a latent to add: SLUG, or SLUG@RUN.")]
Typed = Annotated[str, Query(max_length=20, description="Of a latent to add: its index.")]


@router.get("/compare")
def compare(
    session: SessionDep,
    render: RendererDep,
    pin: PinDep,
    a: Latent = "",
    b: Latent = "",
    c: Latent = "",
    d: Latent = "",
    sae: Sae = "",
    index: Typed = "",
) -> Response:
    """Two to four latents; with `sae` and `index`, the way to the page with one more."""
    given = {"a": a, "b": b, "c": c, "d": d}
    asked = [reference_of(text, name) for name, text in given.items() if text]
    if sae or index:
        if len(asked) >= MOST:
            raise BadFilter(_("%(most)s latents are compared at most; take one out first.", most=MOST))
        return RedirectResponse(address([*asked, chosen(sae, index)], render.pin), 303)
    return render(compare_page(session, asked, pin))
