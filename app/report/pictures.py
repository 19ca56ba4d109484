"""The three pictures of a run of texts, and the words around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.classes.groups import fill_of, ordered, title_of
from app.labels.queries import LabelInfo, Tested
from app.report.people import Ruled
from app.report.queries import SetEffect
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.language import N_, _
from app.shared.numbers import count, date, minus, nats
from app.shared.slide import (
    MOST_BARS,
    PALE,
    POLE,
    Bar,
    Part,
    Picture,
    Slide,
    bounds,
    followed_picture,
    from_zero,
    scaled,
    share,
    spread,
)
from store.vocabulary import OWN, PARTLY, RANDOM, REST, UNEXPLAINED, UNMEASURED, VARIANCE

Groups = Mapping[int, Mapping[str, int]]
NOTED, MOST_LIMITS = 3, 6
"""Notes of people, and sentences on what is not shown."""


def text_slide(
    run: RunInfo,
    found: Sequence[SaeInfo],
    groups: Groups,
    sets: Sequence[SetEffect],
    labels: Sequence[LabelInfo],
    tested: Mapping[str, Tested],
    verdicts: list[str],
) -> Slide:
    """A run of texts for a meeting."""
    return Slide(
        headline=_headline(run, groups),
        sentence=_sentence(found, sets),
        pictures=[classes_picture(found, groups), needed_picture(found, sets), labels_picture(labels, tested, found)],
        decided=verdicts,
        limits=_limits(run, found, groups, sets, labels),
        footer=f"{run.model_name}, {run.corpus}, {run.words}, {date(run.finished)}",
    )


def _headline(run: RunInfo, groups: Groups) -> str:
    dense, of, over = count(run.n_dense), count(run.n_latents), share(run.dense_threshold)
    verb = "fires" if run.n_dense == 1 else "fire"
    first = _(
        "%(dense)s of %(of)s latents %(verb)s on more than %(over)s of tokens", dense=dense, of=of, verb=verb, over=over
    )
    total = sum(sum(held.values()) for held in groups.values())
    if not total:
        return _("%(first)s; what they do was not measured.", first=first)
    known = total - sum(held.get(name, 0) for held in groups.values() for name in (*REST, UNMEASURED))
    return _(
        "%(first)s; %(known)s of them (%(total)s) do something we can name.",
        first=first,
        known=count(known),
        total=share(known / total),
    )


def _sentence(found: Sequence[SaeInfo], sets: Sequence[SetEffect]) -> str:
    """The largest change of the loss, and what a control reaches."""
    own = [one for one in sets if one.what == OWN and one.loss is not None]
    if not own:
        return _("Whether the model needs them was not measured.")
    most = max(own, key=lambda one: one.loss or 0.0)
    sae = next(sae for sae in found if sae.analysis_id == most.analysis_id)
    control = control_of(sets, most.analysis_id)
    first = _(
        "Without all %(latents)s of layer %(layer)s the loss changes by %(loss)s nats per token",
        latents=count(most.latents),
        layer=sae.layer,
        loss=_nats(most.loss),
    )
    if control is None:
        return _("%(first)s; no control was measured.", first=first)
    return _(
        "%(first)s; without %(what)s%(control)s, by %(loss)s.",
        first=first,
        what=_CONTROLS[control.what],
        control=_of_variance(control),
        loss=_nats(control.loss),
    )


_CONTROLS = {VARIANCE: N_("sparse latents"), RANDOM: N_("as many random directions")}


def _of_variance(control: SetEffect) -> str:
    if control.what != VARIANCE or control.variance is None:
        return ""
    return _(" that carry %(variance)s of the variance", variance=share(control.variance))


def control_of(sets: Sequence[SetEffect], analysis: int) -> SetEffect | None:
    """The strictest control of an SAE's dense set that there is: its median."""
    for kind in (VARIANCE, RANDOM):
        known = [one for one in sets if one.analysis_id == analysis and one.what == kind and one.loss is not None]
        if known:
            return sorted(known, key=lambda one: one.loss or 0.0)[len(known) // 2]
    return None


def _nats(loss: float | None) -> str:
    """Two significant digits; what is below a thousandth as elsewhere."""
    return nats(loss) if loss is None or abs(loss) < 0.001 else minus(f"{loss:+.2g}")


def classes_picture(found: Sequence[SaeInfo], groups: Groups) -> Picture:
    """What dense latents do, a bar an SAE."""
    most = max((sae.n_dense for sae in found), default=0) or 1
    bars = []
    for sae in spread(found):
        held = groups.get(sae.analysis_id) or {UNMEASURED: sae.n_dense}
        bars.append(Bar(layer_of(sae, found), _parts(held, most), count(sae.n_dense)))
    names = {part.title.rsplit(":", 1)[0]: part for bar in bars for part in bar.parts}
    key = [(part.colour, part.letter, part.ink, name) for name, part in names.items()]
    return Picture(
        _("What the dense latents do, by layer") if groups else _("How many latents are dense, by layer"),
        bars, _("Number of dense latents of each SAE.%(left)s", left=_left(found)), key if groups else [],
    )  # fmt: skip


def layer_of(sae: SaeInfo, found: Sequence[SaeInfo]) -> str:
    """Layer 15; of several SAEs of a layer, which."""
    alone = sum(one.layer == sae.layer for one in found) == 1
    return _("layer %(layer)s", layer=sae.layer) if alone else sae.slug.split("/")[-1]


def _left(found: Sequence[SaeInfo]) -> str:
    return (
        _(" %(most_bars)s of %(value)s SAEs, evenly spaced.", most_bars=MOST_BARS, value=len(found))
        if len(found) > MOST_BARS
        else ""
    )


def _parts(held: Mapping[str, int], most: int) -> list[Part]:
    made, start = [], 0.0
    for group in ordered(held):
        if held.get(group):
            width, fill = 100 * held[group] / most, fill_of(group)
            title = f"{title_of(group)}: {held[group]}"
            made.append(
                Part(
                    round(start, 2),
                    round(width, 2),
                    fill.colour,
                    fill.letter or ("?" if fill.hatch else ""),
                    fill.ink,
                    title,
                )
            )
            start += width
    return made


def needed_picture(found: Sequence[SaeInfo], sets: Sequence[SetEffect]) -> Picture:
    """What the loss loses without them; where nothing was taken out, how much of the activation they carry."""
    own = {one.analysis_id: one for one in sets if one.what == OWN and one.loss is not None}
    measured = [sae for sae in found if sae.analysis_id in own]
    if not measured:
        shown = [(sae, sae.dense_mass_share or 0.0) for sae in spread(_with_mass(found))]
        bars = [Bar(layer_of(sae, found), [Part(0, 100 * mass, POLE)], share(mass)) for sae, mass in shown]
        note = _("Share of all activation. Whether the model needs them was not measured.%(left)s", left=_left(found))
        return Picture(_("How much of the activation they carry"), bars, note)
    controls = {sae.analysis_id: control_of(sets, sae.analysis_id) for sae in measured}
    held = [one for one in (*own.values(), *controls.values()) if one is not None]
    least, most = bounds(value for one in held for value in (one.loss, one.low, one.high) if value is not None)
    bars = []
    for sae in spread(measured, MOST_BARS // 2):
        bars.append(_loss_bar(layer_of(sae, found), own[sae.analysis_id], POLE, least, most))
        if control := controls[sae.analysis_id]:
            name = f"{_CONTROLS[control.what]}"
            bars.append(_loss_bar(name, control, PALE, least, most))
    of = (
        _("%(measured)s of %(value)s SAEs were measured.", measured=len(measured), value=len(found))
        if len(measured) < len(found)
        else ""
    )
    note = _("Change of the loss in nats per token without all dense latents, and without a control. %(of)s", of=of)
    return Picture(_("What the model loses without them"), bars, note.strip())


def _with_mass(found: Sequence[SaeInfo]) -> list[SaeInfo]:
    return [sae for sae in found if sae.dense_mass_share is not None]


def _loss_bar(name: str, effect: SetEffect, colour: str, least: float, most: float) -> Bar:
    span = None
    if effect.low is not None and effect.high is not None:
        span = scaled(effect.low, least, most), scaled(effect.high, least, most)
    part = from_zero(effect.loss or 0.0, least, most, colour)
    return Bar(name, [part], _nats(effect.loss), span, quiet=colour == PALE)


def labels_picture(labels: Sequence[LabelInfo], tested: Mapping[str, Tested], found: Sequence[SaeInfo]) -> Picture:
    """How many follow each label, of dense and of sparse; without labels, how many have an opposite."""
    known = [label for label in labels if not label.reason and label.name in tested and tested[label.name].of_dense]
    if known:
        return followed_picture([(label.name, tested[label.name]) for label in known], _("latents"))
    most = max((sae.n_pairs for sae in found), default=0) or 1
    bars = [
        Bar(layer_of(sae, found), [Part(0, 100 * sae.n_pairs / most, POLE)], count(sae.n_pairs))
        for sae in spread(found)
    ]
    return Picture(
        _("How many come in opposite pairs"),
        bars,
        _("Antipodal pairs of each SAE. The texts have no labels.%(left)s", left=_left(found)),
    )


def decided(people: Ruled | None, notes: Sequence[str]) -> list[str]:
    """Verdicts and notes; or that there are none."""
    if people is None:
        made = [_("Nothing yet: neither the rule nor a person has judged one.")]
    else:
        rule = ", ".join(f"{head} {number}" for head, number in zip(people.heads, people.rule, strict=True))
        person = ", ".join(f"{head} {number}" for head, number in zip(people.heads, people.people, strict=True))
        given = any(number != "0" for number in people.people)
        made = [
            _("By rule: %(rule)s.", rule=rule),
            _("By people: %(person)s. %(words)s", person=person, words=people.words) if given else people.words,
        ]
    return made + list(notes)[:NOTED]


def _limits(
    run: RunInfo, found: Sequence[SaeInfo], groups: Groups, sets: Sequence[SetEffect], labels: Sequence[LabelInfo]
) -> list[str]:
    made = [
        _(
            "Other texts: %(documents)s of %(corpus_documents)s documents of one corpus were read.",
            documents=count(run.documents),
            corpus_documents=count(run.corpus_documents),
        )
    ]
    misfits = [sae for sae in found if sae.misfits]
    if misfits:
        made.insert(
            0,
            _(
                "%(misfits)s of %(value)s SAEs may not fit this model or text: dense may mean little there.",
                misfits=len(misfits),
                value=len(found),
            ),
        )
    without = len(found) - len({one.analysis_id for one in sets if one.what == OWN})
    if without:
        made.append(
            _(
                "Whether the model needs them: not measured in %(without)s of %(value)s SAEs.",
                without=without,
                value=len(found),
            )
        )
    unexplained, partly = (sum(held.get(name, 0) for held in groups.values()) for name in (UNEXPLAINED, PARTLY))
    if unexplained:
        made.append(
            _("What %(unexplained)s of them do: no class that was looked for holds.", unexplained=count(unexplained))
        )
    if partly:
        made.append(
            _("What %(partly)s of them do beyond the part that they are known to follow.", partly=count(partly))
        )
    if confounded := next((one.words for label in labels for one in label.confounds), ""):
        made.append(_("Which label it is: %(confounded)s.", confounded=confounded))
    if labels:
        made.append(_("Causes: that a latent follows a label does not show that the model uses it."))
    return made[:MOST_LIMITS]
