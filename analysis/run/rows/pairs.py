"""Two latents as one signed signal; the denser one is the positive pole."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from analysis.run.rows.plain import Row, number, numbers
from analysis.statistics.geometry import Partners
from analysis.statistics.joint import JointSummary, is_one_axis
from store.vocabulary import Statement

_FLAT: Statement = {"code": "one_flat"}
_SILENT: Statement = {"code": "one_silent"}


def pair_rows(first: Tensor, second: Tensor, joint: JointSummary, geometry: Partners) -> Iterator[Row]:
    """One row per candidate pair, without `analysis_id`."""
    for place, (i, j) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        flip = bool(joint.second[place] > joint.first[place])
        anchor = i if int(geometry.partner[i]) == j else j
        row = _signal(joint, place) | _firing(joint, place)
        row |= {
            "positive": j if flip else i,
            "negative": i if flip else j,
            "is_pair": bool(geometry.is_pair[i]) and int(geometry.partner[i]) == j,
            "score": number(float(geometry.score[anchor])),
            "cos_enc": number(float(geometry.cos_enc[anchor])),
            "cos_dec": number(float(geometry.cos_dec[anchor])),
            "z_sd": number(float(joint.z_sd[place])),
            "histogram": _histogram(joint.histogram[place], joint.edges, flip),
        }
        yield row | {"joint_1d": _is_one_axis(row), "reasons": _reasons(row)}


def _signal(joint: JointSummary, place: int) -> Row:
    single = max(
        float(joint.r2_first[place]), float(joint.r2_second[place]), key=lambda value: -1 if value != value else value
    )
    return {
        "correlation": number(float(joint.correlation[place])),
        "r2": number(float(joint.r2[place])),
        "r2_single": number(single),
    }


def _firing(joint: JointSummary, place: int) -> Row:
    tokens = max(joint.tokens, 1)
    both, a, b = (float(part[place]) / tokens for part in (joint.both, joint.first, joint.second))
    return {
        "coverage": number(a + b - both),
        "dead_zone": number(1 - (a + b - both)),
        "cofiring": number(both),
        "cofiring_ratio": number(both / (a * b)) if a * b > 0 else None,
    }


def _is_one_axis(row: Row) -> bool:
    r2, single, ratio = row["r2"], row["r2_single"], row["cofiring_ratio"]
    if r2 is None or single is None or ratio is None:
        return False
    return is_one_axis(r2, single, ratio)


def _reasons(row: Row) -> dict[str, Statement]:
    flat = {name: _FLAT for name in ("correlation", "r2", "r2_single") if row[name] is None}
    return flat | ({"cofiring_ratio": _SILENT} if row["cofiring_ratio"] is None else {})


def _histogram(counts: Tensor, edges: Tensor, flip: bool) -> Row:
    """Counts of z by who fires; `flip` turns the axis so that the denser latent is positive."""
    first, second, neither = counts
    if flip:
        first, second, neither = second.flip(0), first.flip(0), neither.flip(0)
    named = {"positive": first.tolist(), "negative": second.tolist(), "neither": neither.tolist()}
    return {"edges": numbers(edges)} | named
