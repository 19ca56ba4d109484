"""What values mean in a run of rows of activations: what is measured of tokens is measured of rows, and some is not."""

from __future__ import annotations

_GROUPS = "The interval is 95 % over groups, because rows of one group are alike: groups are put into at most 64 parts,"
_ON = "Over rows on which it is on."

ROWS: dict[str, tuple[str | None, str]] = {
    "density": (
        "share of rows",
        "Share of rows on which the unit is on: not 0, or above the value that was given with --on-above. "
        + _GROUPS
        + " and each part is left out once (jackknife).",
    ),
    "is_dense": (None, "Density above the run's threshold, 0.1 unless set otherwise."),
    "borderline": (
        None,
        "The 95 % interval of the density contains the threshold: on other rows of this kind it may fall on the other"
        " side.",
    ),
    "examples": (
        None,
        "The rows with the highest activations, one of each stretch of rows; four levels, the quarters of the"
        " activations from low to high; rows on which it is on, at random; and rows on which it is off, at random.",
    ),
    "histogram": ("rows", "Number of rows by activation, where the unit is on. Eight bins to each doubling."),
    "quantiles": (
        None,
        "Quantiles of the activation over rows on which it is on, interpolated within the histogram's bins: at most one"
        " bin, 9 %, off.",
    ),
    "mean": (None, f"Mean activation. {_ON}"),
    "std": (None, f"Standard deviation of the activation (denominator n). {_ON}"),
    "skewness": (None, f"Third standardised moment of the activation; positive: a long tail to the right. {_ON}"),
    "max": (None, "The activation largest in magnitude over all rows."),
    "mass_share": (None, "Sum of the unit's |activation| over the sum of all units' |activation|, all rows."),
    "l0": (
        "units per row",
        "Mean number of units that are on in a row: the sum of all densities. It differs from matrix to matrix.",
    ),
    "fvu": (
        None,
        "Fraction of variance unexplained by the SAE, on the sample of rows. A matrix' own columns rebuild themselves,"
        " and have none.",
    ),
    "together": (
        None,
        "The units whose activations go up and down with this one's: Pearson correlation over all rows.",
    ),
    "apart": (None, "The units with the most negative correlation with this one, by the same measure."),
    "followed": (
        None,
        "Share of the variance that all columns of the table predict together: ridge regressions on groups that were"
        " not fitted. Below 0: worse than the mean.",
    ),
    "label_association": (
        None,
        "How a unit's activation goes with a column of the table, over rows: Spearman's rank correlation of numbers,"
        " AUC of true/false, η² of categories, beside its chance level. Interval: 95 % over groups.",
    ),
    "label_conditional": (
        None,
        "The same with the group, the order and up to three other columns held fixed that go with the label at a"
        " strength of 0.3 or more. What loses half of its effect goes with the label only through that column;"
        " where too little is left to tell, the label cannot be told from the order.",
    ),
    "label_p": (
        None,
        "A label that is one value a group is dealt out anew to whole groups; one that varies within groups moves round"
        " within its group. q: after Benjamini-Hochberg over labels and units of the matrix.",
    ),
    "label_held_out": (None, "The effect in groups that were kept out: five folds of groups."),
    "label_verdict": (
        None,
        "Yes where q < 0.05, every interval leaves out chance, and groups that were kept out agree. Fewer than five"
        " groups: not measured.",
    ),
    "label_confounds": (
        None,
        "Other columns that go with the label: |Spearman|, |2 AUC - 1|, eta² or Cramér's V, listed from 0.3 on.",
    ),
    "coverage": ("share of rows", "Share of rows on which at least one of the two is on."),
    "dead_zone": ("share of rows", "Share of rows on which neither is on."),
    "cofiring": ("share of rows", "Share of rows on which both are on."),
}
"""Unit (None: the same) and definition, by name."""
ALIKE = {
    "antipodality", "partner", "mirror", "mirror_score", "duplicate_score", "cos_enc", "cos_dec", "mutual", "is_pair",
    "duplicate_of", "cos_bias", "decoder_norm", "cofiring_ratio",
}  # fmt: skip
"""Of an SAE's weights: the same whatever it read."""
TITLES = {
    "label_conditional": "Association with the rest held fixed",
    "label_held_out": "Held out by group",
    "together": "On together with",
    "apart": "On apart from",
    "l0": "On per row",
    "mass_share": "Share of all activation",
}
"""Where the title speaks of text."""
