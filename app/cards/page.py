"""A latent's card for previews, and its panel for other sites' pages."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.cards.card import ROWS, Card
from app.cards.picture import Picture, own_picture, signed_picture
from app.classes import page as functions
from app.classes import queries as classes
from app.classes.score import ScoreInfo
from app.interventions.causal import causal_of
from app.interventions.effects_page import causal_sentence
from app.latents import token_lists as lists
from app.latents.page import Loaded, load
from app.latents.plots import signed_info
from app.latents.queries import LatentInfo
from app.latents.summary import summary_of
from app.latents.token_lists import TokenList
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.numbers import boxed, count, interval, percent, signed
from app.shared.page import Page
from store.vocabulary import NO_CLASS


@dataclass(frozen=True)
class EmbedPage(Page):
    """One latent as a small panel in a frame, without a script."""

    template = "cards/panel.html"
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


@dataclass(frozen=True)
class Known:
    """A latent with what a card and a panel say of it."""

    it: Loaded
    scores: dict[str, ScoreInfo]
    said: str
    """What it does and what breaks without it; empty where neither is known."""

    @property
    def side(self) -> str:
        """Colour of the latent: p or n."""
        return "p" if self.it.pole > 0 else "n"


def known_of(session: Session, sae: saes.SaeInfo, index: int) -> Known:
    """Read it."""
    scores = classes.find_scores(session, sae.analysis_id, [index]).get(index, {})
    causal = causal_of(session, sae.analysis_id, [index], plotted=False)
    said = [functions.sentence(scores), causal_sentence(causal.of(index), causal.epsilon)]
    return Known(load(session, sae, index), scores, " ".join(text for text in said if text))


def card_of(session: Session, run: runs.RunInfo, sae: saes.SaeInfo, index: int) -> Card:
    """The card of one latent."""
    known = known_of(session, sae, index)
    latent, mirror = known.it.latent, known.it.partner if known.it.mirror else None
    between = interval(latent.density_low, latent.density_high)
    sure = f", 95 % interval {between}" if between else ""
    return Card(
        where=f"{run.model_name} · layer {sae.layer} · {sae.slug.split('/')[-1]}",
        title=f"Latent {index}",
        mirror=f"⇄ mirror of {mirror.index}" if mirror else "",
        density=f"Fires on {percent(latent.density)}" if latent.density else "Never fires",
        beside=f"{'of' if latent.density else 'on'} {count(run.tokens)} tokens{sure}",
        picture=picture_of(known),
        why=str(latent.reasons.get("histogram") or "It never fired on this text."),
        tokens=_tokens(known),
        side=known.side,
        words=known.said or f"Measured on {count(run.documents)} documents of {run.corpus}.",
    )


def picture_of(known: Known) -> Picture | None:
    """Two-sided where it has a mirror image."""
    it = known.it
    info = signed_info(it.pair) if it.mirror and it.pair is not None else None
    if info is not None and it.pair is not None:
        return signed_picture(it.pair, info)
    return None if it.profiles.histogram is None else own_picture(it.latent.index, it.profiles.histogram, known.side)


def _tokens(known: Known) -> list[tuple[str, float, str]]:
    items = known.it.profiles.top_tokens[:ROWS]
    most = max((abs(item.mean or 0.0) for item in items), default=0.0) or 1.0
    return [(boxed(item.token), abs(item.mean or 0.0) / most, signed(item.mean)) for item in items]


def embed_page(session: Session, run: runs.RunInfo, sae: saes.SaeInfo, index: int, theme: str) -> EmbedPage:
    """The panel of one latent."""
    known = known_of(session, sae, index)
    latent, mirror = known.it.latent, known.it.partner if known.it.mirror else None
    by_mean, _mass, promoted, _suppressed = lists.of_latent(latent, known.it.profiles, known.side)
    return EmbedPage(
        title=f"Latent {index} · {sae.slug}",
        nav="latents",
        run=run,
        sae=sae,
        latent=latent,
        mirror=mirror,
        summary=summary_of(run, latent, mirror, known.said),
        said=known.said,
        picture=picture_of(known),
        tokens=[by_mean, promoted],
        functions=[score for score in known.scores.values() if score.holds and score.name not in NO_CLASS],
        theme=theme,
    )
