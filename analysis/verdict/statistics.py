"""What a verdict means, for /methods."""

from __future__ import annotations

from analysis.statistics.declaration import Statistic

STATISTICS: tuple[Statistic, ...] = (
    Statistic(
        "verdict", "Verdict by rule", "", "verdict", "latent",
        "Keep: a class with its controls passed, or a label that goes with the latent, and a causal effect: the 95 %"
        " interval of what mean-ablating the latent, or its antipodal pair, does to the loss lies beyond ±ε (above:"
        " the model needs it; below: this text is predicted better without it, which is an effect too), unless half of"
        " the random directions of its length do as much, or more: then it is no more than a push of its length."
        " Without such controls nothing is said. Where the loss is not conclusive, or such a push, a KL counts whose"
        " interval lies above ε and that beats 95 % of its controls. Prune candidate: equivalence is shown, of"
        " the latent and of its pair, and no KL lies beyond ε; all classes were measured and none holds; less than a"
        " fifth of its variance is followed; no label goes with it; and SAEs trained from other seeds do not have it."
        " Investigate: the rest, naming the measurements that are missing or the two that disagree. Density and"
        " antipodality are no ground for keeping, and being unexplained is by itself none for pruning. A person's own"
        " verdict stands beside it.",
        "O", "our own; docs/methods.md §12",
    ),
)  # fmt: skip
