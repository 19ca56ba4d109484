"""A comparison of designs in the world: three seeds of a bottleneck, its controls and AbsTopK; and a bare one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from store.tables import Design, DesignComparison
from tests.app.world import HOSTILE

DESIGNS: dict[str, dict[str, Any]] = {
    "plain": {"kind": "plain", "k": 32.0, "l0": 32.0, "fvu": 0.2, "n_dense": 50},
    "raised_24": {"kind": "raised", "rank": 24, "k": 56.0, "l0": 56.0, "fvu": 0.15, "n_dense": 90},
    "bottleneck_24": {"kind": "bottleneck", "rank": 24, "k": 32.0, "l0": 32.0, "fvu": 0.16, "n_dense": 9},
    "bottleneck_24_counted": {
        "kind": "bottleneck", "rank": 24, "counted": True, "k": 8.0, "l0": 8.0, "fvu": 0.22, "n_dense": 4,
    },
    "random_24": {"kind": "random", "rank": 24, "k": 32.0, "l0": 32.0, "fvu": 0.19, "n_dense": 48},
    "abstopk": {"kind": "abstopk", "k": 32.0, "l0": 32.0, "fvu": 0.21, "n_dense": 25, "signed_share": 0.4},
}  # fmt: skip


def write_designs(session: Session) -> None:
    """Two comparisons: one whole, one of one seed without all that can be left out."""
    for number in (1, 2):
        session.add(
            DesignComparison(
                id=number, key=f"{number}" * 64, sae_id=2, tokens=600_000, eval_tokens=60_000, loss_tokens=20_000,
                dense_threshold=0.1, recipe={"architecture": "batchtopk", "k": 32} if number == 1 else {},
                settings={"note": HOSTILE[1]} if number == 1 else {}, versions={"sae_lens": "6"},
                summary=_summary() if number == 1 else {}, seconds=5400.0, finished=datetime(2026, 11, 28, 9, number),
            )
        )  # fmt: skip
    session.flush()
    place = 0
    for seed in range(3):
        for name, values in DESIGNS.items():
            session.add(_design(1, name, seed, place, values))
            place += 1
    session.add(_design(2, "plain", 0, 0, DESIGNS["plain"] | {"bare": True}))


def _design(comparison: int, name: str, seed: int, place: int, values: dict[str, Any]) -> Design:
    bare = values.get("bare", False)
    beside = values["kind"] in ("bottleneck", "random")
    return Design(
        comparison_id=comparison, name=name, seed=seed, place=place, kind=values["kind"], rank=values.get("rank", 0),
        counted=values.get("counted", False), architecture="batchtopk", width=2304, k=values["k"],
        n_dense=values["n_dense"] + seed, n_dense_low=None, n_dense_high=None,
        fvu=None if bare else values["fvu"], fvu_low=None, fvu_high=None,
        loss_recovered=None if bare else 0.9, loss_recovered_low=None, loss_recovered_high=None,
        loss_clean=None if bare else 3.0, loss_spliced=None if bare else 3.3, loss_zeroed=None if bare else 6.0,
        loss_without=(8.25 if values["kind"] == "bottleneck" else 3.125) if beside else None,
        n_pairs=7, alive_share=0.98, l0=values["l0"], dense_mass_share=0.3, signed_share=values.get("signed_share"),
        density_curve=[], sha256=f"{seed}" * 64, seconds=300.0,
    )  # fmt: skip


def _summary() -> dict[str, Any]:
    means = {
        name: {
            "n_dense": _value(values["n_dense"] + 1.0, 1.5),
            "fvu": _value(values["fvu"], 0.004),
            "loss_recovered": _value(0.9, 0.01),
        }
        for name, values in DESIGNS.items()
    }
    plain = DESIGNS["plain"]
    less = {
        name: {
            "n_dense": _value(values["n_dense"] - plain["n_dense"], 4.0) | {"seeds": 3},
            "fvu": _value(values["fvu"] - plain["fvu"], 0.005) | {"seeds": 3},
            "loss_recovered": _value(0.0, 0.01) | {"seeds": 3},
        }
        for name, values in DESIGNS.items()
        if name != "plain"
    }
    held = {"dense": [0.8, 0.9], "dense_dimensions": [20, 21], "components": [0.7], "seeds": [0.6], "chance": 0.04}
    return {
        "designs": means,
        "less_plain": less,
        "angles": {"plain": [{"seeds": [0, 1], "dimensions": [20, 21], "shared": 0.55, "chance": 0.05}]},
        "bottlenecks": {"bottleneck_24": held, "bottleneck_24_counted": {}},
        "follows": {
            "plain": {"dense": _followed(40, 0.5, 0.2), "sparse": _followed(96, 0.3, None)},
            "bottleneck_24": {"sparse": _followed(96, 0.3, 0.05), "beside": _followed(24, 0.4, 0.25)},
        },
    }


def _value(mean: float, half: float) -> dict[str, Any]:
    return {"mean": mean, "low": mean - half, "high": mean + half, "of": "seeds"}


def _followed(signals: int, word: float, past: float | None) -> dict[str, Any]:
    return {"signals": signals, "added": {"word": word, "past": past, "norm": -0.01}, "total": word + (past or 0.0)}
