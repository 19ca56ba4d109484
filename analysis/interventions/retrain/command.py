"""`dense-latents retrain`: one forward for all activations, then the arms, then what they say together."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from analysis.hashing import hash_of
from analysis.interventions.activations import SplitText, filled
from analysis.interventions.exported import save
from analysis.interventions.retrain.arms import ArmPlan, plan_arms
from analysis.interventions.retrain.config import RetrainConfig
from analysis.interventions.retrain.exchange import export_experiment
from analysis.interventions.retrain.job import Job, prepare, run_jobs
from analysis.interventions.retrain.result import Results, differences, results_of, table
from analysis.interventions.retrain.source import Source, open_sources
from analysis.interventions.retrain.write import replace_experiment
from analysis.interventions.subject import Subject
from analysis.process.cache import cache_folder
from analysis.process.checkpoint import held
from analysis.process.progress import wide
from analysis.reading.sae import slug_part
from analysis.training.activations import ActivationCache
from analysis.training.spread import spread_of
from migrations.runner import upgrade
from store.session import make_engine, without_password


class Setting(NamedTuple):
    """What all experiments of one command share."""

    config: RetrainConfig
    subject: Subject
    context: int


def retrain(config: RetrainConfig, console: Console) -> list[int]:
    """Train, measure, compare and store.

    Returns:
        ids of the experiments in the store, one for each SAE.

    Raises:
        UserError: bad input, another such command at work, a store that cannot be written.
        KeyboardInterrupt: stopped by the user; the same command goes on.
    """
    started = time.monotonic()
    subject, sources = open_sources(config)
    upgrade(config.db)  # before hours of training, not after
    setting = Setting(config, subject, config.context or subject.stored.context)
    base = config.out or cache_folder() / "retrain"
    words = f"{base}: process {{}} is already retraining there; wait for it, stop it, or use another --out"
    with held(base, words):
        training = _filled(setting, sources, config.tokens, console, only_held_out=False)
        testing = _filled(setting, sources, config.eval_tokens, console, only_held_out=True)
        plans = [_plans(config, source, cache, console) for source, cache in zip(sources, training, strict=True)]
        jobs = [
            [_job(setting, source, plan, base, *caches) for plan in arms]
            for source, arms, *caches in zip(sources, plans, training, testing, strict=True)
        ]
        reports = run_jobs([job for arms in jobs for job in arms], config, console)
    ids = []
    for source, arms in zip(sources, jobs, strict=True):
        mine, reports = reports[: len(arms)], reports[len(arms) :]
        results = results_of(config, source, arms, mine)
        results.summary.update(wall_seconds=round(time.monotonic() - started, 1), jobs=config.jobs)
        ids.append(_stored(setting, source, results, console))
        _export(config.db, ids[-1], config.json, source if len(sources) > 1 else None)
    return ids


def _filled(
    setting: Setting, sources: list[Source], tokens: int, console: Console, *, only_held_out: bool
) -> list[ActivationCache]:
    """The activations of every SAE's hook point."""
    text = SplitText(setting.subject, setting.context, setting.config.held_out)
    hooks = [source.stored.hook_point for source in sources]
    caches = filled(text, hooks, tokens, console, only_held_out=only_held_out)
    return [caches[hook] for hook in hooks]


def _plans(config: RetrainConfig, source: Source, cache: ActivationCache, console: Console) -> list[ArmPlan]:
    spread = spread_of(cache.rows(source.stored.hook_point))
    plans = plan_arms(config, source, spread)
    for plan in plans:
        if plan.short:
            console.print(
                f"{source.stored.slug}: all {len(plan.latents):,} sparse latents together hold {plan.variance:.1%} of"
                " the variance, less than the dense span: the equal-variance control cannot be reached"
            )
    return plans


def _job(
    setting: Setting, source: Source, plan: ArmPlan, base: Path, training: ActivationCache, testing: ActivationCache
) -> Job:
    """The arm's folder is named after all that fixes its weights, so that experiments share what they can."""
    config, stored = setting.config, source.stored
    removes = plan.removal.basis.shape[1] > 0
    what = [plan.name, stored.sha256, plan.latents, plan.removal.basis.shape[1], config.energy, config.mean]
    dtype = setting.subject.model.dtype_name
    key = hash_of([plan.recipe.stated(), dtype, training.folder.name, what if removes else plan.name], sort_keys=True)
    folder = base / f"{slug_part(source.sae)}-{plan.name}-seed{plan.seed}-{key[:10]}"
    prepare(plan.removal, folder)
    return Job(
        name=plan.name,
        recipe=plan.recipe,
        about={
            "arm": plan.name,
            "removed_latents": plan.latents,
            "removed_dimensions": plan.removal.basis.shape[1],
            "removed_variance": plan.variance,
            "short": plan.short,
        },
        hook=stored.hook_point,
        folder=folder,
        training=training,
        testing=testing,
        threshold=stored.dense_threshold,
        metadata=_metadata(setting, source, plan),
        measured_with=hash_of([dtype, testing.folder.name, stored.dense_threshold]),
        device=str(setting.subject.model.device),
        threads=max(1, (os.cpu_count() or 1) // config.jobs),
    )


def _metadata(setting: Setting, source: Source, plan: ArmPlan) -> dict[str, Any]:
    model, corpus = setting.subject.model, setting.subject.corpus
    found = {
        "model_name": model.name,
        "hook_name": source.stored.hook_point,
        "context_size": setting.context,
        "prepend_bos": model.bos_id is not None,
        "dataset_path": corpus.name,
        "model_fingerprint": model.fingerprint,
        "corpus_sha256": corpus.sha256,
        "seed": plan.seed,
        "retrain_arm": plan.name,
    }
    return found | ({"model_from_pretrained_kwargs": {"center_writing_weights": True}} if model.centred else {})


def _stored(setting: Setting, source: Source, results: Results, console: Console) -> int:
    config = setting.config
    found = replace_experiment(config, source, setting.context, setting.subject, results)
    wide(console).print(table(source.stored.slug, results.summary))
    for line in differences(results.summary):
        console.print(line)
    for line in results.lines():
        console.print(line)
    console.print(f"experiment {found} stored in {without_password(config.db)}; SAEs in {results.folder}")
    return found


def _export(db: str, experiment: int, path: Path | None, source: Source | None) -> None:
    if path is None:
        return
    if source is not None:
        name, dot, end = path.name.partition(".")
        path = path.with_name(f"{name}-{slug_part(source.sae)}{dot}{end}")
    path.parent.mkdir(parents=True, exist_ok=True)
    found = export_experiment(make_engine(db, read_only=True), experiment)
    save(path, found)
