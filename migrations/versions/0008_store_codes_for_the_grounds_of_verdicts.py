"""Store codes with numbers for what a verdict rests on and lacks, where sentences were stored"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

from migrations.sentences import Statement, Templates, fields, filled, read, write

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

VERDICT = sa.table(
    "verdict",
    sa.column("analysis_id", sa.Integer),
    sa.column("index", sa.Integer),
    sa.column("grounds", sa.JSON),
    sa.column("missing", sa.JSON),
)


class Place(NamedTuple):
    """Where a latent is, as commands name it."""

    slug: str
    layer: int
    run: int
    latent: int

    def command(self, name: str, more: str = "") -> str:
        """What to type."""
        return f"`dense-latents {name} --db STORE --sae {self.slug} --run {self.run}{more}`"


def upgrade() -> None:
    """Sentences -> codes."""
    _each(lambda one, _place: _up(one, _ground), lambda one, _place: _up(one, _gap))


def downgrade() -> None:
    """Codes -> the sentences of before."""
    _each(lambda one, _place: _down(one, _ground_words(one)), lambda one, place: _down(one, _gap_words(one, place)))


Change = Callable[[Statement, Place], Statement]


def _each(ground: Change, gap: Change) -> None:
    connection = op.get_bind()
    wanted = sa.text(
        "SELECT a.id, s.slug, s.layer, a.run_id FROM analysis a JOIN sae s ON s.id = a.sae_id ORDER BY a.id"
    )
    for analysis, slug, layer, run in connection.execute(wanted).all():
        rows = connection.execute(sa.select(VERDICT).where(VERDICT.c.analysis_id == analysis)).all()
        changed = [
            {
                "a": analysis,
                "i": row._mapping["index"],
                "grounds": [ground(one, Place(slug, layer, run, row._mapping["index"])) for one in row.grounds],
                "missing": [gap(one, Place(slug, layer, run, row._mapping["index"])) for one in row.missing],
            }
            for row in rows
        ]
        if changed:
            here = sa.and_(VERDICT.c.analysis_id == sa.bindparam("a"), VERDICT.c.index == sa.bindparam("i"))
            connection.execute(sa.update(VERDICT).where(here), changed)


def _up(one: Statement, make: Callable[[str, str, str], Statement]) -> Statement:
    held = {name: value for name, value in one.items() if name != "words"}
    return held | make(str(one.get("of")), str(one.get("speaks")), str(one.get("words")))


def _down(one: Statement, words: str) -> Statement:
    return {name: one[name] for name in ("of", "speaks") if name in one} | {"words": words}


def _own(one: Statement) -> Statement:
    """The statement alone."""
    return {name: value for name, value in one.items() if name not in {"of", "speaks"}}


def _title(of: str) -> str:
    title = of.replace("_", " ")
    return title[:1].upper() + title[1:]


# --- grounds ----------------------------------------------------------------------------------------

NAMES = ("rule", "classes", "labels", "effect", "pair_effect", "stability")
REASONS = {"classes": "it has a function ({classes})", "labels": "it goes with a label ({labels})"}
KEEP = "Keep: {reason}, and what the model says of the text changes without it."
PRUNE = (
    "Prune candidate: the loss stays the same without it, no class holds, no label goes with it, and other seeds lack"
    " it."
)
CONFLICTS = {
    "explained_without_effect": (
        "{reason}, yet the loss stays the same without it; class or label and effect disagree"
    ),
    "loss_and_kl": "without it the loss stays the same, yet the model says other things; loss and KL disagree",
    "stable_without_effect": (
        "the loss stays the same without it, yet other seeds find it again; effect and stability disagree"
    ),
    "effect_unexplained": "it has an effect, yet no class and no label says what it does; effect and classes disagree",
}
CLASSES: Templates = [("no_class", "None of the {measured:d} classes that were measured holds.")]
LABELS: Templates = [
    ("no_labels", "The corpus has no label it could be held against."),
    ("no_label", "Goes with none of the {measured:d} labels that were measured."),
    ("label", "{label}: {text}"),
]
FOLLOWS = {
    "needed": "more than {epsilon:g}: the model needs it",
    "harmful": "better by more than {epsilon:g}: it does something, though it does this text no good",
    "equivalent": "within ±{epsilon:g}: as good as nothing",
    "unclear": "neither within nor beyond ±{epsilon:g}",
}
SPANS = {
    True: "{loss!m:+.4f} (95 % {low!m:+.4f} to {high!m:+.4f})",
    False: "{loss!m:+.4f} (no interval)",
}
KL = " KL {kl:.4f} ({kl_low:.4f} to {kl_high:.4f})"
KLS = {"moves": f"{KL}, more than {{epsilon:g}}: it says other things.", "still": f"{KL}.", "": ""}
CONTROLS = {
    True: " Of {n:d} random directions of about that length 95 % change it by less than {high_of:.4f}.",
    False: " No matched controls were measured.",
}
ENDINGS = {"too_short": " That is too few to say anything: the retraining was too short.", "": ""}


def _ground(of: str, speaks: str, words: str) -> Statement:
    if of == "rule":
        return _rule(words)
    if of in {"effect", "pair_effect"}:
        return _effect(of, words)
    if of == "stability":
        return _stability(speaks, words)
    if of in {"classes", "labels"}:
        found = read(words, CLASSES if of == "classes" else LABELS)
        return (
            found if found["code"] != "label" else _embedded({"code": "label", "label": found["label"]}, found["text"])
        )
    beginning = f"{_title(of)}: "
    if words.startswith(beginning):
        return _embedded({"code": "class"}, words.removeprefix(beginning))
    return read(words, ())


def _embedded(statement: Statement, text: str) -> Statement:
    return statement | {"statement": {"code": "text", "text": text}}


def _text(one: Statement) -> str:
    return write(one.get("statement") or {}, ())


def _reason(text: str) -> Statement:
    for name, template in REASONS.items():
        found = fields(text, template)
        if found is not None:
            names = found[name].split(", ")
            return {
                "classes": [],
                "labels": [],
                name: [one.replace(" ", "_") for one in names] if name == "classes" else names,
            }
    raise ValueError(text)


def _rule(words: str) -> Statement:
    try:
        if found := fields(words, KEEP):
            return {"code": "keep", **_reason(found["reason"])}
        if words == PRUNE:
            return {"code": "prune"}
        if words.startswith("Investigate"):
            return {"code": "investigate", **_investigate(words)}
    except ValueError:
        pass
    return read(words, ())


def _investigate(words: str) -> Statement:
    first, _, names = words.partition(" Missing: ")
    missing = [name.replace(" ", "_") for name in names.removesuffix(".").split(", ")] if names else []
    held: Statement = {"classes": [], "labels": [], "conflict": None, "missing": missing}
    if first == "Investigate.":
        return held
    text = first.removeprefix("Investigate: ").removesuffix(".")
    for code, template in CONFLICTS.items():
        found = fields(text, template)
        if found is not None:
            return held | (_reason(found["reason"]) if found else {}) | {"conflict": code}
    raise ValueError(words)


def _effects(of: str) -> Iterator[tuple[str, bool, str, bool, str]]:
    it = "the pair" if of == "pair_effect" else "the latent"
    for code, has_span, kl, has_control in product(FOLLOWS, SPANS, KLS, CONTROLS):
        words = f"Without {it} the loss changes by {SPANS[has_span]} nats per token, {FOLLOWS[code]}."
        yield code, has_span, kl, has_control, f"{words}{KLS[kl]}{CONTROLS[has_control]}"


def _effect(of: str, words: str) -> Statement:
    none = dict.fromkeys(("low", "high", "kl", "kl_low", "kl_high"))
    for code, _span, kl, _control, template in _effects(of):
        found = fields(words, template)
        if found is not None:
            control = {"n": found.pop("n"), "high": found.pop("high_of")} if "n" in found else None
            return {"code": code, **none, **found, "moves": kl == "moves", "control": control}
    return read(words, ())


def _effect_words(one: Statement) -> str:
    control = one.get("control") or {}
    kl = "" if one.get("kl_low") is None else "moves" if one.get("moves") else "still"
    wanted = (one.get("code"), one.get("low") is not None, kl, bool(control))
    values = {**one, "n": control.get("n"), "high_of": control.get("high")}
    for *kind, template in _effects(str(one.get("of"))):
        if tuple(kind) == wanted and (words := filled(template, values)) is not None:
            return words
    return write(_own(one), ())


def _seeds(has_chance: bool, has_sparse: bool, ending: str) -> str:
    chance = "; random directions reach {chance:.2f}" if has_chance else ""
    sparse = " Of the sparse latents {sparse:.0%} are found again." if has_sparse else ""
    return (
        "Found again in {found:d} of {seeds:d} SAEs trained from other seeds (largest |cosine| {cosines}"
        f"{chance}).{sparse}{ENDINGS[ending]}"
    )


def _stability(speaks: str, words: str) -> Statement:
    for has_chance, has_sparse, ending in product((True, False), (True, False), ENDINGS):
        found = fields(words, _seeds(has_chance, has_sparse, ending))
        if found is not None:
            code = ending or ("stable" if speaks == "keep" else "unstable")
            cosines = [float(part) for part in found["cosines"].split(", ")]
            rest = {name: found.get(name) for name in ("chance", "sparse")}
            return {"code": code, "cosines": cosines, "found": found["found"], **rest}
    return read(words, ())


def _stability_words(one: Statement) -> str:
    cosines = one.get("cosines") or []
    values = {**one, "seeds": len(cosines), "cosines": ", ".join(f"{cosine:.2f}" for cosine in cosines)}
    ending = "too_short" if one.get("code") == "too_short" else ""
    template = _seeds(one.get("chance") is not None, one.get("sparse") is not None, ending)
    words = filled(template, values) if one.get("code") in {"stable", "unstable", "too_short"} else None
    return words or write(_own(one), ())


def _ground_words(one: Statement) -> str:
    of, code = str(one.get("of")), one.get("code")
    if of == "rule":
        return _rule_words(one)
    if of in {"effect", "pair_effect"}:
        return _effect_words(one)
    if of == "stability":
        return _stability_words(one)
    if code == "class":
        return f"{_title(of)}: {_text(one)}"
    if code == "label":
        label = str(one.get("label"))
        return f"{label[:1].upper()}{label[1:]}: {_text(one)}"
    return write(_own(one), CLASSES if of == "classes" else LABELS[:2])


def _reason_words(one: Statement) -> str:
    classes = ", ".join(str(name).replace("_", " ") for name in one.get("classes") or ())
    labels = ", ".join(map(str, one.get("labels") or ()))
    return REASONS["classes"].format(classes=classes) if classes else REASONS["labels"].format(labels=labels)


def _rule_words(one: Statement) -> str:
    code, conflict = one.get("code"), one.get("conflict")
    if code == "keep":
        return KEEP.format(reason=_reason_words(one))
    if code == "prune":
        return PRUNE
    if code != "investigate" or not (conflict is None or conflict in CONFLICTS):
        return write(_own(one), ())
    first = f"Investigate: {CONFLICTS[conflict].format(reason=_reason_words(one))}." if conflict else "Investigate."
    names = ", ".join(str(name).replace("_", " ") for name in one.get("missing") or ())
    return f"{first} Missing: {names}." if names else first


# --- what is missing --------------------------------------------------------------------------------

MORE = " More text may tell: `dense-latents analyze` with more --tokens."
OF_TEXT = ("position", "context_binding", "content_word")
GAPS: Templates = [
    ("classes", "No class was measured: `dense-latents analyze` without --no-classes."),
    ("detail", "No class was measured: `dense-latents analyze` with --detail {layer}:{index}."),
    ("labels", "No label of the corpus was measured: `dense-latents analyze` with classes and more text."),
    ("effect", "What the model does without it is not measured: {how}."),
    ("pair_effect", "What the model does without it and its mirror image {partner:d} is not measured: {how}."),
    ("wide_loss", "The interval is too wide for ±{epsilon:g}; four times the text halves it: {more}."),
    ("wide_kl", "The KL's interval is too wide for ±{epsilon:g}; four times the text halves it: {more}."),
    ("stability", "Whether other seeds find it is not measured: {how}."),
]
COMMANDS = {"effect": "ablate", "pair_effect": "ablate", "stability": "retrain"}
ONLY_DENSE = "`dense-latents {name}` looks at dense latents only"


def _gap(of: str, _speaks: str, words: str) -> Statement:
    found = read(words, GAPS)
    if found["code"] != "text":
        if "how" in found:
            found["dense"] = "looks at dense latents only" not in found.pop("how")
        if "more" in found:
            tokens = fields(found.pop("more"), "{command} --tokens {tokens:d}`")
            found["tokens"] = tokens["tokens"] // 4 if tokens else 0
        return {name: value for name, value in found.items() if name not in {"layer", "index"}}
    if words.startswith(f"Likely {of.replace('_', ' ')}; steering would decide: "):
        return {"code": "steer"}
    beginning = f"{_title(of)}: "
    if not words.startswith(beginning):
        return found
    text = words.removeprefix(beginning)
    text = text.removesuffix(MORE) if of in OF_TEXT else text
    if text.startswith("Likely, not sure. "):
        return _embedded({"code": "likely"}, text.removeprefix("Likely, not sure. "))
    return _embedded({"code": "unmeasured"}, text)


def _gap_words(one: Statement, place: Place) -> str:
    of, code = str(one.get("of")), str(one.get("code"))
    if code == "steer":
        return f"Likely {of.replace('_', ' ')}; steering would decide: {place.command('steer')}."
    if code in {"likely", "unmeasured"}:
        likely = "Likely, not sure. " if code == "likely" else ""
        return f"{_title(of)}: {likely}{_text(one)}{MORE if of in OF_TEXT else ''}"
    name = COMMANDS.get(code, "")
    how = ONLY_DENSE.format(name=name) if one.get("dense") is False else place.command(name)
    more = place.command("ablate", f" --tokens {4 * one['tokens']}" if one.get("tokens") else "")
    written = write(_own(one) | {"how": how, "more": more, "layer": place.layer, "index": place.latent}, GAPS)
    return written if not written.startswith("{") else write(_own(one), ())
