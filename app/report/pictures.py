"""The three pictures of a run of texts, and the words around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.classes.groups import fill_of, ordered, title_of
from app.labels.queries import LabelInfo, Tested
from app.report.people import Ruled
from app.report.queries import SetEffect
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
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
    first = f"{dense} of {of} latents {verb} on more than {over} of tokens"
    total = sum(sum(held.values()) for held in groups.values())
    if not total:
        return f"{first}; what they do was not measured."
    known = total - sum(held.get(name, 0) for held in groups.values() for name in (*REST, UNMEASURED))
    return f"{first}; {count(known)} of them ({share(known / total)}) do something we can name."


def _sentence(found: Sequence[SaeInfo], sets: Sequence[SetEffect]) -> str:
    """The largest change of the loss, and what a control reaches."""
    own = [one for one in sets if one.what == OWN and one.loss is not None]
    if not own:
        return "Whether the model needs them was not measured."
    most = max(own, key=lambda one: one.loss or 0.0)
    sae = next(sae for sae in found if sae.analysis_id == most.analysis_id)
    control = control_of(sets, most.analysis_id)
    first = (
        f"Without all {count(most.latents)} of layer {sae.layer} the loss changes by {_nats(most.loss)} nats per token"
    )
    if control is None:
        return f"{first}; no control was measured."
    return f"{first}; without {_CONTROLS[control.what]}{_of_variance(control)}, by {_nats(control.loss)}."


_CONTROLS = {VARIANCE: "sparse latents", RANDOM: "as many random directions"}


def _of_variance(control: SetEffect) -> str:
    if control.what != VARIANCE or control.variance is None:
        return ""
    return f" that carry {share(control.variance)} of the variance"


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
        "What the dense latents do, by layer" if groups else "How many latents are dense, by layer",
        bars, f"Number of dense latents of each SAE.{_left(found)}", key if groups else [],
    )  # fmt: skip


def layer_of(sae: SaeInfo, found: Sequence[SaeInfo]) -> str:
    """Layer 15; of several SAEs of a layer, which."""
    alone = sum(one.layer == sae.layer for one in found) == 1
    return f"layer {sae.layer}" if alone else sae.slug.split("/")[-1]


def _left(found: Sequence[SaeInfo]) -> str:
    return f" {MOST_BARS} of {len(found)} SAEs, evenly spaced." if len(found) > MOST_BARS else ""


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
        note = f"Share of all activation. Whether the model needs them was not measured.{_left(found)}"
        return Picture("How much of the activation they carry", bars, note)
    controls = {sae.analysis_id: control_of(sets, sae.analysis_id) for sae in measured}
    held = [one for one in (*own.values(), *controls.values()) if one is not None]
    least, most = bounds(value for one in held for value in (one.loss, one.low, one.high) if value is not None)
    bars = []
    for sae in spread(measured, MOST_BARS // 2):
        bars.append(_loss_bar(layer_of(sae, found), own[sae.analysis_id], POLE, least, most))
        if control := controls[sae.analysis_id]:
            name = f"{_CONTROLS[control.what]}"
            bars.append(_loss_bar(name, control, PALE, least, most))
    of = f"{len(measured)} of {len(found)} SAEs were measured." if len(measured) < len(found) else ""
    note = f"Change of the loss in nats per token without all dense latents, and without a control. {of}"
    return Picture("What the model loses without them", bars, note.strip())


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
        return followed_picture([(label.name, tested[label.name]) for label in known], "latents")
    most = max((sae.n_pairs for sae in found), default=0) or 1
    bars = [
        Bar(layer_of(sae, found), [Part(0, 100 * sae.n_pairs / most, POLE)], count(sae.n_pairs))
        for sae in spread(found)
    ]
    return Picture(
        "How many come in opposite pairs", bars, f"Antipodal pairs of each SAE. The texts have no labels.{_left(found)}"
    )


def decided(people: Ruled | None, notes: Sequence[str]) -> list[str]:
    """Verdicts and notes; or that there are none."""
    if people is None:
        made = ["Nothing yet: neither the rule nor a person has judged one."]
    else:
        rule = ", ".join(f"{head} {number}" for head, number in zip(people.heads, people.rule, strict=True))
        person = ", ".join(f"{head} {number}" for head, number in zip(people.heads, people.people, strict=True))
        given = any(number != "0" for number in people.people)
        made = [f"By rule: {rule}.", f"By people: {person}. {people.words}" if given else people.words]
    return made + list(notes)[:NOTED]


def _limits(
    run: RunInfo, found: Sequence[SaeInfo], groups: Groups, sets: Sequence[SetEffect], labels: Sequence[LabelInfo]
) -> list[str]:
    made = [f"Other texts: {count(run.documents)} of {count(run.corpus_documents)} documents of one corpus were read."]
    misfits = [sae for sae in found if sae.misfits]
    if misfits:
        made.insert(
            0,
            f"{len(misfits)} of {len(found)} SAEs may not fit this model or text: dense may mean little there.",
        )
    without = len(found) - len({one.analysis_id for one in sets if one.what == OWN})
    if without:
        made.append(f"Whether the model needs them: not measured in {without} of {len(found)} SAEs.")
    unexplained, partly = (sum(held.get(name, 0) for held in groups.values()) for name in (UNEXPLAINED, PARTLY))
    if unexplained:
        made.append(f"What {count(unexplained)} of them do: no class that was looked for holds.")
    if partly:
        made.append(f"What {count(partly)} of them do beyond the part that they are known to follow.")
    if confounded := next((one.words for label in labels for one in label.confounds), ""):
        made.append(f"Which label it is: {confounded}.")
    if labels:
        made.append("Causes: that a latent follows a label does not show that the model uses it.")
    return made[:MOST_LIMITS]
