"""The statistics, one file each; `STATISTICS` is the registry that /methods is written from."""

from analysis.statistics import (
    contexts,
    covariance,
    density,
    examples,
    histogram,
    joint,
    mixture,
    moments,
    positions,
    reconstruction,
    top_tokens,
)

STATISTICS = (
    *density.STATISTICS,
    *moments.STATISTICS,
    *histogram.STATISTICS,
    *top_tokens.STATISTICS,
    *positions.STATISTICS,
    *examples.STATISTICS,
    *joint.STATISTICS,
    *reconstruction.STATISTICS,
    *contexts.STATISTICS,
    *covariance.STATISTICS,
    *mixture.STATISTICS,
)

__all__ = ["STATISTICS"]
