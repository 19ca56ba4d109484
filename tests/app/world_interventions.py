"""What interventions found in the world: effects whole, partial and absent, steering, verdicts, experiments.

Analysis 11 was ablated and steered, 12 was ablated by a worker that left all it could out, 10 was not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from store.tables import Arm, Effect, Experiment, Intervention, Stability, Statistic, Steering, Verdict
from tests.app.world import CONTROL, EDGE, HOSTILE, NEGATIVE, ORIGINAL, POSITIVE, TWIN, WIDTH
from tests.app.world_designs import write_designs

WHOLE, BARE, UNTOUCHED = 11, 12, 10
EPSILON = 0.002
LOSS: dict[int, tuple[float, float | None, float | None]] = {
    POSITIVE: (0.0213, 0.0182, 0.0244),  # needed
    NEGATIVE: (0.0001, -0.0005, 0.0007),  # as good as nothing
    TWIN: (0.0011, -0.0012, 0.0034),  # open
    ORIGINAL: (-0.0098, -0.0127, -0.0069),  # the text is predicted better without it
    EDGE: (0.0301, None, None),  # too few documents for an interval
    CONTROL: (0.0002, 0.0001, 0.0003),  # a sparse latent
}
PAIR_LOSS = (0.0312, 0.0275, 0.0349)
VERDICTS = {POSITIVE: "keep", NEGATIVE: "investigate", TWIN: "prune", ORIGINAL: "investigate", CONTROL: "investigate"}
COMMAND = "dense-latents retrain --db STORE --sae tiny/l1-resid"
DENSE = {"original": [21, 20, 23], "dense": [10, 9, 11], "dimension": [25, 24, 26], "abstopk": [14], "surprise": [3]}
"""By arm of the first experiment: dense latents of each seed."""


def write_interventions(session: Session) -> None:
    """All rows of run 2."""
    session.add_all(_statistics())
    session.add_all([_intervention(1, WHOLE, "ablate"), _intervention(2, BARE, "ablate")])
    session.add(_intervention(3, WHOLE, "steer"))
    session.flush()
    session.add_all(Effect(intervention_id=1, number=number, **row) for number, row in enumerate(_effects()))
    bare = _effect("latent", "own", POSITIVE, (0.5, None, None)) | {"control": {}, "direct_loss": None}
    session.add(Effect(intervention_id=2, number=0, **bare | {"direct_entropy": None, "mediated": None}))
    session.add_all(_steering())
    session.add_all(_verdicts())
    _experiments(session)
    write_designs(session)


def _statistics() -> Iterator[Statistic]:
    terms = (("effect_loss", "latent"), ("effect_kl", "latent"), ("effect_control", "latent"), ("verdict", "latent"))
    for position, (name, of) in enumerate((*terms, ("flips", "pair"), ("effect_set", "sae"))):
        yield Statistic(
            name=name, title=name, unit="", kind="scalar", of=of, definition=f"What {name} means.", grade="O",
            source="our own", position=100 + position,
        )  # fmt: skip


def _intervention(number: int, analysis: int, kind: str) -> Intervention:
    return Intervention(
        id=number,
        analysis_id=analysis,
        kind=kind,
        key=f"{number}" * 64,
        tokens=19_763,
        documents=118,
        settings={"epsilon": EPSILON, "controls": 2, "model_dtype": "float32"} if number != 2 else {},
        versions={"torch": "2"},
        summary={"clean_loss": 3.5, "clean_entropy": 3.4} if number != 2 else {},
        seconds=210.5,
        finished=datetime(2026, 11, 24, 9, number),
    )


def _effects() -> Iterator[dict[str, Any]]:
    for index, loss in LOSS.items():
        yield _effect("latent", "own", index, loss)
    yield _effect("pair", "own", POSITIVE, PAIR_LOSS, other=NEGATIVE)
    for index in LOSS:
        for place, what in enumerate(("random", "sparse", "random", "sparse")):
            yield _effect("latent", what, index, (0.0004 * (1 + place), 0.0, 0.003))
    yield _effect("pair", "random", POSITIVE, (0.0008, 0.0, 0.002), other=NEGATIVE)
    yield _effect("set", "own", None, (0.41, 0.35, 0.47), latents=[POSITIVE, NEGATIVE, TWIN, ORIGINAL, EDGE])
    for size in (0.05, 0.07, 0.06):
        yield _effect("set", "random", None, (size, size - 0.01, size + 0.01), latents=[0, 1, 2, 3, 5])
    yield _effect("set", "variance", None, (0.22, 0.18, 0.26), latents=list(range(10, 30)))


def _effect(
    subject: str,
    what: str,
    index: int | None,
    loss: tuple[float, float | None, float | None],
    other: int | None = None,
    latents: list[int] | None = None,
) -> dict[str, Any]:
    value, low, high = loss
    size, known = abs(value), low is not None and high is not None
    ends = {"low": size * 0.9, "high": size * 1.1} if known else {"low": None, "high": None}
    others = {"entropy": -size * 0.4, "kl": size * 0.8, "top1": min(1.0, size * 4), "rank": size * 3}
    row: dict[str, Any] = {
        "subject": subject, "what": what, "index": index, "other": other, "latents": latents or [],
        "norm": 0.21 if subject != "set" else 0.8, "variance": 0.177 if subject == "set" else None,
        "loss": value, "loss_low": low, "loss_high": high,
        "direct_loss": value * 0.7, "direct_entropy": -size / 7, "mediated": 0.66, "mediated_low": 0.5,
        "mediated_high": 0.7, "equivalent": low > -EPSILON and high < EPSILON if known else None,  # type: ignore[operator]
        "control": _bands(size) if what == "own" else {},
    }  # fmt: skip
    for name, middle in others.items():
        row[name] = middle
        row |= {f"{name}_{end}": None if at is None else at * middle / (size or 1) for end, at in ends.items()}
    if row["entropy_low"] is not None:
        row["entropy_low"], row["entropy_high"] = row["entropy_high"], row["entropy_low"]
    return row


def _bands(size: float) -> dict[str, Any]:
    """Random directions lie open, others under their name, as the worker writes them."""
    beats = 1.0 if size > 0.002 else 0.35
    band = {"median": 0.0004, "high": 0.0021, "beats": beats, "n": 20}
    bands: dict[str, Any] = {name: dict(band) for name in ("loss", "entropy", "kl", "top1", "rank")}
    return bands | {"sparse": {"loss": band | {"median": 0.0007}}, "regulates_entropy": size > 0.02}


def _steering() -> list[Steering]:
    examples = [
        {"prefix": f"He said {HOSTILE[0]}", "minus": HOSTILE[1], "zero": " the whale\nswam", "plus": HOSTILE[3]},
        {"prefix": "It was", "minus": " cold", "clean": " a day", "plus": " the budget"},
    ]
    doses = [
        {"dose": 1.0, "cost": 0.01, "refused": False, "flips": 0.4, "moves": 0.6, "pairs": 12},
        {"dose": 2.0, "cost": 0.08, "refused": False, "flips": 0.8, "moves": 0.9, "pairs": 12},
        {"dose": 8.0, "cost": 1.37, "refused": True, "flips": None, "moves": None, "pairs": 12},
    ]
    texts = [{"prefix": "A", "positive": HOSTILE[2], "negative": "b", "minus": -0.31, "zero": 0.05, "plus": 0.42}]
    rates = {"dose": 2.0, "flips": 0.83, "flips_low": 0.7, "flips_high": 0.93, "random": 0.35, "sparse": 0.42}
    none: dict[str, Any] = dict.fromkeys((*rates, "swapped"))
    return [
        Steering(
            intervention_id=3, positive=POSITIVE, negative=NEGATIVE, label="yes", pairs=12, swapped=0.25,
            statement={"code": "text", "text": "The text follows in 10 of 12 pairs."},
            data={"doses": doses, "examples": examples, "texts": texts},
            **rates,
        ),
        Steering(
            intervention_id=3, positive=ORIGINAL, negative=ORIGINAL, label="unmeasured", pairs=0,
            statement={"code": "text", "text": "Steering could not be measured: too few texts."}, data={}, **none,
        ),
    ]  # fmt: skip


def _verdicts() -> list[Verdict]:
    made = [
        Verdict(
            analysis_id=WHOLE,
            index=index,
            verdict=verdict,
            grounds=[
                {"of": "rule", "speaks": verdict, "code": "text", "text": f"The rule says {verdict} of {index}."},
                {"of": "position", "speaks": "keep", "code": "text", "text": f"Position holds {HOSTILE[0]}"},
                {
                    "of": "effect",
                    "speaks": "prune" if verdict == "prune" else "keep",
                    "code": "text",
                    "text": "Without it, something.",
                },
                {"of": "labels", "speaks": "neither", "code": "text", "text": "No label."},
            ],
            missing=[{"of": "stability", "code": "text", "text": f"Other seeds are not looked at: `{COMMAND}`."}],
        )
        for index, verdict in VERDICTS.items()
    ]
    return [*made, Verdict(analysis_id=BARE, index=POSITIVE, verdict="investigate", grounds=[], missing=[])]


def _experiments(session: Session) -> None:
    for number, analysis in ((1, WHOLE), (2, None)):
        session.add(
            Experiment(
                id=number,
                key=f"{number}" * 64,
                sae_id=2,
                analysis_id=analysis,
                tokens=600_000,
                eval_tokens=60_000,
                dense_threshold=0.1,
                recipe={"architecture": "batchtopk", "learning_rate": 0.0003} if number == 1 else {},
                settings={"dense": list(range(20)), "note": HOSTILE[1]} if number == 1 else {},
                versions={"sae_lens": "6"} if number == 1 else {},
                summary=_summary() if number == 1 else {},
                seconds=5400.0,
                finished=datetime(2026, 11, 25, 9, number),
            )
        )
    session.flush()
    for name, counts in DENSE.items():
        session.add_all(_arm(1, name, seed, n_dense) for seed, n_dense in enumerate(counts))
    session.add(_arm(2, "original", 0, 4))
    cosines = {POSITIVE: [0.9, 0.88, 0.95], TWIN: [0.2, 0.75, 0.1]}
    for index, held in cosines.items():
        found = sum(value >= 0.7 for value in held)
        session.add(Stability(experiment_id=1, index=index, cosines=held, found=found, stable=found >= 2))


def _arm(experiment: int, name: str, seed: int, n_dense: int) -> Arm:
    removes = name in {"dense", "dimension"}
    return Arm(
        experiment_id=experiment,
        name=name,
        seed=seed,
        architecture="abstopk" if name == "abstopk" else "batchtopk",
        width=WIDTH,
        k=32.0,
        removed_latents={"dense": 21, "dimension": 12}.get(name, 0),
        removed_dimensions=12 if removes else 0,
        removed_variance={"dense": 0.177, "dimension": 0.082}.get(name, 0.0),
        n_dense=n_dense,
        n_dense_low=n_dense - 1.0 if experiment == 1 else None,
        n_dense_high=n_dense + 2.0 if experiment == 1 else None,
        dense_mass_share=0.3 if experiment == 1 else None,
        n_pairs=2,
        signed_share=0.61 if name == "abstopk" else None,
        fvu=0.16 if experiment == 1 else None,
        alive_share=0.99,
        l0=32.1,
        density_curve=[0.5 / (1 + place) for place in range(WIDTH)] if experiment == 1 else [],
        sha256=f"{seed}" * 64,
        seconds=350.0,
    )


def _summary() -> dict[str, Any]:
    counts = {
        "original": {"mean": 21.33, "low": 17.5, "high": 25.1, "of": "seeds"},
        "dense": {"mean": 10.0, "low": 7.5, "high": 12.5, "of": "seeds"},
        "dimension": {"mean": 25.0, "low": 22.5, "high": 27.5, "of": "seeds"},
        "abstopk": {"mean": 14, "low": 12.0, "high": 16.0, "of": "documents"},
    }
    angle = {"dimensions": [12, 11], "cosines": [0.99, 0.9, 0.4], "shared": 0.71, "chance": 0.02, "chance_high": 0.03}
    return {
        "arms": {name: {"n_dense": dense, "short": name == "dimension"} for name, dense in counts.items()},
        "more_than_dense": {"dimension": {"mean": 15.0, "low": 12.1, "high": 17.9, "seeds": 3}},
        "statement": {"code": "text", "text": f"Removing the dense span costs 15.0 of them. {HOSTILE[0]}"},
        "angles": {"original": [angle | {"seeds": [0, 1], "chance_cosines": [0.3, 0.2, 0.1]}]},
        "angles_to_source": [angle | {"seeds": [-1, 0], "chance_cosines": [0.3, 0.2, 0.1]}],
        "stability": {"cut": 0.7, "seeds": 3, "chance": [0.31, 0.33], "sparse": 30, "sparse_stable_share": 0.8},
    }
