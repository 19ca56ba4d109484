"""Measured ablations -> rows of the store, each subject beside its controls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch

from analysis.interventions.ablate.measure import Ablated
from analysis.interventions.ablate.sums import MEASURES, Effects, Estimate
from analysis.interventions.ablate.variants import Variant
from analysis.run.rows.plain import Row, number
from analysis.statistics.declaration import Statistic
from store.vocabulary import MEASURES as EFFECT_MEASURES
from store.vocabulary import OWN, RANDOM

NEAREST = 40  # controls an effect is held against at most: those whose length is nearest
WITHIN = 1.5  # times the length: farther ones are no controls
ENOUGH = 19  # with fewer, 5 % cannot be reached
BEATS = 0.95  # share of controls whose effect must be smaller
GROUPS_FOR_NOTHING = 30  # groups of documents: with fewer, an interval is too unsure to show that nothing happens
MEDIATED = 0.5  # share of the change of entropy that goes through the final norm's scale

# mean |change of entropy|, shown beside: it does not decide, since a random push moves words, and with them entropy
# one way here and the other way there, more than a regulator of the same length does
_MOVED = "abs_entropy"

_HELD = " The activation is held at its mean over the text read, the SAE's error is kept (mean-ablation)."
STATISTICS = (
    Statistic("effect_loss", "Change of the loss", "nats per token", "scalar", "latent",
              "Next-token cross-entropy with the latent ablated less that of the model as it is, mean over counted"
              " tokens whose next token is counted." + _HELD + " Intervals: bootstrap over 64 groups of documents.",
              "O", "our own; mean-ablation as in Stolfo et al. 2024, on which the paper's section on entropy builds"),
    Statistic("effect_entropy", "Change of the entropy", "nats per token", "scalar", "latent",
              "Entropy of the next-token distribution, ablated less clean." + _HELD, "R", "Stolfo et al. 2024"),
    Statistic("effect_kl", "KL divergence", "nats per token", "scalar", "latent",
              "KL of the ablated next-token distribution from the clean one, KL(clean, ablated)." + _HELD,
              "O", "our own"),
    Statistic("effect_top1", "Another most likely token", "share", "scalar", "latent",
              "Share of tokens whose most likely next token is another one than before." + _HELD, "O", "our own"),
    Statistic("effect_rank", "Rank of the right token", "doublings", "scalar", "latent",
              "Mean change of log2 of the right token's rank: +1 means twice as far down the list." + _HELD,
              "O", "our own"),
    Statistic("effect_mediated", "Mediated by the final norm", "share", "scalar", "latent",
              "1 - mean |change of entropy with the final norm's scale frozen at its clean value| / mean |change of"
              f" entropy|. A latent regulates entropy where its change of entropy is larger than that of"
              f" {BEATS:.0%} of at least {ENOUGH} random controls and at least {MEDIATED:.0%} of it is mediated.",
              "R", "Stolfo et al. 2024; the cuts are ours"),
    Statistic("effect_control", "Norm-matched controls", "", "scalar", "latent",
              "The same activations, and so the same density and length at every token, put along another direction: a"
              " random one, or the decoder direction of a sparse latent. An effect is held against its own controls and"
              f" those of other latents and pairs of the layer, at most {NEAREST}, whose root mean square length is"
              f" within a factor of {WITHIN:g}, their effects scaled by the squared ratio of the lengths.",
              "O", "our own"),
    Statistic("effect_equivalent", "Equivalent to nothing", "", "scalar", "latent",
              "The 95 % interval of the change of the loss lies within +- epsilon (0.002 nats per token unless asked"
              f" otherwise), over at least {GROUPS_FOR_NOTHING} groups of documents: evidence that the latent is not"
              " needed, which a difference that is not significant is not.",
              "O", "our own"),
    Statistic("effect_set", "Effect of all dense latents", "nats per token", "scalar", "sae",
              "All dense latents ablated at once, against the same set turned at random as one rigid body, and against"
              " sets of sparse latents whose contributions have as much variance, as far as those reach.",
              "O", "our own"),
)  # fmt: skip


def effect_rows(measured: Ablated, epsilon: float, median_norm: float, seed: int) -> list[Row]:
    """A row for every variant, controls too.

    Args:
        epsilon: nats per token.
        median_norm: of the residual stream; lengths are given in units of it.
        seed: of the bootstrap.
    """
    effects = Effects(measured.sums, seed)
    means = {measure: effects.mean(measure) for measure in MEASURES}
    mediated = effects.mediated()
    bands = _Bands(measured.variants, effects)
    rows = []
    for place, variant in enumerate(measured.variants):
        row = _identity(place, variant) | _numbers({name: means[name][place] for name in EFFECT_MEASURES})
        row |= _mediation(means, mediated[place], place)
        row["norm"] = float(effects.norm[place]) / median_norm
        row["variance"] = number(float(effects.variance[place])) if variant.subject == "set" else None
        row["equivalent"] = equivalent(means["loss"][place], epsilon, effects.groups)
        row["control"] = bands.of(place, mediated[place]) if variant.what == OWN else {}
        rows.append(row)
    return rows


def equivalent(loss: Estimate, epsilon: float, groups: int) -> bool | None:
    """Whether the interval lies within +- epsilon; None without an interval, or with too few groups to say yes."""
    if loss.low is None or loss.high is None:
        return None
    within = loss.low > -epsilon and loss.high < epsilon
    return None if within and groups < GROUPS_FOR_NOTHING else within


def _identity(place: int, variant: Variant) -> Row:
    return {
        "number": place,
        "subject": variant.subject,
        "what": variant.what,
        "index": variant.index,
        "other": variant.other,
        "latents": variant.latents if variant.subject == "set" else [],
    }


def _numbers(means: dict[str, Estimate]) -> Row:
    found: Row = {}
    for name, mean in means.items():
        found[name] = number(mean.value)
        found[f"{name}_low"], found[f"{name}_high"] = _maybe(mean.low), _maybe(mean.high)
    return found


def _mediation(means: dict[str, list[Estimate]], mediated: Estimate | None, place: int) -> Row:
    return {
        "direct_loss": number(means["direct_loss"][place].value),
        "direct_entropy": number(means["direct_entropy"][place].value),
        "mediated": None if mediated is None else number(mediated.value),
        "mediated_low": None if mediated is None else _maybe(mediated.low),
        "mediated_high": None if mediated is None else _maybe(mediated.high),
    }


def _maybe(value: float | None) -> float | None:
    return None if value is None else number(value)


class _Bands:
    """What controls of about the same length do."""

    def __init__(self, variants: list[Variant], effects: Effects) -> None:
        self.norm = effects.norm.clamp(min=1e-30)
        self.sizes = {
            name: torch.tensor([mean.value for mean in effects.mean(name)], dtype=torch.float64).abs()
            for name in (*EFFECT_MEASURES, _MOVED)
        }
        self.places: dict[tuple[str, bool], list[int]] = {}
        for place, each in enumerate(variants):
            if each.what != OWN:
                self.places.setdefault((each.what, each.subject == "set"), []).append(place)
        self.is_set = [each.subject == "set" for each in variants]

    def of(self, place: int, mediated: Estimate | None) -> dict[str, Any]:
        """Measure -> median and 95 % of |effect| of the random controls, share beaten, how many, p; the same for other
        kinds of control under their name, and whether the latent regulates entropy."""
        found: dict[str, Any] = dict(self._against(RANDOM, place))
        others = sorted({what for what, is_set in self.places if what != RANDOM and is_set == self.is_set[place]})
        found |= {what: band for what in others if (band := dict(self._against(what, place)))}
        if found.get("entropy", {}).get("p") is not None and mediated is not None:
            found["regulates_entropy"] = found["entropy"]["beats"] >= BEATS and mediated.value >= MEDIATED
        return found

    def _against(self, what: str, place: int) -> Iterator[tuple[str, Row]]:
        there = torch.tensor(self.places.get((what, self.is_set[place]), []), dtype=torch.int64)
        ratio = self.norm[place] / self.norm[there]
        far = ratio.log().abs()
        near = far.argsort(stable=True)[:NEAREST]
        near = near[far[near] <= math.log(WITHIN)]
        if not len(near):
            return
        for name, sizes in self.sizes.items():
            # to first order the mean effect of a random push goes with its squared length
            theirs = sizes[there[near]] * ratio[near].square()
            as_large = int((theirs >= sizes[place]).sum())
            yield (
                name,
                {
                    "median": number(float(theirs.median())),
                    "high": number(float(theirs.quantile(0.95))),
                    "beats": 1 - as_large / len(near),
                    "n": len(near),
                    "p": (1 + as_large) / (1 + len(near)) if len(near) >= ENOUGH else None,
                },
            )
