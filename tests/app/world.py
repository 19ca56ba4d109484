"""A small store whose truths are known: two runs, three layers, pairs, a duplicate, a dead latent, hostile tokens."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from migrations.runner import downgrade, upgrade
from store import arrays
from store.search import index_analysis
from store.session import make_engine, session_factory
from store.suites import suite_key
from store.tables import Analysis, Corpus, Example, Latent, Model, Pair, Profile, Run, Sae, Statistic
from store.vocabulary import follows_with

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(2)</script>",
    "\u202egnorw",
    "👩\u200d👩\u200d👧",
    "{{ 7 * 7 }}",
    "\n",
    "\x07",
    " the",
    "%",
]
SLUGS = ["tiny/l0-resid", "tiny/l1-resid", "tiny/l2-resid"]
POSITIVE, NEGATIVE, TWIN, ORIGINAL, DEAD, EDGE, CONTROL = range(7)
WIDTH = 40
DENSITIES = {POSITIVE: 0.381, NEGATIVE: 0.25, TWIN: 0.2, ORIGINAL: 0.3, DEAD: 0.0, EDGE: 0.105, CONTROL: 0.02}
VERSIONS = {"torch": "2"}
MAP = {
    "share": 0.25,
    "latents": [
        [POSITIVE, 0.6, 0.2],
        [NEGATIVE, -0.6, -0.2],
        [TWIN, 0.1, 0.5],
        [ORIGINAL, 0.12, 0.5],
        [EDGE, 0.0, 0.0],
    ],
}
"""Where the dense latents of run 2 lie; run 1 was analysed before there were maps."""
STRIP = [*HOSTILE, " of", " sea", ".", " Whale"]


def build(path: Path | str, revision: str = "head") -> str:
    """Write the store into a file or a URL; returns it. Run 2 is the newest complete one, run 3 is not complete.

    Run 1 is an old one: it measured no classes. At the first `revision` run 2 did not either, and at the second
    nothing was intervened with.
    """
    if "://" in str(path) or Path(path).exists():
        return _build(str(path), revision)
    if revision not in _MADE:
        _build(str(path), revision)
        _MADE[revision] = Path(path).read_bytes()
    Path(path).write_bytes(_MADE[revision])
    return str(path)


_MADE: dict[str, bytes] = {}
"""Stores that were built in this process, by revision: a copy costs nothing beside twenty migrations."""


def _build(path: str, revision: str) -> str:
    from tests.app.world_classes import write_classes
    from tests.app.world_interventions import write_interventions

    upgrade(path)
    engine = make_engine(path)
    with session_factory(engine)() as session:
        _parts(session)
        _statistics(session)
        _analysis(session, 1, 1, 1)
        for layer in range(3):
            _analysis(session, 10 + layer, 2, 1 + layer)
        if revision != "0001":
            write_classes(session)
        if revision == "head":
            write_interventions(session)
            for key in (1, 10, 11, 12):
                index_analysis(session, key)
        session.commit()
    engine.dispose()
    if revision != "head":
        downgrade(path, revision)
    return path


def _parts(session: Session) -> None:
    session.add(
        Model(
            id=1,
            slug="tiny",
            name="Tiny",
            fingerprint="f" * 64,
            source="made",
            licence=None,
            family="llama",
            n_layers=3,
            d_model=8,
            vocab_size=99,
        )
    )
    session.add(
        Corpus(
            id=1,
            name="made text",
            sha256="c" * 64,
            documents=240,
            characters=9000,
            licence=None,
            report={},
            label_columns=["party", HOSTILE[0]],
        )
    )
    session.flush()
    for layer, slug in enumerate(SLUGS):
        session.add(_sae(layer, slug))
    for number, status in ((1, "complete"), (2, "complete"), (3, "running")):
        session.add(_run(number, status))
    session.flush()


def _sae(layer: int, slug: str) -> Sae:
    return Sae(
        id=1 + layer,
        slug=slug,
        sha256=f"{layer}" * 64,
        model_id=1,
        hook_point=f"blocks.{layer}.hook_resid_post",
        layer=layer,
        architecture="batchtopk",
        d_in=8,
        n_latents=WIDTH,
        dtype="float32",
        source="made",
        neuronpedia_id=None,
        details={"k": 4, "metadata": {"seed": 0}},
        training={"steps": 12, "held_out": {"fvu": 0.25}},
    )


def _run(number: int, status: str) -> Run:
    settings = {"classes": True, "cuts": {"position_rho": 0.4, "q": 0.05}} if number == 2 else {}
    return Run(
        id=number,
        key=f"{number}" * 64,
        suite=suite_key("f" * 64, "c" * 64, settings, VERSIONS),
        status=status,
        model_id=1,
        corpus_id=1,
        tokens=60_000,
        masked_tokens=240,
        documents=233,
        context=64,
        dense_threshold=0.1,
        seed=0,
        settings=settings,
        versions=VERSIONS,
        seconds=97.4,
        strip={"document": "Moby Dick <i>1</i>", "labels": {}, "tokens": STRIP},
        finished=datetime(2026, 11, 20 + number, 12, 0),
    )


def _statistics(session: Session) -> None:
    for position, (name, of) in enumerate(
        [
            ("density", "latent"),
            ("antipodality", "latent"),
            ("max", "latent"),
            ("r2", "pair"),
            ("fvu", "sae"),
            ("position", "class"),
            ("unexplained", "class"),
            ("conditional", "label"),
        ]
    ):
        session.add(
            Statistic(
                name=name,
                title=name.title(),
                unit="share of tokens" if name == "density" else "",
                kind="class" if of == "class" else "scalar",
                of=of,
                definition=f"What {name} means.",
                grade="POR"[position % 3],
                source="section 3",
                position=position,
            )
        )


def _analysis(session: Session, key: int, run: int, sae: int) -> None:
    densities = [density(index) for index in range(WIDTH)]
    session.add(
        Analysis(
            id=key,
            run_id=run,
            sae_id=sae,
            l0=sum(densities),
            fvu=0.2 if sae > 1 else None,
            n_dense=5,
            n_borderline=1,
            n_dead=1,
            n_pairs=1,
            dense_mass_share=0.4,
            massive_share=0.0003,
            median_norm=12.0,
            density_curve=sorted(densities, reverse=True),
            summary={"follows": medians_followed()} | ({"map": MAP} if run == 2 else {}),
        )
    )
    session.flush()
    for index in range(WIDTH):
        session.add(_latent(key, index))
    session.flush()
    session.add(_pair(key))
    for index in range(WIDTH):
        session.add_all(_profiles(key, index))
    for index in (POSITIVE, NEGATIVE, CONTROL):
        session.add_all(_examples(key, index))


def density(index: int) -> float:
    """The planted density of a latent."""
    return DENSITIES.get(index, 0.001 * (1 + index))


def _latent(key: int, index: int) -> Latent:
    value, dead = density(index), index == DEAD
    mirror = {POSITIVE: NEGATIVE, NEGATIVE: POSITIVE}.get(index)
    twin = {TWIN: ORIGINAL, ORIGINAL: TWIN}.get(index)
    score = 0.89 if mirror is not None else 0.95 if twin is not None else 0.02
    sign = 1 if twin is not None else -1
    missing = ("mean", "std", "skewness", "max", "top_tokens", "histogram")
    partner = mirror if mirror is not None else twin if twin is not None else (index + 1) % WIDTH
    return Latent(
        analysis_id=key,
        index=index,
        density=value,
        density_low=None if dead else value * 0.95,
        density_high=None if dead else value * 1.05,
        is_dense=value > 0.1,
        borderline=index == EDGE,
        detail=_detail(index),
        mean=None if dead else 2.0 + index,
        std=None if dead else 1.0,
        skewness=None if dead else 0.5,
        max=None if dead else 10.0 + index,
        mass_share=None if dead else value / 4,
        antipodality=None if dead else score,
        cos_enc=None if dead else sign * 0.95,
        cos_dec=None if dead else sign * 0.94,
        partner=None if dead else partner,
        mutual=mirror is not None or twin is not None,
        is_pair=mirror is not None,
        duplicate_of=twin,
        duplicate_score=None if dead or sign < 0 else score,
        mirror=None if dead or sign > 0 else partner,
        mirror_score=None if dead or sign > 0 else score,
        cos_bias=None if dead else 0.1,
        decoder_norm=1.0,
        **_shares(index),
        quantiles=None if dead else {"0.05": 0.5, "0.5": 2.0, "0.99": 8.0 + index},
        spark=[0] * 24 if dead else [place % 10 for place in range(24)],
        top_tokens=[] if dead else HOSTILE[:3] if index == POSITIVE else [" the", f" word{index}", "Ünter"],
        reasons={name: {"code": "silent"} for name in missing} if dead else {},
    )


FOLLOWED = {POSITIVE: (0.35, 0.3), NEGATIVE: (0.8, 0.0), CONTROL: (0.02, 0.0)}
"""Of what was divided: shares of the word and of its own past."""


def _shares(index: int) -> dict[str, float]:
    if index not in FOLLOWED:
        return {}
    word, past = FOLLOWED[index]
    return {"word_share": word, "past_share": past, "followed": word + past}


def _follows(index: int) -> dict[str, Any]:
    """Word and past; the norm says what the word says."""
    word, past = FOLLOWED[index]
    added = {"word": word, "previous": -0.004, "position": 0.0, "shape": 0.0, "norm": 0.0}
    added |= {"past": past, "context": 0.0, "document": 0.0}
    return {
        "sources": [
            {"name": name, "added": [share, share - 0.05, share + 0.05], "alone": [share, share - 0.05, share + 0.05]}
            for name, share in added.items()
        ],
        "total": [word + past, word + past - 0.05, word + past + 0.05],
        "orders": [{"sources": ["word"], "share": word}, {"sources": ["past", "context", "document"], "share": past}],
        "alike": [["word", "norm"]] if index == NEGATIVE else [],
        "half_life": 45.0,
        "tokens": 16_384,
        "documents": 91,
    }


def medians_followed() -> dict[str, Any]:
    """Of an SAE."""
    none = dict.fromkeys(("previous", "position", "shape", "norm", "context", "document"), 0.0)
    return {
        "dense": {"latents": 5, "added": {**none, "word": 0.35, "past": 0.3}, "total": 0.65, "little": 0.0},
        "control": {"latents": 32, "added": {**none, "word": 0.1, "past": 0.01}, "total": 0.12, "little": 0.6},
        "random": {"latents": 16, "added": {**none, "word": 0.4, "past": 0.05}, "total": 0.5, "little": 0.0},
    }


def _detail(index: int) -> str | None:
    return {POSITIVE: "dense", NEGATIVE: "partner", CONTROL: "control"}.get(index)


def _pair(key: int) -> Pair:
    return Pair(
        analysis_id=key,
        positive=POSITIVE,
        negative=NEGATIVE,
        is_pair=True,
        score=0.89,
        cos_enc=-0.95,
        cos_dec=-0.94,
        correlation=0.96,
        r2=0.93,
        r2_single=0.58,
        joint_1d=True,
        coverage=0.56,
        dead_zone=0.44,
        cofiring=0.001,
        cofiring_ratio=0.011,
        z_sd=2.5,
        reasons={},
        histogram={
            "edges": [-2, -1, 0, 1, 2],
            "positive": [0, 0, 40, 9],
            "negative": [7, 30, 0, 0],
            "neither": [0, 5, 6, 0],
        },
    )


def _profiles(key: int, index: int) -> list[Profile]:
    logits = [{"token": token, "id": place, "logit": 1.5 - place / 10} for place, token in enumerate(HOSTILE)]
    made: list[tuple[str, dict[str, Any], bytes | None]] = [
        ("promoted", {"items": logits}, None),
        ("suppressed", {"items": logits[::-1]}, None),
    ]
    if index != DEAD:
        means = [
            {"token": token, "id": place, "mean": 5.0 - place / 4, "count": 20, "firing": 10, "share": 0.1}
            for place, token in enumerate(HOSTILE)
        ]
        made += [
            ("histogram", {"edges": [1.0, 2.0, 4.0, 8.0]}, arrays.pack([30, 20, 5], "i8")),
            ("top_tokens", {"items": means, "support": 5, "types": 44, "error": 0.0}, None),
            ("top_tokens_mass", {"items": means[::-1], "support": 5, "types": 44, "error": 0.0}, None),
        ]
    if _detail(index):
        chance = {"skewness": [-0.1, 0.1], "kurtosis": [0.0, 0.4]}
        moments = {"skewness": 1.25, "kurtosis": 6.5, "low": -2.0, "high": 6.0, "tokens": 100, "chance": chance}
        made.append(("follows", _follows(index), None))
        if index == POSITIVE:
            made.append((follows_with(NEGATIVE), {"z": _follows(index), "axis": _follows(index)}, None))
        made += [*_detailed(index), ("logits", moments, arrays.pack([10, 80, 0, 10], "i8"))]
    return [Profile(analysis_id=key, index=index, name=name, data=data, values=values) for name, data, values in made]


def _detailed(index: int) -> list[tuple[str, dict[str, Any], bytes | None]]:
    rows = [1.0, 1.5, math.nan, 0.8, 1.2, math.nan, 1.2, 1.8, math.nan, 100.0, 90.0, 0.0]
    series = arrays.pack(rows, "f8", [4, 3])
    strip = arrays.pack(
        [float(place % 4) if index != NEGATIVE else float(place % 4 == 0) for place in range(len(STRIP))], "f4"
    )
    company = [] if index == CONTROL else _company(index)
    return [
        *company,
        ("position_context", {"edges": [1, 2, 3, 9]}, series),
        ("position_sentence", {"edges": [0, 1, 2, 9]}, series),
        ("strip", {}, strip),
    ]


def _company(index: int) -> list[tuple[str, dict[str, Any], bytes | None]]:
    """The twin fires with the positive pole, nothing with the negative one; each is apart from the other."""
    shares = {"jaccard": 0.31, "independent": 0.12}
    others = [(TWIN, 0.62), (CONTROL, 0.03)] if index == POSITIVE else [(CONTROL, 0.03)]
    apart = {"index": NEGATIVE if index == POSITIVE else POSITIVE, "correlation": -0.41, "density": 0.25, **shares}
    shown = [{"index": other, "correlation": value, "density": 0.2, **shares} for other, value in others]
    return [("together", {"items": shown, "chance": 0.05}, None), ("apart", {"items": [apart], "chance": 0.05}, None)]


def _examples(key: int, index: int) -> list[Example]:
    levels = ("2of3", "3of3", "1of3") if index == CONTROL else ("level4", "level3", "level2", "level1")
    kinds = ("top", *levels, "random", "off")
    values = [float(place) for place in range(len(HOSTILE))]
    return [
        Example(
            analysis_id=key,
            index=index,
            kind=kind,
            rank=rank,
            document="A <b>title</b>",
            labels={"year": 1851},
            context_start=120,
            focus=3,
            tokens=HOSTILE,
            activations=arrays.pack(values, "f4"),
            partner_activations=arrays.pack([1.0 if value == 0 else 0.0 for value in values], "f4"),
        )
        for kind in kinds
        for rank in range(2)
    ]
