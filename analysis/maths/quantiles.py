"""Quantiles that intervals are made with."""

from __future__ import annotations

# two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom; 1.96 beyond grows from here
_T95 = (
    12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139,
    2.200985, 2.178813, 2.160369, 2.144787, 2.131450, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963,
    2.079614, 2.073873, 2.068658, 2.063899, 2.059539, 2.055529, 2.051831, 2.048407, 2.045230, 2.042272,
)  # fmt: skip


def t95(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t."""
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    # Cornish-Fisher, error < 1e-5 from 30 on
    return 1.959964 + 2.372271 / freedom + 2.822502 / freedom**2 + 2.5558 / freedom**3
