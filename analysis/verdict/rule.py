"""The rule: measurements of one latent -> keep, prune or investigate, with the grounds and what is missing."""

from __future__ import annotations

from typing import NamedTuple

from analysis.verdict.grounds import Gap, Ground, gaps, grounds
from analysis.verdict.measured import BEYOND, EQUIVALENT, PUSH, Measured
from store.vocabulary import INVESTIGATE, KEEP, LITTLE, NEITHER, PRUNE, RULE, Statement


class Decision(NamedTuple):
    """A verdict; the first ground is the rule's own sentence (`of` is "rule")."""

    verdict: str
    grounds: list[Ground]
    missing: list[Gap]


def decide(m: Measured) -> Decision:
    """Apply the rule to one latent (our own; docs/methods.md §12).

    *Keep*: it is explained (a class with its controls passed, or a label that goes with it) *and* it has a
    causal effect: the 95 % interval of the change of the loss, of the latent or of its pair, lies beyond epsilon, and
    random directions of its length reach the change less often than not (else it is no more than a push of its length;
    where no such control was measured, nothing is said).
    Above: the model needs it. Below -epsilon: the model predicts this text better without it, so it does
    something, though not something good here; that is an effect too, and it is said so. Where the loss is not
    conclusive, or no more than a push, a KL counts whose interval lies above epsilon and that beats 95 % of its
    controls: on text of which the model is a fair judge both have the same mean, and the KL does not depend on which
    word came next.

    *Prune*: equivalence is shown (the interval of the loss within ±epsilon and that of the KL below epsilon, of the
    latent and of its pair, where it has one), all classes were measured and none holds, less than a fifth of its
    variance is followed, no label goes with it, and SAEs trained from other seeds do not have it, though they have at
    least a fifth of the sparse latents in common.

    *Investigate*: the rest, naming the two measurements that disagree, or those that are missing.

    Density and antipodality are no ground for anything; "unexplained" alone is none for pruning.
    """
    missing = gaps(m)
    verdict = _verdict(m)
    statement: Statement = {"code": verdict}
    if verdict != PRUNE:
        statement |= {"classes": [one.name for one in m.holding], "labels": [one.name for one in m.associated]}
    if verdict == INVESTIGATE:
        statement |= {"followed": m.followed}
        statement |= {"conflict": _conflict(m), "missing": list(dict.fromkeys(gap.of for gap in missing))}
    rule = Ground(RULE, NEITHER if verdict == INVESTIGATE else verdict, statement)
    return Decision(verdict, [rule, *grounds(m)], missing)


def _verdict(m: Measured) -> str:
    if m.explained and m.causal == BEYOND:
        return KEEP
    if m.unexplained and m.causal == EQUIVALENT and m.still and m.unstable:
        return PRUNE
    return INVESTIGATE


def _conflict(m: Measured) -> str | None:
    """Which two measurements disagree."""
    if m.causal == EQUIVALENT and m.explained:
        return "explained_without_effect"
    if m.causal == EQUIVALENT and m.moves:
        return "loss_and_kl"
    if m.causal == EQUIVALENT and m.stability is not None and m.stability.stable:
        return "stable_without_effect"
    if m.causal == BEYOND and m.unexplained:
        return "effect_unexplained"
    if m.causal == BEYOND and not m.explained and (m.followed or 0) >= LITTLE:
        return "effect_followed"
    if m.causal == PUSH:
        return "explained_by_a_push" if m.explained else "push"
    return None
