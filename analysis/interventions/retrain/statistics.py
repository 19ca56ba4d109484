"""What an experiment's numbers mean, for /methods."""

from __future__ import annotations

from analysis.statistics.declaration import Statistic

STATISTICS = (
    Statistic(
        "retrain_arms", "Arms of an experiment", "", "scalar", "sae",
        "SAEs trained anew with one recipe on the same activations, in the same order: as they are; without the span"
        " of the dense latents' decoder directions (99 % of their squared length, put at zero); and as controls without"
        " a span of sparse latents of equal dimension (the headline), of equal number, of equal variance, and without"
        " as many top principal components. Sparse latents fire on less than a quarter of the dense threshold, are no"
        " partners of dense ones, and are drawn anew for every seed. AbsTopK, at full and half width, keeps negative"
        " activations. Each arm's activations are scaled to unit mean square.",
        "P", "Sun et al. 2025: original, dense and sparse arm; the other controls and AbsTopK's widths: our own",
    ),
    Statistic(
        "arm_n_dense", "Dense latents of an arm", "latents", "scalar", "sae",
        "Latents above the density threshold on documents that no arm was trained on, with the arm's removal applied."
        " The interval of one SAE is 95 % over documents, in 64 groups drawn anew with replacement; that of an arm with"
        " several seeds is Student's t over seeds, which holds the draw of the sparse latents too.",
        "P", "Sun et al. 2025, section 3; intervals: our own",
    ),
    Statistic(
        "arm_removed_variance", "Variance removed", "share of variance", "scalar", "sae",
        "Share of the variance of the activations an arm is trained on that lies in what is taken out: trace of the"
        " covariance within the span over the whole trace. Massive tokens, over six times the median length, are left"
        " out. Dense and sparse spans of equal dimension do not hold equal variance, so compare all controls.",
        "O", "our own",
    ),
    Statistic(
        "dense_span_angles", "Principal angles between seeds", "", "series", "sae",
        "Cosines of the principal angles between the spans of the dense latents' decoder directions of two seeds of an"
        " arm, and their mean square: the mean share of a direction of the smaller span that lies in the larger."
        " Beside it the same of random spans of these dimensions, 100 of them.",
        "O", "our own; principal angles: common usage",
    ),
    Statistic(
        "stability", "Stability over seeds", "", "series", "sae",
        "The largest |cosine| of a dense latent's decoder direction with any latent of an SAE trained anew, one a seed;"
        " found again where it is at least 0.7, stable where found again in two thirds of the seeds or more. Chance:"
        " what 95 % of 2,000 random directions stay below with the same SAEs. Needs two seeds.",
        "O", "our own",
    ),
)  # fmt: skip
