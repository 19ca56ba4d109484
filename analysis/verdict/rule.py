"""The rule: measurements of one latent -> keep, prune or investigate, with the grounds and what is missing."""

from __future__ import annotations

from typing import NamedTuple

from analysis.verdict.measured import BEYOND, EQUIVALENT, Measured
from analysis.verdict.words import Gap, Ground, Place, gaps, grounds
from store.vocabulary import INVESTIGATE, KEEP, NEITHER, PRUNE


class Decision(NamedTuple):
    """A verdict; the first ground is the rule's own sentence (`of` is "rule")."""

    verdict: str
    grounds: list[Ground]
    missing: list[Gap]


def decide(m: Measured, place: Place) -> Decision:
    """Apply the rule to one latent (our own; docs/methods.md §12).

    *Keep*: it is explained (a class with its controls passed, or a label that goes with it) *and* it has a
    causal effect: the 95 % interval of the change of the loss, of the latent or of its pair, lies beyond epsilon.
    Above: the model needs it. Below -epsilon: the model predicts this text better without it, so it does
    something, though not something good here; that is an effect too, and it is said so. Where the loss is not
    conclusive, a KL counts whose interval lies above epsilon and that beats 95 % of its controls: on text of which
    the model is a fair judge both have the same mean, and the KL does not depend on which word came next.

    *Prune*: equivalence is shown (the interval of the loss within ±epsilon and that of the KL below epsilon, of the
    latent and of its pair, where it has one), all classes were measured and none holds, no label goes with it, and
    SAEs trained from other seeds do not have it, though they have at least a fifth of the sparse latents in common.

    *Investigate*: the rest, naming the two measurements that disagree, or those that are missing.

    Density and antipodality are no ground for anything; "unexplained" alone is none for pruning.
    """
    found, missing = grounds(m), gaps(m, place)
    verdict, why = _verdict(m, missing)
    rule = Ground("rule", NEITHER if verdict == INVESTIGATE else verdict, why)
    return Decision(verdict, [rule, *found], missing)


def _verdict(m: Measured, missing: list[Gap]) -> tuple[str, str]:
    if m.explained and m.causal == BEYOND:
        return KEEP, f"Keep: {_reason(m)}, and what the model says of the text changes without it."
    if m.unexplained and m.causal == EQUIVALENT and m.still and m.unstable:
        why = "the loss stays the same without it, no class holds, no label goes with it, and other seeds lack it"
        return PRUNE, f"Prune candidate: {why}."
    return INVESTIGATE, _open(_conflict(m), missing)


def _open(conflict: str, missing: list[Gap]) -> str:
    names = ", ".join(dict.fromkeys(gap.of.replace("_", " ") for gap in missing))
    first = f"Investigate: {conflict}." if conflict else "Investigate."
    return f"{first} Missing: {names}." if names else first


def _conflict(m: Measured) -> str:
    """The two measurements that disagree; empty where none do."""
    if m.causal == EQUIVALENT and m.explained:
        return f"{_reason(m)}, yet the loss stays the same without it; class or label and effect disagree"
    if m.causal == EQUIVALENT and m.moves:
        return "without it the loss stays the same, yet the model says other things; loss and KL disagree"
    if m.causal == EQUIVALENT and m.stability is not None and m.stability.stable:
        return "the loss stays the same without it, yet other seeds find it again; effect and stability disagree"
    if m.causal == BEYOND and m.unexplained:
        return "it has an effect, yet no class and no label says what it does; effect and classes disagree"
    return ""


def _reason(m: Measured) -> str:
    if m.holding:
        return f"it has a function ({', '.join(one.title for one in m.holding)})"
    return f"it goes with a label ({', '.join(one.name for one in m.associated)})"
