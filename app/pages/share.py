"""What other sites' pages show of ours."""

from __future__ import annotations

from dataclasses import dataclass

from app.pages.base import Page
from app.parts import TokenList
from app.plots.picture import Picture
from app.queries.classes import ScoreInfo
from app.queries.latents import LatentInfo
from app.queries.runs import RunInfo
from app.queries.saes import SaeInfo


@dataclass(frozen=True)
class EmbedPage(Page):
    """One latent as a small panel in a frame, without a script."""

    template = "embed/latent.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Its SAE."""
    latent: LatentInfo
    """The latent."""
    mirror: LatentInfo | None
    """Its mirror image, where it has one."""
    summary: str
    """All of it in a sentence."""
    said: str
    """What it does and what breaks without it; empty where neither is known."""
    picture: Picture | None
    """Tokens by activation; None where it never fired."""
    tokens: list[TokenList]
    """By mean activation, and promoted."""
    functions: list[ScoreInfo]
    """Classes it has."""
    theme: str
    """light, dark, or empty: the reader's own."""
