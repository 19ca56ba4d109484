"""How each step is done: a call of the command's own function, which goes on where it was. torch comes with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, select

from analysis.process.plain_errors import plain_words
from analysis.study import stored
from analysis.study.config import ABLATE, ANALYSE, REPORT, RETRAIN, TRAIN, VERDICTS
from analysis.study.finish import write_report
from analysis.study.plan import Step, Study, runs_of
from analysis.study.state import Entry
from analysis.study.words import listed, many
from store.alive import this_process
from store.session import make_engine
from store.tables import Analysis, Label
from store.writing import Writer

_PATIENCE_MS = 120_000


def do(step: Step, study: Study) -> Entry:
    """Do a step; what it says of itself, besides its time.

    Raises:
        UserError: as the commands do.
    """
    made: dict[str, Callable[[Study], Entry]] = {
        TRAIN: _train,
        ANALYSE: _analyse,
        ABLATE: _ablate,
        RETRAIN: _retrain,
        VERDICTS: _judge,
        REPORT: write_report,
    }
    return {"key": step.key, **made[step.name](study)}


def _train(study: Study) -> Entry:
    """SAEs of these settings in a folder of their own, since `train-sae` takes what lies in its folder for done."""
    from analysis.training.command import train_saes

    config = study.config
    base = (config.train or {}).get("out") or config.folder / f"{config.name}.saes"
    folders = train_saes(config.train_config(Path(base) / study.plan.of(TRAIN).key[:12]), study.console)
    return {"saes": [str(folder) for folder in folders], "what": f"{many(len(folders), 'SAE')} in {base}"}


def _analyse(study: Study) -> Entry:
    runs = _analyse_texts(study) if study.config.texts else _analyse_rows(study)
    with stored.reading(study.config.db) as session:
        assert session is not None
        found = stored.analyses(session, runs)
        labels = session.scalar(select(func.count(Label.id)).where(Label.run_id == runs[-1], Label.reason.is_(None)))
        keys = stored.keys_of(session, runs)
        units = session.scalar(select(func.sum(Analysis.n_dense)).where(Analysis.run_id.in_(runs))) or 0
    noun = "latent" if study.config.texts else "unit"
    what = f"run {listed(map(str, runs))}: {many(len(found), 'SAE' if study.config.texts else 'matrix')}"
    return {
        "runs": runs,
        "keys": keys,
        "what": f"{what}, {many(units, f'dense {noun}')}, {many(labels or 0, 'label')} measured",
    }


def _analyse_texts(study: Study) -> list[int]:
    """A run; several, where SAEs do not fit into memory together."""
    from analysis.process.loading import loading

    with loading():
        from analysis.run.analyze import analyze
        from analysis.run.budget import groups
    saes = study.state.steps[TRAIN]["saes"] if study.config.train is not None else study.config.subject["saes"]
    config = study.config.analyze_config(saes)
    parts = [config] if config.memory is None else groups(config, study.console)
    return list(dict.fromkeys(analyze(replace(part, memory=None), study.console) for part in parts))


def _analyse_rows(study: Study) -> list[int]:
    from analysis.process.loading import loading

    with loading():
        from analysis.field.command import analyze
    return [analyze(study.config.field_config(_kept(study)), study.console)]


def _kept(study: Study) -> list[str]:
    """The SAEs that the last finished study trained with the same settings, where they still are: latents of others
    could not be compared."""
    config, last = study.config, study.state.last
    asked = config.subject.get("train")
    if not (asked and config.keep and last and last.get("train") == config.trained_with):
        return []
    with stored.reading(config.db) as session:
        found = stored.sources(session, last["runs"])
    return found if all(Path(one).exists() for one in found) else []


def _ablate(study: Study) -> Entry:
    from analysis.interventions.ablate.command import ablate

    config, done, without = study.config, [], []
    for one in _analyses(study):
        wanted = config.ablate_config(one.slug, one.run)
        if not one.dense:
            without.append(one.slug)
            continue
        with stored.reading(config.db) as session:
            known = session and stored.ablated(session, one.id, wanted)
        done.append(known or ablate(wanted, study.console))
    what = f"{many(len(done), 'SAE')} ablated"
    return {
        "interventions": done,
        "runs": runs_of(study.state),
        "what": what + (f"; no dense latent in {listed(without)}" if without else ""),
    }


def _retrain(study: Study) -> Entry:
    from analysis.interventions.retrain.command import retrain

    ids: list[int] = []
    for run in runs_of(study.state):
        saes = [one.slug for one in _analyses(study) if one.run == run and one.dense]
        if saes:
            ids += retrain(study.config.retrain_config(saes, run), study.console)
    what = f"experiment{'s' * (len(ids) != 1)} {listed(map(str, ids))}" if ids else "no SAE has a dense latent"
    return {"experiments": ids, "runs": runs_of(study.state), "what": what}


def _judge(study: Study) -> Entry:
    """The rule once more over all that is measured by now."""
    from analysis.verdict import judge_analysis

    db, counts = study.config.db, Counter[str]()
    with plain_words(db, "repeat the command"), this_process() as process:
        writer = Writer(make_engine(db, wait_ms=_PATIENCE_MS), process)
        for one in _analyses(study):
            counts.update(writer.transaction(lambda session, own=one.id: judge_analysis(session, own)))  # type: ignore[misc]
    what = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items())) or "no latent to judge"
    return {"runs": runs_of(study.state), "verdicts": dict(counts), "what": what}


def _analyses(study: Study) -> list[stored.Analysed]:
    with stored.reading(study.config.db) as session:
        assert session is not None
        return stored.analyses(session, runs_of(study.state))
