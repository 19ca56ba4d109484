"""Suites as people choose them: a name for the address, and words that tell one from the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from app.runs.info import RunInfo, suite_of
from app.shared.numbers import count, percent
from app.shared.record import Hidden, Moment, Record


class SuiteInfo(Record):
    """Every SAE that was analysed for one model on one corpus with the same settings, in whichever run."""

    name: str
    """Pins the suite: ?suite="""
    key: str
    """Hash of model, corpus and settings: what its runs share"""
    words: str
    """What tells it from the others"""
    runs: list[int]
    """Newest first, those too of which each SAE was analysed again"""
    model: str
    corpus: str
    tokens: int
    n_saes: int
    n_dense: int
    finished: Moment
    """Of its newest run"""
    shown: RunInfo = Hidden


def suites_of(runs: Sequence[RunInfo]) -> list[SuiteInfo]:
    """By suite, in the order of the newest run of each.

    Args:
        runs: newest first.
    """
    held: dict[str, list[RunInfo]] = {}
    for run in runs:
        held.setdefault(run.suite, []).append(run)
    names, words = _names(held), _words([own[0] for own in held.values()])
    return [_info(suite_of(own), own, names[key], words[key]) for key, own in held.items()]


def _info(shown: RunInfo, runs: list[RunInfo], name: str, words: str) -> SuiteInfo:
    own = {field: getattr(shown, field) for field in ("model", "corpus", "tokens", "n_saes", "n_dense", "finished")}
    return SuiteInfo(name=name, key=shown.suite, words=words, runs=[run.id for run in runs], shown=shown, **own)


def _names(held: dict[str, list[RunInfo]]) -> dict[str, str]:
    """By suite. Of those that would have the same name the oldest has it alone, so that its links stay."""
    made: dict[str, str] = {}
    for key in sorted(held, key=lambda one: min(run.id for run in held[one])):
        run = held[key][0]
        parts = (run.model.rsplit("/", 1)[-1], run.corpus, _short(run.tokens))
        name = "-".join(filter(None, (re.sub(r"[^a-z0-9.]+", "-", part.lower()).strip("-.")[:40] for part in parts)))
        made[key] = name if name not in made.values() else f"{name}-{key[:6]}"
    return made


def _short(tokens: int) -> str:
    for unit, letter in ((1_000_000, "m"), (1_000, "k")):
        if tokens >= unit and tokens % unit == 0:
            return f"{tokens // unit}{letter}"
    return str(tokens)


def _words(newest: Sequence[RunInfo]) -> dict[str, str]:
    """By suite: model, corpus and tokens, and of the settings those that differ."""
    told = {run.suite: _settings(run) for run in newest}
    alike = [len({own[place] for own in told.values()}) == 1 for place in range(_TOLD)]
    made = {}
    for run in newest:
        own = [words for words, same in zip(told[run.suite], alike, strict=True) if words and not same]
        made[run.suite] = " · ".join([run.model_name, run.corpus, f"{count(run.tokens)} tokens", *own])
    often = Counter(made.values())
    return {key: f"{words} · settings {key[:6]}" if often[words] > 1 else words for key, words in made.items()}


def _settings(run: RunInfo) -> tuple[str, ...]:
    release = ".".join(str(run.versions.get("dense-latents", "")).split(".")[:2])
    return (
        f"contexts of {run.context}",
        f"dense above {percent(run.dense_threshold)}",
        f"seed {run.seed}",
        "" if run.dtype is None else run.dtype,
        "" if run.classes is not False else "without classes",
        f"version {release}" if release else "",
    )


_TOLD = 6
"""Settings that words are made of."""
