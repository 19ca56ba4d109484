"""What the numbers of a comparison of designs mean, for /methods."""

from __future__ import annotations

from analysis.statistics.declaration import Statistic

STATISTICS = (
    Statistic(
        "designs", "Designs of a comparison", "", "scalar", "sae",
        "SAEs trained on the same activations, in the same order, with one width and number of steps. Plain: the recipe"
        " of the SAE the comparison is of. Bottleneck: a linear part of rank R beside it, trained with it; the SAE"
        " reads and rebuilds what that leaves. R is counted into L0 (k less R) and not counted (k), both. Controls: the"
        " top R principal components and R random directions in its place, which stay as they are; the plain SAE with k"
        " raised by R, and with k lowered by R and nothing in its place. Frequency: a penalty on latents above the"
        " dense threshold, quadratic in what is above. AbsTopK:"
        " the k largest activations of either sign.",
        "R", "Deng et al. 2026 (arXiv 2606.14040); Google DeepMind, SAE progress update 2 (2025) and Gemma Scope 2;"
        " AbsTopK: arXiv 2510.00404; R counted, and that the SAE reads what is left: our own",
    ),
    Statistic(
        "design_l0", "L0 with the rank", "numbers per token", "scalar", "sae",
        "Latents that fire on a token, mean over held-out text, plus the numbers that go through what stands beside the"
        " SAE. A latent of either sign counts once wherever it is not 0.",
        "O", "our own",
    ),
    Statistic(
        "loss_recovered", "Loss recovered", "share", "scalar", "sae",
        "(Loss with the activation at zero less loss with the reconstruction in its place) over (loss at zero less loss"
        " of the model as it is), next-token loss on held-out text; only counted tokens are replaced. Both parts of a"
        " design with a bottleneck are in the reconstruction. The interval of one SAE is 95 % over documents, in 64"
        " groups drawn anew with replacement; that over several seeds is Student's t.",
        "O", "common usage",
    ),
    Statistic(
        "loss_without", "Loss without it", "nats per token", "scalar", "sae",
        "Next-token loss on held-out text with what goes through the bottleneck taken out of the activation,"
        " x − W_out W_in (x − b), and all else left. Principal components and random directions of as many dimensions"
        " are the controls.",
        "R", "Deng et al. 2026",
    ),
    Statistic(
        "bottleneck_span", "What a bottleneck holds", "share", "series", "sae",
        "The mean share of a direction of one span that lies in another: of the plain SAE's dense latents' decoder"
        " directions in what the bottleneck of the same seed writes to; of that in as many top principal components of"
        " the training activations; of two seeds' bottlenecks. Random spans share R / d_model.",
        "O", "our own; principal angles: common usage",
    ),
    Statistic(
        "design_follows", "What its latents follow", "share of variance", "series", "sae",
        "How much of the variance of the activations of dense latents (medians over them, means over seeds) each source"
        " predicts in held-out documents that were not fitted, added in order as on a latent's page; beside them up to"
        " 96 sparse latents of the same SAE. Of what goes past the latents: along the principal axes of its part of the"
        " reconstruction, each of which counts by its share of the part's variance.",
        "O", "our own",
    ),
)  # fmt: skip
