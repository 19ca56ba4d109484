"""The statistics, one file each; `STATISTICS` is the registry that /methods is written from."""

from analysis.accumulators import density, examples, histogram, joint, moments, positions, reconstruction, top_tokens

STATISTICS = (
    *density.STATISTICS,
    *moments.STATISTICS,
    *histogram.STATISTICS,
    *top_tokens.STATISTICS,
    *positions.STATISTICS,
    *examples.STATISTICS,
    *joint.STATISTICS,
    *reconstruction.STATISTICS,
)

__all__ = ["STATISTICS"]
