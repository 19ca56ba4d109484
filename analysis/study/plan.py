"""Which steps a study has, what each depends on, and which are done: by what the store holds and by what was written
down, each step with a hash of all that fixes what comes of it. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from sqlalchemy.orm import Session

from analysis import __version__
from analysis.hashing import hash_of
from analysis.study import stored
from analysis.study.config import ABLATE, ANALYSE, REPORT, RETRAIN, TRAIN, VERDICTS, StudyConfig, matrix_path
from analysis.study.inputs import content
from analysis.study.sections import Values
from analysis.study.state import Entry, State

_NOT_NUMBERS = {"device", "checkpoint_seconds", "memory", "jobs", "out"}
"""Settings that change no number."""
_TRAINED = "training_report.json"
DEPENDS: dict[str, tuple[str, ...]] = {
    TRAIN: (),
    ANALYSE: (TRAIN,),
    ABLATE: (ANALYSE,),
    RETRAIN: (ANALYSE,),
    VERDICTS: (ANALYSE, ABLATE, RETRAIN),
    REPORT: (ANALYSE, ABLATE, RETRAIN, VERDICTS),
}


class Step(NamedTuple):
    """One of a study's."""

    name: str
    key: str
    """Hash of its inputs and settings, and of the steps before it."""


class Plan(NamedTuple):
    """All steps, in order."""

    steps: list[Step]
    measured: str
    """Hash of what is measured: two studies that share it have the same numbers."""
    key: str
    """Of the whole study, with what needs attention."""
    inputs: dict[str, str]
    """What was read -> hash of its content."""

    def of(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)


@dataclass(frozen=True)
class Study:
    """What all steps share."""

    config: StudyConfig
    plan: Plan
    state: State
    console: Console


def make_plan(config: StudyConfig) -> Plan:
    """Hash all inputs, and name the steps.

    Raises:
        UserError: an input that is not there.
    """
    inputs = _inputs(config)
    keys: dict[str, str] = {}

    def add(name: str, *parts: Any) -> None:
        keys[name] = hash_of([name, __version__, *[keys.get(one, "") for one in DEPENDS[name]], *parts], sort_keys=True)

    if config.train is not None:
        read = {} if config.keep else {"corpus": content(config.train["corpus"], f"{config.path}: [train] corpus")}
        add(TRAIN, _settings(config.train), read)
    add(ANALYSE, config.kind, config.name, config.keep, _settings(config.subject), _nameless(inputs))
    if config.ablate is not None:
        add(ABLATE, _settings(config.ablate))
    if config.retrain is not None:
        add(RETRAIN, _settings(config.retrain))
    measured = hash_of(keys, sort_keys=True)
    if config.texts:
        add(VERDICTS)
    add(REPORT, vars(config.attention))
    return Plan([Step(*pair) for pair in keys.items()], measured, keys[REPORT], inputs)


def _inputs(config: StudyConfig) -> dict[str, str]:
    """Place in the file -> hash of what is read there."""
    found = {}
    for name in ("model", "corpus", "table", "head"):
        if config.subject.get(name):
            found[name] = content(config.subject[name], f"{config.path}: [{config.kind}] {name}")
    for name, key in (("activations", "matrix"), ("saes", "sae")):
        for number, source in enumerate(config.subject.get(name, []), 1):
            path = matrix_path(source) if name == "activations" else source
            found[f"{key} {number}"] = content(str(path), f"{config.path}: [{config.kind}] {key}")
    return found


def _nameless(inputs: Mapping[str, str]) -> list[list[str]]:
    return [[name, value] for name, value in inputs.items()]


def _settings(values: Values) -> Values:
    """What fixes the numbers and is no place: those are in the inputs by their content."""
    places = {"model", "corpus", "table", "head", "activations", "saes"}
    return {name: value for name, value in values.items() if name not in _NOT_NUMBERS | places}


def runs_of(state: State) -> list[int]:
    """Of the analysis that was written down last."""
    return list(state.steps.get(ANALYSE, {}).get("runs", []))


def is_done(step: Step, config: StudyConfig, state: State, session: Session | None) -> bool:
    """Whether what the step would give is there."""
    entry = state.steps.get(step.name)
    if step.name == ABLATE:
        return _ablated(config, state, session)
    if entry is None or entry["key"] != step.key:
        return False
    if step.name == TRAIN:
        return all((Path(folder) / _TRAINED).exists() for folder in entry["saes"])
    if step.name == ANALYSE:
        return stored.complete(session, entry)
    return entry["runs"] == runs_of(state) and _there(step, config, entry, session)


def _there(step: Step, config: StudyConfig, entry: Entry, session: Session | None) -> bool:
    if step.name == RETRAIN:
        return stored.experiments(session, entry["experiments"])
    if step.name == VERDICTS:
        return stored.judged(session, entry["runs"])
    return config.report_path.exists()


def _ablated(config: StudyConfig, state: State, session: Session | None) -> bool:
    """By the store alone, which says what an ablation was made with: also of one that was stored when the process
    ended."""
    if session is None or not stored.complete(session, state.steps.get(ANALYSE, {})):
        return False
    return all(
        not one.dense or stored.ablated(session, one.id, config.ablate_config(one.slug, one.run)) is not None
        for one in stored.analyses(session, runs_of(state))
    )


def undone(plan: Plan, config: StudyConfig, state: State, session: Session | None) -> list[Step]:
    """Steps that are to do: those that are not done, and what depends on them."""
    found: dict[str, Step] = {}
    for step in plan.steps:
        if any(name in found for name in DEPENDS[step.name]) or not is_done(step, config, state, session):
            found[step.name] = step
    return list(found.values())


def unchanged(plan: Plan, state: State, session: Session | None) -> bool:
    """Whether this is the last finished study, and the store still has it."""
    return state.last is not None and state.last["key"] == plan.key and stored.complete(session, state.last)
