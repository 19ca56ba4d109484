"""What values mean in a run of rows of activations: what is measured of tokens is measured of rows, and some is not."""

from __future__ import annotations

from app.shared.language import N_

ROWS: dict[str, tuple[str | None, str]] = {
    "density": (
        N_("share of rows"),
        N_(
            "Share of rows on which the unit is on: not 0, or above the value that was given with --on-above. The"
            " interval is 95 % over groups, because rows of one group are alike: groups are put into at most 64 parts,"
            " and each part is left out once (jackknife)."
        ),
    ),
    "is_dense": (None, N_("Density above the run's threshold, 0.1 unless set otherwise.")),
    "borderline": (
        None,
        N_(
            "The 95 % interval of the density contains the threshold: on other rows of this kind it may fall"
            " on the other side."
        ),
    ),
    "examples": (
        None,
        N_(
            "The rows with the highest activations, one of each stretch of rows; four levels, the quarters"
            " of the activations from low to high; rows on which it is on, at random; and rows on which it"
            " is off, at random."
        ),
    ),
    "histogram": (N_("rows"), N_("Number of rows by activation, where the unit is on. Eight bins to each doubling.")),
    "quantiles": (
        None,
        N_(
            "Quantiles of the activation over rows on which it is on, interpolated within the histogram's"
            " bins: at most one bin, 9 %, off."
        ),
    ),
    "mean": (None, N_("Mean activation. Over rows on which it is on.")),
    "std": (None, N_("Standard deviation of the activation (denominator n). Over rows on which it is on.")),
    "skewness": (
        None,
        N_(
            "Third standardised moment of the activation; positive: a long tail to the right. Over rows on which it"
            " is on."
        ),
    ),
    "max": (None, N_("The activation largest in magnitude over all rows.")),
    "mass_share": (None, N_("Sum of the unit's |activation| over the sum of all units' |activation|, all rows.")),
    "l0": (
        N_("units per row"),
        N_("Mean number of units that are on in a row: the sum of all densities. It differs from matrix to matrix."),
    ),
    "fvu": (
        None,
        N_(
            "Fraction of variance unexplained by the SAE, on the sample of rows. A matrix' own columns"
            " rebuild themselves, and have none."
        ),
    ),
    "together": (
        None,
        N_("The units whose activations go up and down with this one's: Pearson correlation over all rows."),
    ),
    "apart": (None, N_("The units with the most negative correlation with this one, by the same measure.")),
    "followed": (
        None,
        N_(
            "Share of the variance that all columns of the table predict together: ridge regressions on"
            " groups that were not fitted. Below 0: worse than the mean."
        ),
    ),
    "label_association": (
        None,
        N_(
            "How a unit's activation goes with a column of the table, over rows: Spearman's rank correlation"
            " of numbers, AUC of true/false, η² of categories, beside its chance level. Interval: 95 % over"
            " groups."
        ),
    ),
    "label_conditional": (
        None,
        N_(
            "The same with the group, the order and up to three other columns held fixed that go with the"
            " label at a strength of 0.3 or more. What loses half of its effect goes with the label only"
            " through that column; where too little is left to tell, the label cannot be told from the order."
        ),
    ),
    "label_p": (
        None,
        N_(
            "A label that is one value a group is dealt out anew to whole groups; one that varies within"
            " groups moves round within its group. q: after Benjamini-Hochberg over labels and units of the"
            " matrix."
        ),
    ),
    "label_held_out": (None, N_("The effect in groups that were kept out: five folds of groups.")),
    "label_verdict": (
        None,
        N_(
            "Yes where q < 0.05, every interval leaves out chance, and groups that were kept out agree."
            " Fewer than five groups: not measured."
        ),
    ),
    "label_confounds": (
        None,
        N_("Other columns that go with the label: |Spearman|, |2 AUC - 1|, eta² or Cramér's V, listed from 0.3 on."),
    ),
    "coverage": (N_("share of rows"), N_("Share of rows on which at least one of the two is on.")),
    "dead_zone": (N_("share of rows"), N_("Share of rows on which neither is on.")),
    "cofiring": (N_("share of rows"), N_("Share of rows on which both are on.")),
}
"""Unit (None: the same) and definition, by name."""
ALIKE = {
    "antipodality", "partner", "mirror", "mirror_score", "duplicate_score", "cos_enc", "cos_dec", "mutual", "is_pair",
    "duplicate_of", "cos_bias", "decoder_norm", "cofiring_ratio",
}  # fmt: skip
"""Of an SAE's weights: the same whatever it read."""
TITLES = {
    "label_conditional": N_("Association with the rest held fixed"),
    "label_held_out": N_("Held out by group"),
    "together": N_("On together with"),
    "apart": N_("On apart from"),
    "l0": N_("On per row"),
    "mass_share": N_("Share of all activation"),
}
"""Where the title speaks of text."""
