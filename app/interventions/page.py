"""What breaks without a latent, a pair or all dense ones: numbers beside their controls, and plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.interventions import plots
from app.interventions.plots import EffectsInfo
from app.interventions.queries import Change, ControlInfo, Dot, EffectInfo, InterventionInfo
from app.shared.commands import command
from app.shared.figures import View
from app.shared.language import N_, _
from app.shared.numbers import count, fixed, nats, number, percent, span
from app.shared.numbers import interval as percents
from store.vocabulary import MEASURES, OWN, RANDOM, SET, SPARSE

BEATS = 0.95  # share of controls an effect must exceed to be called larger than theirs
Form = Callable[[float | None], str]
APART = N_("Only antipodal pairs are taken out together; these two stand here each alone.")
KINDS = {RANDOM: N_("random directions"), SPARSE: N_("sparse latents")}


@dataclass(frozen=True)
class Measure:
    """One thing that is measured, and how it is written."""

    title: str
    unit: str
    form: Form
    """Of a change."""
    size: Form
    """Of what controls reach, by size."""


def _plain(value: float | None) -> str:
    return nats(value).lstrip("+")


def _doublings(value: float | None) -> str:
    return f"+{fixed(value, 3)}" if value is not None and value >= 0.0005 else fixed(value, 3)


def _size(value: float | None) -> str:
    return fixed(value, 3)


NAMES = {
    "loss": Measure(N_("Δ loss"), N_("nats per token"), nats, _plain),
    "kl": Measure(N_("KL divergence"), N_("nats per token"), _plain, _plain),
    "entropy": Measure(N_("Δ entropy"), N_("nats per token"), nats, _plain),
    "top1": Measure(N_("likeliest token changes"), N_("share of tokens"), percent, percent),
    "rank": Measure(N_("Δ rank, right token"), "doublings", _doublings, _size),
}


@dataclass(frozen=True)
class ControlCell:
    """What one kind of control reaches."""

    kind: str
    median: str
    high: str
    """95 % of them stay below."""
    beats: str
    """Share of them with a smaller effect."""
    beaten: bool
    """So large a share that the effect is more than what such controls do."""


@dataclass(frozen=True)
class EffectCell:
    """A value with its interval."""

    value: str
    span: str


@dataclass(frozen=True)
class EffectRow:
    """One measure of all subjects of a page."""

    name: str
    title: str
    unit: str
    cells: list[EffectCell]
    """A subject each."""
    controls: list[ControlCell]
    """Of the first subject."""


@dataclass(frozen=True)
class Effects:
    """What breaks without it, as shown; empty rows where it was not measured."""

    heads: list[tuple[str, int | None]]
    """Columns: words, and the latent that they link to."""
    rows: list[EffectRow]
    words: str
    """Equivalence, in words."""
    norm_words: str
    """Total against frozen norm, in words."""
    basis: str
    """On what it was measured."""
    views: list[View] | None
    """None: they come when asked for."""
    missing: str
    """Why there is nothing, where there is nothing."""
    command: str
    """What would measure it."""


def effects_of(
    intervention: InterventionInfo | None,
    subjects: Sequence[tuple[str, int | None, EffectInfo | None]],
    slug: str,
    views: list[View] | None,
) -> Effects:
    """Effects of the subjects of a page, the one it is about first; of a pair without an effect its latents remain.

    Args:
        subjects: words of the column, latent it links to, effect; those without effect are left out.
        views: the plots; None where they come later.
    """
    held = [(words, index, effect) for words, index, effect in subjects if effect is not None]
    if intervention is None or not held:
        return Effects([], [], "", "", "", [], _why(intervention), command("ablate", slug))
    first, whole = held[0][2], subjects[0][2] is not None
    return Effects(
        heads=[(words, index) for words, index, _effect in held],
        rows=[_row(name, [effect for _words, _index, effect in held]) for name in MEASURES],
        words=equivalence_words(first, intervention.epsilon, "it" if first.other is None else "them")
        if whole
        else APART,
        norm_words=norm_words(first) if whole else "",
        basis=basis(intervention, first),
        views=views,
        missing="",
        command=command("ablate", slug),
    )


def _why(intervention: InterventionInfo | None) -> str:
    if intervention is None:
        return _("Nothing was taken out of this SAE yet, so what the model needs it for is not known.")
    return _(
        "Taken out are dense latents, their pairs, and sparse latents whose examples are kept; this is none of them."
    )


def _row(name: str, effects: list[EffectInfo]) -> EffectRow:
    measure = NAMES[name]
    known = [(kind, band) for kind in KINDS if (band := effects[0].measures[name].controls[kind]) is not None]
    return EffectRow(
        name=f"effect_{name}",
        title=measure.title,
        unit=measure.unit,
        cells=[_cell(name, effect.measures[name]) for effect in effects],
        controls=[_control(kind, band, measure) for kind, band in known],
    )


def _cell(name: str, found: Change) -> EffectCell:
    form = NAMES[name].form
    ends = percents(found.low, found.high) if name == "top1" else span(found.low, found.high, form)
    return EffectCell(form(found.value), ends)


def _control(kind: str, band: ControlInfo, measure: Measure) -> ControlCell:
    beats = "" if band.beats is None or band.n is None else f"{count(round(band.beats * band.n))} of {count(band.n)}"
    high = "" if band.high is None else f"95 % < {measure.size(band.high)}"
    return ControlCell(kind, measure.size(band.median), high, beats, (band.beats or 0.0) >= BEATS)


def basis(intervention: InterventionInfo, effect: EffectInfo) -> str:
    """On what an effect was measured, and how much was taken out."""
    read = _(
        "%(tokens)s next tokens of %(documents)s documents",
        tokens=count(intervention.tokens),
        documents=count(intervention.documents),
    )
    dtype = intervention.settings.get("model_dtype")
    read += _(", the model in %(dtype)s", dtype=dtype) if isinstance(dtype, str) else ""
    return _(
        "%(read)s; what is taken out is %(norm)s median norms of the layer long (root mean square).",
        read=read,
        norm=number(effect.norm, 2),
    )


_PUSH = N_("that is no more than a push of this length does in a random direction")


def equivalence_words(effect: EffectInfo, epsilon: float | None, it: str) -> str:
    """Whether the loss says that it is needed, in words; empty without an interval."""
    loss = effect.loss
    if epsilon is None or loss.low is None or loss.high is None:
        return ""
    bound = _("±%(epsilon)s nats per token", epsilon=f"{epsilon:g}")
    if effect.equivalent:
        return _(
            "As good as nothing: the whole 95 %% interval of the change of the loss lies within %(bound)s.", bound=bound
        )
    if loss.low > epsilon and loss.is_push:
        return _(
            "The loss rises by more than %(epsilon)s nats per token, but %(push)s.", epsilon=f"{epsilon:g}", push=_PUSH
        )
    if loss.low > epsilon:
        return _(
            "The model needs %(it)s: the loss rises by more than %(epsilon)s nats per token, over the whole interval.",
            it=it,
            epsilon=f"{epsilon:g}",
        )
    if loss.high < -epsilon and loss.is_push:
        return _(
            "The loss falls by more than %(epsilon)s nats per token, but %(push)s.", epsilon=f"{epsilon:g}", push=_PUSH
        )
    if loss.high < -epsilon:
        return _(
            "The model predicts this text better without %(it)s: the whole interval lies below −%(epsilon)s.",
            it=it,
            epsilon=f"{epsilon:g}",
        )
    return _(
        "Open: the 95 %% interval of the change of the loss is neither within %(bound)s nor beyond; more"
        " text narrows it.",
        bound=bound,
    )


def norm_words(effect: EffectInfo) -> str:
    """After "With the final norm's scale frozen": total against frozen, in one sentence; empty without numbers."""
    if effect.direct_loss is None or effect.direct_entropy is None:
        return ""
    loss, entropy = effect.measures["loss"].value, effect.measures["entropy"].value
    said = _(
        "the loss changes by %(direct_loss)s instead of %(loss)s and the entropy by %(direct_entropy)s"
        " instead of %(entropy)s nats per token",
        direct_loss=nats(effect.direct_loss),
        loss=nats(loss),
        direct_entropy=nats(effect.direct_entropy),
        entropy=nats(entropy),
    )
    share = effect.measures["mediated"]
    if share.value is None:
        return f"{said}."
    if share.value <= 0:
        return _("%(said)s: token by token, none of the entropy's change goes through the norm.", said=said)
    between = percents(share.low, share.high)
    through = f"{percent(share.value)}{f' ({between})' if between else ''}"
    regulates = _("; it regulates entropy") if effect.regulates_entropy and effect.subject != SET else ""
    return _(
        "%(said)s: token by token, %(through)s of the entropy's change goes through the norm%(regulates)s.",
        said=said,
        through=through,
        regulates=regulates,
    )


def causal_sentence(effect: EffectInfo | None, epsilon: float | None, it: str = "it") -> str:
    """The strongest thing to be said, for the head of a page; empty where the loss is open or not measured."""
    if effect is None or epsilon is None or effect.loss.low is None or effect.loss.high is None:
        return ""
    if effect.equivalent:
        return _(
            "Without %(it)s the loss stays where it is, within ±%(epsilon)s nats per token.",
            it=it,
            epsilon=f"{epsilon:g}",
        )
    if effect.loss.low <= epsilon and effect.loss.high >= -epsilon:
        return ""
    verb = "rises" if (effect.loss.value or 0.0) > 0 else "falls"
    size = _plain(abs(effect.loss.value or 0.0))
    return _(
        "Without %(it)s the loss %(verb)s by %(size)s nats per token%(effect)s.",
        it=it,
        verb=verb,
        size=size,
        effect=_beside(effect),
    )


def _beside(effect: EffectInfo) -> str:
    band = effect.loss.control
    if band is None or band.beats is None or not band.n:
        return ""
    if band.beats >= BEATS:
        return _(", more than matched random directions do")
    fewer = count(round(band.beats * band.n))
    return _(
        ", no more than matched random directions do (%(fewer)s of %(band)s do less)", fewer=fewer, band=count(band.n)
    )


def effect_views(
    dots: Sequence[Dot], marks: Mapping[plots.Marked, str], epsilon: float | None, slug: str, pin: str
) -> list[View]:
    """Length of what is taken out against what follows, a plot a measure.

    Args:
        dots: all single latents and pairs of the SAE and their controls.
        marks: which of them are drawn in which colour.
    """
    return [_view(plots.effects_info(dots, marks, name), name, epsilon, slug, pin) for name in plots.TITLES if dots]


def _view(info: EffectsInfo, measure: str, epsilon: float | None, slug: str, pin: str) -> View:
    keys = {(dot.index, dot.other) for dot, _colour in info.marked}
    shown = [dot for dot, _colour in info.marked]
    shown += [dot for dot in info.controls if (dot.index, dot.other) in keys]
    this = _("Diamond: this latent") if len(keys) == 1 else _("Diamonds: the pair and, in their colours, its poles")
    dotted = _(" Dotted: ε, %(epsilon)s.", epsilon=f"{epsilon:g}") if epsilon and measure == "loss" else ""
    summary = _(
        "Length of what is taken out against the size of what follows. %(this)s; dark: the SAE's other"
        " latents and pairs (%(others)s, each a link); light: their controls, dots along random"
        " directions, crosses along sparse latents (%(controls)s).%(dotted)s",
        this=this,
        others=count(len(info.others)),
        controls=count(len(info.controls)),
        dotted=dotted,
    )
    rows = [(_name(dot), number(dot.norm), _signed(dot, measure), _ends(dot, measure)) for dot in shown]
    head = (_("taken out"), "length", NAMES[measure].title, _("95 %% interval"))
    figure = plots.effects_figure(info, measure, epsilon, slug, f"?{pin}" if pin else "")
    return View(measure, NAMES[measure].title, figure, summary, head, rows)


def _name(dot: Dot) -> str:
    return (
        plots.name_of(dot)
        if dot.what == OWN
        else _("%(what)s direction for %(dot)s", what=dot.what, dot=plots.name_of(dot))
    )


def _signed(dot: Dot, measure: str) -> str:
    return NAMES[measure].form(dot.measures[measure].value)


def _ends(dot: Dot, measure: str) -> str:
    return _cell(measure, dot.measures[measure]).span
