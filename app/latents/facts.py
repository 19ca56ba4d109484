"""The few numbers at the head of a page, each with what it must be read against below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.interventions.effects import EffectInfo
from app.latents.queries import LatentInfo
from app.pairs.queries import PairInfo
from app.saes.queries import SaeInfo
from app.shared.numbers import THIN, count, fixed, nats, number, percent, span


@dataclass(frozen=True)
class Fact:
    """A number with its context."""

    label: str
    term: str
    """Name of the statistic, for its definition."""
    value: str
    small: str
    """Interval, control or denominator."""
    reason: str = ""
    """Why there is no value."""


def latent_facts(latent: LatentInfo, pair: PairInfo | None, effect: EffectInfo | None) -> list[Fact]:
    """Five to seven facts of one latent; `pair` only where the partner is its mirror image."""
    facts = [_antipodality(latent)]
    if pair is not None:
        facts.append(_joint(pair))
    if effect is not None:
        facts.append(effect_fact(effect, "Δ loss without it"))
    facts.append(_fact(latent, "max", "largest activation", number(latent.max), _median(latent)))
    facts.append(_fact(latent, "mean", "mean where on", number(latent.mean), f"sd {number(latent.std)}"))
    facts.append(_fact(latent, "mass_share", "share of firing mass", percent(latent.mass_share), "of all latents' sum"))
    small = f"decoder norm {fixed(latent.decoder_norm)}"
    facts.append(_fact(latent, "cos_bias", "cosine with SAE bias", fixed(latent.cos_bias), small))
    return facts


def effect_fact(effect: EffectInfo, label: str) -> Fact:
    """Change of the loss, its interval and what half of the controls exceed."""
    control = effect.against("loss")
    beside = "" if control is None or control.median is None else f" · control {nats(control.median).lstrip('+')}"
    between = span(effect.loss.low, effect.loss.high, nats)
    return Fact(label, "effect_loss", nats(effect.loss.value), f"{between}{beside}".lstrip(" ·"))


def _fact(latent: LatentInfo, name: str, label: str, value: str, small: str) -> Fact:
    reason = str(latent.reasons.get(name, "")) if getattr(latent, name) is None else ""
    return Fact(label, name, value, reason or small, reason)


def _median(latent: LatentInfo) -> str:
    middle = (latent.quantiles or {}).get("0.5")
    return f"median where on {number(middle)}" if middle is not None else ""


def _antipodality(latent: LatentInfo) -> Fact:
    cosines = f"enc {fixed(latent.cos_enc)} · dec {fixed(latent.cos_dec)}"
    return _fact(latent, "antipodality", "antipodality", fixed(latent.antipodality), cosines)


def _joint(pair: PairInfo) -> Fact:
    reason = str(pair.reasons.get("r2", "")) if pair.r2 is None else ""
    return Fact("joint R²", "r2", fixed(pair.r2), reason or f"best single {fixed(pair.r2_single)}", reason)


def pair_facts(pair: PairInfo, effect: EffectInfo | None) -> list[Fact]:
    """Joint facts of a pair."""
    ratio = "" if pair.cofiring_ratio is None else f"{number(pair.cofiring_ratio, 2)}{THIN}× what independence gives"
    both = [] if effect is None else [effect_fact(effect, "Δ loss without both")]
    return [
        Fact(
            "antipodality", "antipodality", fixed(pair.score), f"enc {fixed(pair.cos_enc)} · dec {fixed(pair.cos_dec)}"
        ),
        _joint(pair),
        *both,
        Fact("gain over one", "r2", fixed(pair.gain), "joint R² less the better single", _why(pair.reasons, "r2")),
        Fact("correlation", "correlation", fixed(pair.correlation), "of z with p", _why(pair.reasons, "correlation")),
        Fact("coverage", "coverage", percent(pair.coverage), f"dead zone {percent(pair.dead_zone)}"),
        Fact("co-firing", "cofiring", percent(pair.cofiring), ratio, _why(pair.reasons, "cofiring_ratio")),
    ]


def _why(reasons: dict[str, Any], name: str) -> str:
    return str(reasons.get(name, ""))


def sae_facts(sae: SaeInfo) -> list[Fact]:
    """An SAE as one run saw it."""
    return [
        Fact(
            "dense latents",
            "is_dense",
            count(sae.n_dense),
            f"{percent(sae.dense_share)} of {count(sae.n_latents)} · {count(sae.n_borderline)} borderline",
        ),
        Fact("antipodal pairs", "is_pair", count(sae.n_pairs), "mutual, both cosines negative"),
        Fact("dense share of mass", "mass_share", percent(sae.dense_mass_share), "of all firing mass"),
        Fact("L0", "l0", number(sae.l0), "latents on per token"),
        Fact("FVU", "fvu", fixed(sae.fvu, 3), f"massive tokens left out: {percent(sae.massive_share)}"),
        Fact("dead", "density", count(sae.n_dead), f"{percent(sae.n_dead / sae.n_latents)} never fired here"),
    ]
