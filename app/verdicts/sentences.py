"""What a verdict rests on and what it lacks, in sentences with the command that would fill each gap."""

from __future__ import annotations

from app.classes.groups import title_of
from app.classes.sentences import rests_on_text, score_said
from app.labels.sentences import association_said
from app.shared.commands import Place
from app.shared.language import N_, _
from app.shared.numbers import fixed, percent
from app.shared.statements import Sentence, filled, listed, said, upper
from app.shared.stored import numbers, one, part
from store.vocabulary import INVESTIGATE, KEEP, LIKELY, PRUNE, RULE, UNMEASURED, Statement

MEASURED = {
    "classes": "classes",
    "followed": N_("what it follows"),
    "labels": "labels",
    "effect": "effect",
    "pair_effect": N_("effect of the pair"),
    "stability": N_("other seeds"),
}


def title(of: str) -> str:
    """What was measured, as people read it."""
    return MEASURED.get(of) or title_of(of)


def ground_said(of: str, statement: Statement) -> str:
    """A ground."""
    return said({**statement, "of": of}, _RULE if of == RULE else _GROUNDS)


def gap_said(of: str, statement: Statement, place: Place) -> str:
    """What is missing, and how to get it."""
    command = _COMMANDS.get(str(statement.get("code")))
    how = "" if command is None else _by(statement, place, command)
    tokens = one(statement, "tokens")
    more = place.command("ablate", f" --tokens {4 * tokens:.0f}" if tokens else "")
    held = {**statement, "of": of, "layer": place.layer, "index": place.latent, "how": how, "more": more}
    return said(held | {"steer": place.command("steer"), "controls": place.command("ablate")}, _GAPS)


_COMMANDS = {"effect": "ablate", "pair_effect": "ablate", "stability": "retrain"}


def _by(statement: Statement, place: Place, name: str) -> str:
    return (
        _("`dense-latents %(name)s` looks at dense latents only", name=name)
        if statement.get("dense") is False
        else place.command(name)
    )


def _keep(held: Statement) -> str:
    return _("Keep: %(reason)s, and what the model says of the text changes without it.", reason=_reason(held))


def _investigate(held: Statement) -> str:
    conflict = said({**held, "code": held.get("conflict")}, _CONFLICTS) if held.get("conflict") else ""
    names = ", ".join(title(str(name)) for name in held.get("missing") or ())
    first = _("Investigate: %(conflict)s.", conflict=conflict) if conflict else _("Investigate.")
    return _("%(first)s Not measured yet: %(names)s.", first=first, names=names) if names else first


def _reason(held: Statement) -> str:
    classes, labels = ([str(name) for name in held.get(of) or ()] for of in ("classes", "labels"))
    if classes:
        return _("it has a class (%(classes)s)", classes=listed([title_of(name) for name in classes]))
    return _("it goes with a label (%(labels)s)", labels=listed(labels))


_CONFLICTS: dict[str, Sentence] = {
    "explained_without_effect": lambda held: _(
        "%(reason)s, yet the loss stays the same without it; class or label and effect disagree", reason=_reason(held)
    ),
    "loss_and_kl": N_("without it the loss stays the same, yet the model says other things; loss and KL disagree"),
    "stable_without_effect": (
        N_("the loss stays the same without it, yet other seeds find it again; effect and stability disagree")
    ),
    "explained_by_a_push": lambda held: _(
        "%(reason)s, yet what the model loses without it is no more than a push of its length does;"
        " class or label and effect disagree",
        reason=_reason(held),
    ),
    "push": N_("what the model loses without it is no more than a push of its length does"),
    "effect_unexplained": (
        N_("it has an effect, yet no class and no label says what it does; effect and classes disagree")
    ),
    "effect_followed": (
        N_(
            "it has an effect and {followed:.0%} of its variance is followed, yet no class and no label says"
            " what it does"
        )
    ),
}
_RULE: dict[str, Sentence] = {
    KEEP: _keep,
    PRUNE: (
        N_(
            "Prune candidate: the loss stays the same without it, no class holds, it follows nothing that"
            " was looked for, no label goes with it, and other seeds lack it."
        )
    ),
    INVESTIGATE: _investigate,
}


def _effect(follows: str) -> Sentence:
    """What follows from the change of the loss, with its KL and its controls."""

    def sentence(held: Statement) -> str:
        it = _("the pair") if held.get("of") == "pair_effect" else _("the latent")
        words = _(
            "Without %(it)s the loss changes by %(change)s nats per token, %(follows)s.",
            it=it,
            change=_change(held),
            follows=filled(follows, held),
        )
        return f"{words}{_kl(held)}{_control(held)}"

    return sentence


def _change(held: Statement) -> str:
    values = [f"{{{name}:+.4f}}" for name in ("loss", "low", "high")]
    if one(held, "low") is None or one(held, "high") is None:
        return filled(_("%(values)s (no interval)", values=values[0]), held)
    return filled(
        _("%(values)s (95 %% %(values2)s to %(values3)s)", values=values[0], values2=values[1], values3=values[2]), held
    )


def _kl(held: Statement) -> str:
    if one(held, "kl_low") is None or one(held, "kl_high") is None:
        return ""
    beyond = N_(", more than {epsilon:g}: it says other things") if held.get("moves") else ""
    return filled(f" KL {{kl:.4f}} ({{kl_low:.4f}} to {{kl_high:.4f}}){beyond}.", held)


def _control(held: Statement) -> str:
    control = part(held, "control")
    if not control:
        return _(" No matched controls were measured.")
    words = filled(" Of {n} random directions of about that length 95 % change it by less than {high:.4f}", control)
    beats, n = one(control, "beats"), one(control, "n")
    reach = (
        ""
        if beats is None or n is None
        else _("; %(beats)s change it as much as this does", beats=f"{round((1 - beats) * n):.0f}")
    )
    return f"{words}{reach}."


def _seeds(ending: str) -> Sentence:
    """In how many other seeds it is found, beside chance and sparse latents."""

    def sentence(held: Statement) -> str:
        cosines = numbers(held, "cosines")
        best = _("largest |cosine| %(cosines)s", cosines=", ".join(fixed(cosine) for cosine in cosines))
        chance, sparse = one(held, "chance"), one(held, "sparse")
        best += "" if chance is None else _("; random directions reach %(chance)s", chance=fixed(chance))
        words = filled(f"Found again in {{found}} of {len(cosines)} SAEs trained from other seeds", held)
        also = "" if sparse is None else _(" Of the sparse latents %(sparse)s are found again.", sparse=percent(sparse))
        return f"{words} ({best}).{also}{ending}"

    return sentence


_GROUNDS: dict[str, Sentence] = {
    "class": lambda held: f"{upper(title_of(held['of']))}: {score_said(held['of'], part(held, 'statement'))}",
    "no_class": N_("None of the {measured} classes that were measured holds."),
    "followed": N_("All that was looked for predicts {share:.0%} of its variance."),
    "label": lambda held: f"{upper(str(held.get('label')))}: {association_said(part(held, 'statement'))}",
    "no_labels": N_("The corpus has no label it could be held against."),
    "no_label": N_("Goes with none of the {measured} labels that were measured."),
    "needed": _effect(N_("more than {epsilon:g}: the model needs it")),
    "harmful": _effect(N_("better by more than {epsilon:g}: it does something, though it does this text no good")),
    "push": _effect(N_("more than {epsilon:g}, but no more than a push of its length")),
    "alone": _effect(N_("more than {epsilon:g}, but there is nothing to hold it against")),
    "equivalent": _effect(N_("within ±{epsilon:g}: as good as nothing")),
    "unclear": _effect(N_("neither within nor beyond ±{epsilon:g}")),
    "stable": _seeds(""),
    "unstable": _seeds(""),
    "too_short": _seeds(N_(" That is too few to say anything: the retraining was too short.")),
}


def _class_gap(beginning: str) -> Sentence:
    """What a class lacks, and whether more text may tell."""

    def sentence(held: Statement) -> str:
        of = str(held["of"])
        more = _(" More text may tell: `dense-latents analyze` with more --tokens.") if rests_on_text(of) else ""
        return f"{upper(title_of(of))}: {beginning}{score_said(of, part(held, 'statement'))}{more}"

    return sentence


_GAPS: dict[str, Sentence] = {
    "classes": N_("No class was measured: `dense-latents analyze` without --no-classes."),
    "detail": N_("No class was measured: `dense-latents analyze` with --detail {layer}:{index}."),
    "steer": lambda held: _(
        "Likely %(of)s; steering would decide: %(steer)s.", of=title_of(held["of"]), steer=held["steer"]
    ),
    UNMEASURED: _class_gap(""),
    LIKELY: _class_gap(N_("Likely, not sure. ")),
    "labels": N_("No label of the corpus was measured: `dense-latents analyze` with classes and more text."),
    "effect": N_("What the model does without it is not measured: {how}."),
    "pair_effect": N_("What the model does without it and its mirror image {partner} is not measured: {how}."),
    "alone": N_("Its effect has no matched controls: {controls}."),
    "not_divided": N_("What it follows was not measured: `dense-latents analyze` with classes and more documents."),
    "wide_loss": N_("The interval is too wide for ±{epsilon:g}; four times the text halves it: {more}."),
    "wide_kl": N_("The KL's interval is too wide for ±{epsilon:g}; four times the text halves it: {more}."),
    "stability": N_("Whether other seeds find it is not measured: {how}."),
}
