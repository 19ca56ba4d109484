"""The codes that the worker stores and the server reads, each once. The words for them are `app.vocabulary`'s."""

from __future__ import annotations

from typing import Any, Literal, get_args

Statement = dict[str, Any]
"""What the worker says instead of a sentence: {"code": ..., and the numbers that the sentence holds}."""
TEXT = "text"
"""The code of what an older worker said in words that nobody can read back: {"code": "text", "text": ...}."""

BOS, SPECIAL, TEMPLATE = "bos", "special", "template"
"""What is read and not counted: what stands before each context, special tokens within the text, and what the template
of a conversation puts between what was said."""

FIELD = "activations"
"""The family of a network of which only activations are there: rows for tokens, groups for documents."""

EPSILON = 0.002
"""Nats per token: a change of the loss within ± this counts as none, unless an ablation was made with another."""
LITTLE = 0.2
"""Share of the variance: a latent without a class of which less is followed is unexplained."""
OFTEN = 0.5
"""Share of its matched controls that an effect must exceed to be more than a push of its length."""

Verdict = Literal["keep", "investigate", "prune"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
KEEP, INVESTIGATE, PRUNE = VERDICTS
"""What the rule, and what a person, may decide of a latent."""
NEITHER = "neither"
"""What a measurement speaks for that speaks neither for keeping nor for pruning."""
RULE = "rule"
"""What the ground is of that is the rule's own statement."""

YES, LIKELY, NO, UNMEASURED = "yes", "likely", "no", "unmeasured"
"""Whether a class holds, a label goes with a signal, the text follows when steered. Likely: as far as measured."""
HOLDS = (YES, LIKELY)
"""Outcomes with which a latent has a class."""

UNEXPLAINED, PARTLY, MIXTURE = "unexplained", "partly_followed", "mixture"
REST = (PARTLY, UNEXPLAINED)
NO_CLASS = (*REST, MIXTURE)
"""Names of scores that are no class: what is left where none holds, with at least a fifth of its variance followed, or
less; a sum of other latents. All other names are classes."""
SUM, AGGREGATE, OWN_SIGNAL = "sum", "aggregate", "own"
"""What a mixture may be, besides unmeasured."""
STEERED = "context_binding"
"""The class of which steering is a part: likely until the text was steered."""

DENSE, PARTNER, CONTROL, ASKED = "dense", "partner", "control", "asked"
DETAILS = (DENSE, PARTNER, CONTROL, ASKED)
"""Why a latent has examples and profiles. A control is a sparse latent."""
TOP, RANDOM_ON, RANDOM_OFF = "top", "random", "off"
QUARTERS = 4
"""Levels of example where none were asked for: the quarters of the firing activations."""


def example_kinds(intervals: int = 0) -> tuple[str, ...]:
    """Kinds of example: the strongest, levels from low to high, at random, off.

    Args:
        intervals: so many equal intervals of activation up to the largest, `3of10`; 0: the quarters of the firing
            activations, `level3`.
    """
    quarters = tuple(f"level{level}" for level in range(1, QUARTERS + 1))
    levels = tuple(f"{level}of{intervals}" for level in range(1, intervals + 1)) or quarters
    return TOP, *levels, RANDOM_ON, RANDOM_OFF


def level_of(kind: str) -> tuple[int, int]:
    """`3of10` -> (3, 10), `level3` -> (3, 4), any other kind of example -> (0, 0)."""
    number, of, count = kind.partition("of")
    if of and number.isdecimal() and count.isdecimal():
        return int(number), int(count)
    return (int(kind[-1]), QUARTERS) if kind.startswith("level") else (0, 0)


def follows_with(other: int) -> str:
    """Name of the profile of what a latent and its mirror image follow as one signal; it is the first one's."""
    return f"follows_with_{other}"


ABLATE, STEER = "ablate", "steer"
"""Kinds of intervention."""
LATENT, PAIR, SET = "latent", "pair", "set"
"""What an effect is of."""
OWN, RANDOM, SPARSE, VARIANCE = "own", "random", "sparse", "variance"
"""What was taken out: the subject's own part; or the control: random directions, sparse latents, sparse latents that
hold as much variance."""
MEASURES = ("loss", "kl", "entropy", "top1", "rank")
"""Of an effect, with an interval; columns of the same names."""
SWAPPED = "swapped"
"""A control of steering besides random and sparse: the texts of other documents."""
