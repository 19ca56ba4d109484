"""Which colour class an activation gets. Colour means one thing: which pole, and how strongly.

One-sided latents use b0..b8; where a mirror partner exists n4..n1 and p1..p4 stand for the
negative and the positive pole. Class names, not colours: the policy forbids inline styles.
"""

from __future__ import annotations

ONE_SIDED, TWO_SIDED = 8, 4


def one_sided(value: float, scale: float) -> str:
    """b0 (off) to b8 (at `scale` or above).

    Args:
        scale: activation that gets the full colour, > 0.
    """
    if value == 0 or scale <= 0:
        return "b0"
    return f"b{1 + min(ONE_SIDED - 1, int(ONE_SIDED * abs(value) / scale))}"


def two_sided(value: float, scale: float) -> str:
    """n4..n1, p1..p4; empty where the signal is zero."""
    if value == 0 or scale <= 0:
        return ""
    side = "p" if value > 0 else "n"
    return f"{side}{1 + min(TWO_SIDED - 1, int(TWO_SIDED * abs(value) / scale))}"
