"""Latents and pairs that a report names: those whose loss matters, the best pairs, one of each class."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.classes.groups import title_of
from app.classes.sentences import score_said
from app.interventions import queries as effects
from app.interventions.queries import EffectInfo
from app.pairs.queries import PairInfo
from app.report import queries as report
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.language import _
from app.shared.links import latent_at, latent_name, pair_at
from app.shared.memory import remembered
from app.shared.numbers import count, fixed, nats, nats_span, percent
from app.shared.record import Key
from store.vocabulary import LIKELY

EFFECTS, PAIRS = 5, 5


@dataclass(frozen=True)
class Matter:
    """A latent or a pair to talk about."""

    why: str
    about: str
    """As people write it: L15/1024."""
    href: str
    density: str
    words: str


def matters_of(session: Session, run: RunInfo, found: list[SaeInfo]) -> list[Matter]:
    """Five queries, however large the run is, once for all pages."""
    return remembered(session, ("matters", run.analyses), lambda: _matters_of(session, run, found))


def _matters_of(session: Session, run: RunInfo, found: list[SaeInfo]) -> list[Matter]:
    keys = report.strongest_effects(session, run, EFFECTS)
    broken = effects.own_effects(session, keys) if keys else {}
    densities = report.densities_of(session, keys)
    by_analysis = {sae.analysis_id: sae for sae in found}
    made = [_effect(broken[key], key, by_analysis[key[0]], densities[key]) for key in keys if key in broken]
    made += [_pair(slug, layer, pair) for slug, layer, pair in report.best_pairs(session, run, PAIRS)]
    return made + [_class(one) for one in report.one_of_each(session, run)]


def _effect(effect: EffectInfo, key: Key, sae: saes.SaeInfo, density: float) -> Matter:
    loss, band = effect.loss, effect.loss.control
    between = nats_span(loss.low, loss.high)
    words = _("Δ loss %(value)s nats per token without it", value=nats(loss.value)) + (
        f" ({between})" if between else ""
    )
    if effect.equivalent:
        words += _(", as good as nothing")
    if band is not None and band.beats is not None and band.n:
        words += _(
            "; beats %(band)s of %(band2)s random directions",
            band=count(round(band.beats * band.n)),
            band2=count(band.n),
        )
    href = latent_at(sae.slug, key[1])
    return Matter(_("largest effect"), latent_name(sae.layer, key[1]), href, percent(density), f"{words}.")


def _pair(slug: str, layer: int, pair: PairInfo) -> Matter:
    words = _("One signed signal") if pair.joint_1d else _("Two opposite directions")
    words += _(": antipodality %(score)s", score=fixed(pair.score))
    if pair.r2 is not None and pair.r2_single is not None:
        words += _(
            ", joint R² %(pair)s, the better one alone %(single)s", pair=fixed(pair.r2), single=fixed(pair.r2_single)
        )
    href = pair_at(slug, pair.positive, pair.negative)
    about = f"{latent_name(layer, pair.positive)} ⇄ {pair.negative}"
    return Matter(_("strongest pair"), about, href, f"{percent(pair.coverage)} either", f"{words}.")


def _class(one: report.Example) -> Matter:
    title = title_of(one.name) + (_(", likely") if one.label == LIKELY else "")
    href, words = latent_at(one.slug, one.index), score_said(one.name, one.statement)
    return Matter(title, latent_name(one.layer, one.index), href, percent(one.density), words)
