"""A latent where our pages are not: as a card, as a panel in a frame, and by its Neuronpedia address."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.cards.card import card_svg, png_of
from app.cards.page import card_of, embed_page
from app.deps import Index, PinDep, RendererDep, SaeDep, SessionDep
from app.http.cache import FreshMeasured
from app.http.errors import NotFound
from app.saes import queries as saes
from app.shared.language import _
from app.shared.links import at, latent_at, neuronpedia

router = APIRouter(dependencies=[FreshMeasured])
Theme = Annotated[Literal["", "light", "dark"], Query(description="Of the panel; without it the reader's own.")]
Name = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]


@router.get("/saes/{slug:path}/latents/{index}/card.svg")
def svg_card(session: SessionDep, found: SaeDep, index: Index) -> Response:
    """The card as SVG."""
    return Response(card_svg(card_of(session, *found, index)), media_type="image/svg+xml")


@router.get("/saes/{slug:path}/latents/{index}/card.png")
def png_card(session: SessionDep, found: SaeDep, index: Index, pin: PinDep) -> Response:
    """The card as PNG, which previews want; where no font is installed, the way to the SVG."""
    png = png_of(card_svg(card_of(session, *found, index)))
    if png is None:
        return RedirectResponse(at("card.svg", pin.query), 307)
    return Response(png, media_type="image/png")


@router.get("/embed/saes/{slug:path}/latents/{index}")
def panel(session: SessionDep, render: RendererDep, found: SaeDep, index: Index, theme: Theme = "") -> HTMLResponse:
    """A small panel, which listed origins may frame."""
    return render(embed_page(session, *found, index, theme))


@router.get("/neuronpedia/{model}/{sae}/{index}")
def from_neuronpedia(session: SessionDep, model: Name, sae: Name, index: Index, pin: PinDep) -> Response:
    """Our page of the latent that has this address there."""
    name = f"{model}/{sae}"
    slug = saes.slug_on_neuronpedia(session, name, pin)
    if slug is None:
        known = [one for one in saes.names_on_neuronpedia(session) if neuronpedia(one)]
        listed = ", ".join(known) or _("none; no SAE's metadata name a page there")
        raise NotFound(
            _(
                "No SAE of this store is %(name)s on Neuronpedia. Those that are there: %(value)s.",
                name=name,
                value=listed,
            )
        )
    return RedirectResponse(at(latent_at(slug, index), pin.query), 303)
