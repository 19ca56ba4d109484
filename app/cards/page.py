"""A latent's card for previews, and its panel for other sites' pages."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.cards.card import ROWS, Card
from app.cards.picture import Picture, own_picture, signed_picture
from app.classes import page as functions
from app.classes.score import ScoreInfo
from app.interventions.page import causal_sentence
from app.latents.facts import TokenList, summary_of, token_lists
from app.latents.plots import signed_info
from app.latents.queries import LatentInfo
from app.latents.record import LatentRecord, read_latent
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.language import _
from app.shared.links import latent_name
from app.shared.numbers import boxed, count, interval, percent, signed
from app.shared.page import RunPage
from app.shared.reasons import why
from store.vocabulary import NO_CLASS


@dataclass(frozen=True)
class EmbedPage(RunPage):
    """One latent as a small panel in a frame, without a script."""

    template = "cards/panel.html"
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


def said_of(record: LatentRecord) -> str:
    """What it does and what breaks without it; empty where neither is known."""
    said = [functions.sentence(record.scores), causal_sentence(record.effect, record.epsilon)]
    return " ".join(text for text in said if text)


def card_of(session: Session, run: RunInfo, sae: saes.SaeInfo, index: int) -> Card:
    """The card of one latent."""
    record = read_latent(session, sae, index)
    latent, mirror = record.latent, record.image
    between = interval(latent.density_low, latent.density_high)
    sure = _(", 95 %% interval %(between)s", between=between) if between else ""
    return Card(
        where=_(
            "%(model_name)s · layer %(layer)s · %(split)s",
            model_name=run.model_name,
            layer=sae.layer,
            split=sae.slug.split("/")[-1],
        ),
        title=latent_name(sae.layer, index),
        mirror=_("⇄ mirror of %(index)s", index=mirror.index) if mirror else "",
        density=_("Fires on %(density)s", density=percent(latent.density)) if latent.density else _("Never fires"),
        beside=f"{'of' if latent.density else 'on'} {count(run.tokens)} tokens{sure}",
        picture=picture_of(record),
        why=why(latent.reasons, "histogram") or _("It never fired on this text."),
        tokens=_tokens(record),
        side=record.side,
        words=said_of(record)
        or _("Measured on %(documents)s documents of %(corpus)s.", documents=count(run.documents), corpus=run.corpus),
    )


def picture_of(record: LatentRecord) -> Picture | None:
    """Two-sided where it has a mirror image."""
    info = signed_info(record.pair) if record.mirror and record.pair is not None else None
    if info is not None and record.pair is not None:
        return signed_picture(record.pair, info)
    histogram = record.profiles.histogram
    return None if histogram is None else own_picture(record.index, histogram, record.side)


def _tokens(record: LatentRecord) -> list[tuple[str, float, str]]:
    items = record.profiles.top_tokens[:ROWS]
    most = max((abs(item.mean or 0.0) for item in items), default=0.0) or 1.0
    return [(boxed(item.token), abs(item.mean or 0.0) / most, signed(item.mean)) for item in items]


def embed_page(session: Session, run: RunInfo, sae: saes.SaeInfo, index: int, theme: str) -> EmbedPage:
    """The panel of one latent."""
    record = read_latent(session, sae, index)
    latent, mirror = record.latent, record.image
    by_mean, _mass, promoted, _suppressed = token_lists(latent, record.profiles, record.side)
    return EmbedPage(
        title=f"{latent_name(sae.layer, index)} · {sae.slug}",
        nav="latents",
        run=run,
        sae=sae,
        latent=latent,
        mirror=mirror,
        summary=summary_of(run, latent, mirror, said_of(record)),
        said=said_of(record),
        picture=picture_of(record),
        tokens=[by_mean, promoted],
        functions=[score for score in record.scores.values() if score.holds and score.name not in NO_CLASS],
        theme=theme,
    )
