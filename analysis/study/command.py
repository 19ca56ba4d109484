"""`dense-latents study`: all steps in order, each where it was left, with one view of how far it is."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.process.progress import wide
from analysis.study import stored
from analysis.study.config import StudyConfig, read_study
from analysis.study.plan import Plan, Study, make_plan, unchanged, undone
from analysis.study.state import State, alone, load_state
from analysis.study.words import many, seconds

FINE, ATTENTION = 0, 3
"""Exit statuses. Bad input is 2, as everywhere."""


def study(path: Path, console: Console, *, plan: bool = False, if_changed: bool = False) -> int:
    """Do what is not done, compare with the last study, and report.

    Args:
        plan: only say what would be done.
        if_changed: do nothing where this is the last finished study.

    Returns:
        FINE, or ATTENTION where something changed that needs it.

    Raises:
        UserError: bad input, another process at the same study.
        KeyboardInterrupt: stopped by the user; the same command goes on.
    """
    config = read_study(path)
    made = make_plan(config)
    state = load_state(config.state_path, config.name)
    if if_changed and _nothing_new(made, config, state, console):
        return FINE
    if plan:
        _say_plan(Study(config, made, state, console))
        return FINE
    with alone(config.state_path):
        return _go(Study(config, made, load_state(config.state_path, config.name), console))


def _nothing_new(plan: Plan, config: StudyConfig, state: State, console: Console) -> bool:
    with stored.reading(config.db) as session:
        if not unchanged(plan, state, session) or state.last is None:
            return False
    count = len(state.last["attention"])
    needing = f"; {many(count, 'change')} needed attention then, see {config.report_path.name}" if count else ""
    console.print(
        f"{config.name}: inputs and settings are those of the study finished on"
        f" {state.last['finished'].replace('T', ' at ')} UTC; nothing to do{needing}",
        markup=False,
    )
    return True


def _go(study: Study) -> int:
    from analysis.study.steps import do

    begun, rows, steps = time.monotonic(), Table(title=study.config.name), study.plan.steps
    for head in ("step", "what came of it", "time", ""):
        rows.add_column(head, justify="right" if head == "time" else "left")
    with stored.reading(study.config.db) as session:
        waiting = {step.name for step in undone(study.plan, study.config, study.state, session)}
    for name, why in study.config.left_out.items():
        study.console.print(f"left out: {name}: {why}")
    for number, step in enumerate(steps, 1):
        place = f"step {number} of {len(steps)}: {step.name}"
        if step.name not in waiting:
            what = study.state.steps.get(step.name, {}).get("what", "in the store")
            study.console.print(f"{place}: done before ({what})", markup=False)
            rows.add_row(step.name, escape(what), "", "skipped")
            continue
        study.console.print(f"{place} … ({seconds(time.monotonic() - begun)} so far)")
        started = time.monotonic()
        try:
            entry = do(step, study)
        except KeyboardInterrupt:
            study.console.print(
                f"stopped in step {number} of {len(steps)}: {step.name}; the same command goes on there"
            )
            raise
        spent = time.monotonic() - started
        study.state.did(step.name, entry | {"seconds": round(spent, 1)})
        study.console.print(f"{place}: {entry['what']}; {seconds(spent)}", markup=False)
        rows.add_row(step.name, escape(entry["what"]), seconds(spent), "done")
    return _conclude(study, rows, time.monotonic() - begun)


def _conclude(study: Study, rows: Table, spent: float) -> int:
    console, last = study.console, study.state.last
    assert last is not None
    wide(console).print(rows)
    if last["compared_with"] is None:
        console.print("nothing to compare with: the first study of this name")
    for one in last["told"]:
        console.print(one, markup=False)
    console.print(f"report: {study.config.report_path}; {seconds(spent)} in all")
    if last["attention"]:
        console.print(f"needs attention: {many(len(last['attention']), 'change')}")
        return ATTENTION
    return FINE


def _say_plan(study: Study) -> None:
    from analysis.study.cost import cost_of

    with stored.reading(study.config.db) as session:
        waiting = {step.name for step in undone(study.plan, study.config, study.state, session)}
    for number, step in enumerate(study.plan.steps, 1):
        what = study.state.steps.get(step.name, {}).get("what", "in the store")
        told = cost_of(step.name, study.config) if step.name in waiting else f"done before ({what})"
        study.console.print(f"step {number} of {len(study.plan.steps)}: {step.name}: {told}")
    for name, why in study.config.left_out.items():
        study.console.print(f"left out: {name}: {why}")
    study.console.print(f"{many(len(waiting), 'step')} to do; nothing was done")
