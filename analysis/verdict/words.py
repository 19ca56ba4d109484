"""Grounds and gaps in short sentences, with their numbers, and the command that would fill each gap."""

from __future__ import annotations

from typing import NamedTuple

from analysis.verdict.measured import EQUIVALENT, HARMFUL, NEEDED, UNCLEAR, Change, ClassFound, Measured
from store.vocabulary import KEEP, LIKELY, NEITHER, NO, PRUNE, STEERED, UNMEASURED

_OF_TEXT = ("position", "context_binding", "content_word")  # the other classes look at weights, or at all tokens


class Place(NamedTuple):
    """Where the latent is, as commands name it."""

    slug: str
    layer: int
    run: int

    def command(self, name: str, more: str = "") -> str:
        """What to type; STORE stands for the store, whose address may hold a password."""
        return f"`dense-latents {name} --db STORE --sae {self.slug} --run {self.run}{more}`"


class Ground(NamedTuple):
    """One measurement and what it speaks for."""

    of: str
    speaks: str
    words: str


class Gap(NamedTuple):
    """One measurement that is not there, and how to get it."""

    of: str
    words: str


def grounds(m: Measured) -> list[Ground]:
    """All that was measured: classes, labels, effects, stability."""
    return [*_of_classes(m), *_of_labels(m), *(_of_change(one, m) for one in m.changes), *_of_stability(m)]


def gaps(m: Measured, place: Place) -> list[Gap]:
    """All that was not, or not sharply enough."""
    return [*_class_gaps(m, place), *_label_gaps(m), *_effect_gaps(m, place), *_stability_gaps(m, place)]


def _of_classes(m: Measured) -> list[Ground]:
    holding = [Ground(one.name, KEEP, f"{_upper(one.title)}: {one.words}") for one in m.holding]
    if holding or m.classes is None:
        return holding
    measured = sum(one.label == NO for one in m.classes)
    speaks = PRUNE if m.unexplained else NEITHER
    return [Ground("classes", speaks, f"None of the {measured} classes that were measured holds.")] if measured else []


def _of_labels(m: Measured) -> list[Ground]:
    if m.associated:
        return [Ground("labels", KEEP, f"{_upper(one.name)}: {one.words}") for one in m.associated]
    if not m.labels:
        none = "The corpus has no label it could be held against."
        return [] if m.labels is None else [Ground("labels", NEITHER, none)]
    measured = sum(one.verdict == NO for one in m.labels)
    words = f"Goes with none of the {measured} labels that were measured."
    return [Ground("labels", PRUNE if m.unexplained else NEITHER, words)] if measured else []


def _of_change(change: Change, m: Measured) -> Ground:
    status = change.status(m.epsilon)
    it = "the pair" if change.of == "pair" else "the latent"
    follows = {
        NEEDED: f"more than {m.epsilon:g}: the model needs it",
        HARMFUL: f"better by more than {m.epsilon:g}: it does something, though it does this text no good",
        EQUIVALENT: f"within ±{m.epsilon:g}: as good as nothing",
        UNCLEAR: f"neither within nor beyond ±{m.epsilon:g}",
    }[status]
    words = f"Without {it} the loss changes by {_span(change.loss, change.low, change.high)} nats per token, {follows}."
    words += f"{_kl(change, m.epsilon)}{_control(change)}"
    return Ground("effect" if change.of == "latent" else "pair_effect", _speaks(change, m), words)


def _speaks(change: Change, m: Measured) -> str:
    status = change.status(m.epsilon)
    if status in (NEEDED, HARMFUL) or (status == UNCLEAR and change.stands_out(m.epsilon)):
        return KEEP
    # a pair is one signal: half of it may be missed by nobody where the whole is
    return PRUNE if status == EQUIVALENT and m.causal == EQUIVALENT and change.still(m.epsilon) else NEITHER


def _kl(change: Change, epsilon: float) -> str:
    if change.kl_low is None or change.kl_high is None:
        return ""
    beyond = f", more than {epsilon:g}: it says other things" if change.moves(epsilon) else ""
    return f" KL {change.kl:.4f} ({change.kl_low:.4f} to {change.kl_high:.4f}){beyond}."


def _control(change: Change) -> str:
    control = change.control.get("loss") or {}
    if not control.get("n") or control.get("high") is None:
        return " No matched controls were measured."
    return (
        f" Of {control['n']} random directions of about that length 95 % change it by less than {control['high']:.4f}."
    )


def _of_stability(m: Measured) -> list[Ground]:
    held = m.stability
    if held is None:
        return []
    best = f"largest |cosine| {', '.join(f'{cosine:.2f}' for cosine in held.cosines)}"
    best += "" if held.chance is None else f"; random directions reach {held.chance:.2f}"
    words = f"Found again in {held.found} of {len(held.cosines)} SAEs trained from other seeds ({best})."
    words += "" if held.sparse is None else f" Of the sparse latents {held.sparse:.0%} are found again."
    speaks = KEEP if held.stable else PRUNE if m.unstable else NEITHER
    words += "" if held.stable or m.unstable else " That is too few to say anything: the retraining was too short."
    return [Ground("stability", speaks, words)]


def _class_gaps(m: Measured, place: Place) -> list[Gap]:
    if m.classes is None:
        how = "`dense-latents analyze` without --no-classes" if m.has_detail else ""
        how = how or f"`dense-latents analyze` with --detail {place.layer}:{m.index}"
        return [Gap("classes", f"No class was measured: {how}.")]
    return [_class_gap(one, place) for one in m.open_classes]


def _class_gap(found: ClassFound, place: Place) -> Gap:
    if found.label == LIKELY and found.name == STEERED:
        return Gap(found.name, f"Likely {found.title}; steering would decide: {place.command('steer')}.")
    said = found.words if found.label == UNMEASURED else f"Likely, not sure. {found.words}"
    more = " More text may tell: `dense-latents analyze` with more --tokens." if found.name in _OF_TEXT else ""
    return Gap(found.name, f"{_upper(found.title)}: {said}{more}")


def _label_gaps(m: Measured) -> list[Gap]:
    if m.labels_known:
        return []
    return [Gap("labels", "No label of the corpus was measured: `dense-latents analyze` with classes and more text.")]


def _effect_gaps(m: Measured, place: Place) -> list[Gap]:
    how = _by(m, place, "ablate")
    missing = []
    if m.latent is None:
        missing.append(Gap("effect", f"What the model does without it is not measured: {how}."))
    if m.partner is not None and m.pair is None:
        words = f"What the model does without it and its mirror image {m.partner} is not measured: {how}."
        missing.append(Gap("pair_effect", words))
    if m.causal == UNCLEAR or (m.causal == EQUIVALENT and not m.still and not m.moves):
        more = place.command("ablate", f" --tokens {4 * m.tokens}" if m.tokens else "")
        which = "The interval" if m.causal == UNCLEAR else "The KL's interval"
        words = f"{which} is too wide for ±{m.epsilon:g}; four times the text halves it: {more}."
        missing.append(Gap("effect", words))
    return missing


def _stability_gaps(m: Measured, place: Place) -> list[Gap]:
    if m.stability is not None and (m.stability.stable or m.unstable):
        return []
    return [Gap("stability", f"Whether other seeds find it is not measured: {_by(m, place, 'retrain')}.")]


def _by(m: Measured, place: Place, name: str) -> str:
    """The command that measures it; of a sparse latent there is none."""
    return place.command(name) if m.is_dense else f"`dense-latents {name}` looks at dense latents only"


def _span(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{_signed(value)} (no interval)"
    return f"{_signed(value)} (95 % {_signed(low)} to {_signed(high)})"


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("-", "\u2212")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
