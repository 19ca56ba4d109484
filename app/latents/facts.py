"""What a page says of a latent in numbers and words: the few at its head, its tokens, its texts, all in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.interventions.queries import EffectInfo
from app.latents.columns import Column, Shown, Where, columns_of
from app.latents.profiles import Profiles
from app.latents.queries import Excerpt, LatentInfo
from app.pairs.queries import PairInfo
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.language import N_, _
from app.shared.numbers import NONE, THIN, count, fixed, interval, nats, number, percent, signed, span
from app.shared.reasons import why
from app.shared.tokens import Paint, Passage
from store.vocabulary import level_of


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
    shown = Shown(latent, effect)
    facts = [
        _fact(column, shown)
        for column in columns_of(Where.FACTS)
        if not column.measure or column.value(shown) is not None
    ]
    return facts[:1] + ([] if pair is None else [_joint(pair)]) + facts[1:]


def effect_fact(effect: EffectInfo, label: str) -> Fact:
    """Change of the loss, its interval and what half of the controls exceed."""
    control = effect.loss.control
    beside = (
        ""
        if control is None or control.median is None
        else _(" · control %(lstrip)s", lstrip=nats(control.median).lstrip("+"))
    )
    between = span(effect.loss.low, effect.loss.high, nats)
    return Fact(label, "effect_loss", nats(effect.loss.value), f"{between}{beside}".lstrip(" ·"))


def _fact(column: Column, shown: Shown) -> Fact:
    cell = column.cell(shown)
    return Fact(column.title or column.head, column.statistic, cell.value or NONE, cell.why or cell.small, cell.why)


def _joint(pair: PairInfo) -> Fact:
    reason = why(pair.reasons, "r2") if pair.r2 is None else ""
    return Fact(
        _("joint R²"), "r2", fixed(pair.r2), reason or _("best single %(single)s", single=fixed(pair.r2_single)), reason
    )


def pair_facts(pair: PairInfo, effect: EffectInfo | None) -> list[Fact]:
    """Joint facts of a pair."""
    ratio = (
        ""
        if pair.cofiring_ratio is None
        else _(
            "%(cofiring_ratio)s%(thin)s× what independence gives",
            cofiring_ratio=number(pair.cofiring_ratio, 2),
            thin=THIN,
        )
    )
    both = [] if effect is None else [effect_fact(effect, _("Δ loss without both"))]
    return [
        Fact(
            "antipodality",
            "antipodality",
            fixed(pair.score),
            _("enc %(cos_enc)s · dec %(cos_dec)s", cos_enc=fixed(pair.cos_enc), cos_dec=fixed(pair.cos_dec)),
        ),
        _joint(pair),
        *both,
        Fact(_("gain over one"), "r2", fixed(pair.gain), _("joint R² less the better single"), why(pair.reasons, "r2")),
        Fact("correlation", "correlation", fixed(pair.correlation), _("of z with p"), why(pair.reasons, "correlation")),
        Fact(
            "coverage",
            "coverage",
            percent(pair.coverage),
            _("dead zone %(dead_zone)s", dead_zone=percent(pair.dead_zone)),
        ),
        Fact("co-firing", "cofiring", percent(pair.cofiring), ratio, why(pair.reasons, "cofiring_ratio")),
    ]


def sae_facts(sae: SaeInfo) -> list[Fact]:
    """An SAE as one run saw it; what is said of a transcoder is said of what it predicts."""
    left_out = _("massive tokens left out: %(massive_share)s", massive_share=percent(sae.massive_share))
    mirrors = _("mutual, both cosines negative")
    return [
        Fact(
            _("dense latents"),
            "is_dense",
            count(sae.n_dense),
            _(
                "%(dense_share)s of %(n_latents)s · %(n_borderline)s borderline",
                dense_share=percent(sae.dense_share),
                n_latents=count(sae.n_latents),
                n_borderline=count(sae.n_borderline),
            ),
        ),
        Fact(_("antipodal pairs"), "is_pair", count(sae.n_pairs), mirrors + _("; not expected here") * sae.transcodes),
        Fact(_("dense share of mass"), "mass_share", percent(sae.dense_mass_share), _("of all firing mass")),
        Fact("L0", "l0", number(sae.l0), _("latents on per token")),
        Fact(
            "FVU", "fvu", fixed(sae.fvu, 3), _("of %(hook_out)s; ", hook_out=sae.hook_out) * sae.transcodes + left_out
        ),
        Fact(
            "dead",
            "density",
            count(sae.n_dead),
            _("%(n_latents)s never fired here", n_latents=percent(sae.n_dead / sae.n_latents)),
        ),
    ]


def summary_of(run: RunInfo, latent: LatentInfo, mirror: LatentInfo | None, *said: str) -> str:
    """How often it fires, its mirror image where it has one, and what else is `said` of it."""
    if latent.density == 0:
        return _("Never fires on %(tokens)s tokens of %(corpus)s.", tokens=count(run.tokens), corpus=run.corpus)
    between = interval(latent.density_low, latent.density_high)
    sure = _(" (95 %% interval %(between)s)", between=between) if between else ""
    other = "" if mirror is None else _(", mirror image of latent %(index)s", index=mirror.index)
    first = _(
        "Fires on %(density)s of %(tokens)s tokens%(sure)s%(other)s.",
        density=percent(latent.density),
        tokens=count(run.tokens),
        sure=sure,
        other=other,
    )
    return " ".join([first, *(text for text in said if text)])


@dataclass(frozen=True)
class TokenRow:
    """A token as shown."""

    token: str
    value: float | None
    length: float
    """Of its bar, 0 to 100."""
    shown: str
    """The value as written."""


@dataclass(frozen=True)
class TokenList:
    """Tokens with a bar each."""

    title: str
    term: str
    side: str
    """Colour of the bars: p, n, or z where it belongs to no pole; empty where they have none."""
    rows: list[TokenRow]
    missing: str
    """Why the list is empty."""


SHOWN = 10


def token_lists(latent: LatentInfo, profiles: Profiles, side: str) -> list[TokenList]:
    """By mean activation, by share of firing mass, promoted, suppressed."""
    empty = _("No token type occurs %(or_)s times and makes it fire.", or_=profiles.support or 5)
    mean, mass = _items(profiles, "top_tokens", "mean"), _items(profiles, "top_tokens_mass", "share")
    up, down = _items(profiles, "promoted", "logit"), _items(profiles, "suppressed", "logit")
    held = latent.reasons
    return [
        _list(_("By mean activation"), "top_tokens", side, mean, signed, why(held, "top_tokens") or empty),
        _list(_("By share of firing mass"), "top_tokens_mass", side, mass, percent, why(held, "top_tokens_mass")),
        _list(_("Promoted"), "promoted", _logits(up, 1), up, signed, why(held, "promoted")),
        _list(_("Suppressed"), "suppressed", _logits(down, -1), down, signed, why(held, "suppressed")),
    ]


def _items(profiles: Profiles, name: str, value: str) -> list[tuple[str, float | None]]:
    return [(item["token"], item.get(value)) for item in profiles.items(name)[:SHOWN]]


def _logits(items: Sequence[tuple[str, float | None]], sign: int) -> str:
    """Logits are not centred: where a promoted one is below zero, or a suppressed one above, a bar would point the
    wrong way."""
    return "" if any(sign * (value or 0) < 0 for _token, value in items) else "z"


def pole_lists(latent: LatentInfo, profiles: Profiles, side: str) -> list[TokenList]:
    """A pole's lists on the pair page, named by the latent."""
    sign = "+" if side == "p" else "−"
    by_mean, _mass, promoted, _suppressed = token_lists(latent, profiles, side)
    return [
        replace(by_mean, title=_("%(pole)s, by mean activation", pole=f"{sign} {latent.index}")),
        replace(promoted, title=_("%(pole)s, promoted", pole=f"{sign} {latent.index}")),
    ]


def _list(
    title: str,
    term: str,
    side: str,
    items: Sequence[tuple[str, float | None]],
    form: Callable[[float | None], str],
    missing: str,
) -> TokenList:
    most = max((abs(value or 0) for _token, value in items), default=0) or 1
    rows = [TokenRow(token, value, round(100 * abs(value or 0) / most, 1), form(value)) for token, value in items]
    return TokenList(title, term, side, rows, missing or _("It never fired on this text."))


_KIND_TITLES = {"top": N_("Strongest"), "random": N_("Random, on"), "off": N_("Random, off")}
_KIND_NOTES = {
    "top": N_(
        "The highest activations, at most one a context. For a latent that is on this often: the tip, not the rule."
    ),
    "level4": N_("The highest quarter of the firing activations."),
    "level3": N_("Above the median of the firing activations."),
    "level2": N_("Below the median of the firing activations."),
    "level1": N_("The lowest quarter of the firing activations."),
    "random": N_("Firing tokens drawn at random."),
    "off": N_("Tokens drawn at random where the latent is off: the control for all the others."),
}


@dataclass(frozen=True)
class Group:
    """Examples of one kind."""

    kind: str
    title: str
    note: str
    examples: list[Passage] | None
    """None: they come when asked for."""


_STRIP_TITLES = {"top": N_("strong"), "random": N_("typical"), "off": N_("off")}


@dataclass(frozen=True)
class Strip:
    """One example at the head of a page."""

    title: str
    passage: Passage


def strips_of(excerpts: list[Excerpt], paint: Paint) -> list[Strip]:
    """One example of a kind each, in its colours."""
    return [Strip(_STRIP_TITLES[excerpt.kind], passage_of(excerpt, paint)) for excerpt in excerpts]


def group_of(kind: str, excerpts: list[Excerpt] | None, paint: Paint) -> Group:
    """Examples of one kind in their colours; None where they come when asked for."""
    shown = None if excerpts is None else [passage_of(excerpt, paint) for excerpt in excerpts if excerpt.kind == kind]
    return Group(kind, kind_title(kind), _note(kind), shown)


def kind_title(kind: str) -> str:
    """Of a kind of example."""
    level, count = level_of(kind)
    if not level:
        return _KIND_TITLES[kind]
    return (
        _("Level %(level)s of %(value)s", level=level, value=count)
        if kind.startswith("level")
        else _("Interval %(level)s of %(value)s", level=level, value=count)
    )


def _note(kind: str) -> str:
    level, count = level_of(kind)
    return _KIND_NOTES.get(kind) or _(
        "Interval %(level)s of %(value)s equal ones, from 0 to the largest activation.", level=level, value=count
    )


def passage_of(excerpt: Excerpt, paint: Paint) -> Passage:
    """An example in its colours."""
    return Passage(
        excerpt.document,
        excerpt.position,
        excerpt.tokens,
        excerpt.activations,
        excerpt.partner,
        excerpt.focus,
        paint,
    )


def scale_of(latent: LatentInfo) -> float:
    """Activation that gets the full colour: the 99 % quantile, since a few massive tokens would hide the rest."""
    return abs(float((latent.quantiles or {}).get("0.99") or latent.max or 0.0))


def paint_of(latent: LatentInfo, partner: LatentInfo | None, pole: int) -> Paint:
    """The colours of a latent; `partner` only where it is a mirror image."""
    scale = max(scale_of(latent), scale_of(partner) if partner else 0.0)
    weights = (latent.decoder_norm or 1.0, (partner.decoder_norm if partner else None) or 1.0)
    return Paint(latent.index, scale, pole, partner.index if partner else None, weights)


def why_unmeasured(latent: LatentInfo, others: bool) -> str:
    """Why a latent has no classes; `others` says whether latents of the same SAE have."""
    if not others:
        return _(
            "This run was analysed before classes were measured, or without them; analyse again to see what it does."
        )
    if latent.detail is None:
        return _(
            "Classes are measured where examples are kept: dense latents, their partners, a sample of sparse ones."
        )
    return _("No class was measured for this latent.")
