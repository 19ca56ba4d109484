"""`dense-latents compare-designs`: activations once, the SAEs of all designs, and what each gains and loses."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console

from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.interventions.activations import SplitText, filled
from analysis.interventions.designs.config import DesignsConfig
from analysis.interventions.designs.exchange import export_comparison
from analysis.interventions.designs.following import followable, follows
from analysis.interventions.designs.loss import Losses, Meter, loss_numbers
from analysis.interventions.designs.plans import DesignPlan, plan_designs
from analysis.interventions.designs.result import Trained, compared, table
from analysis.interventions.designs.write import replace_comparison
from analysis.interventions.exported import save
from analysis.interventions.retrain.job import Job, prepare, run_jobs
from analysis.interventions.retrain.source import ASKED, recipe_of, refuse_transcoder
from analysis.interventions.retrain.spans import Removal
from analysis.interventions.subject import Subject, look_up, open_subject
from analysis.process.cache import cache_folder
from analysis.process.checkpoint import held
from analysis.process.progress import progress_bar, wide
from analysis.reading.sae import load_sae, slug_part
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.spread import spread_of
from migrations.runner import upgrade
from store.session import make_engine, session_factory, without_password
from store.tables import Sae

_LOSS = "loss.json"


class Caches(NamedTuple):
    """Activations that are trained on, and those of the documents that are held out."""

    training: ActivationCache
    testing: ActivationCache


def compare_designs(config: DesignsConfig, console: Console) -> int:
    """Train, measure, compare and store.

    Returns:
        the comparison's id in the store.

    Raises:
        UserError: bad input, another such command at work, a store that cannot be written.
        KeyboardInterrupt: stopped by the user; the same command goes on.
    """
    refuse_transcoder(look_up(config.db, config.sae, config.run))
    subject = open_subject(
        config.db, config.sae, run=config.run, model=config.model, weights=config.weights,
        corpus=config.corpus, dtype=config.dtype, device=config.device,
    )  # fmt: skip
    if max(config.ranks) >= subject.sae.d_in:
        raise UserError(
            f"--rank {max(config.ranks)}: expected less than the {subject.sae.d_in} numbers of an activation"
        )
    upgrade(config.db)  # before hours of training, not after
    plans, left_out = plan_designs(config, _recipe(config, subject), subject.stored.dense_threshold)
    for name in left_out:
        console.print(f"{name} is left out: k less the rank is nothing")
    text = SplitText(subject, config.context or subject.stored.context, config.held_out)
    base = config.out or cache_folder() / "designs"
    with held(base, f"{base}: process {{}} is already training there; wait for it, stop it, or use another --out"):
        hook = subject.stored.hook_point
        caches = Caches(
            filled(text, [hook], config.tokens, console, only_held_out=False)[hook],
            filled(text, [hook], config.eval_tokens, console, only_held_out=True)[hook],
        )
        jobs = [_job(config, text, plan, base, caches) for plan in plans]
        reports = run_jobs(jobs, config, console)
        losses = _losses(config, text, jobs, base, console)
        followed = _followed(text, caches, jobs, reports, console)
        components = spread_of(caches.training.rows(hook)).components(max(config.ranks))
        trained = [
            Trained(plan, report | loss | {"follows": found}, job.folder)
            for plan, report, loss, found, job in zip(plans, reports, losses, followed, jobs, strict=True)
        ]
        found = compared(trained, components, config.energy)
    number = replace_comparison(config, text, found)
    if config.json is not None:
        config.json.parent.mkdir(parents=True, exist_ok=True)
        save(config.json, export_comparison(make_engine(config.db, read_only=True), number))
    wide(console).print(table(subject.stored.slug, found))
    console.print(f"comparison {number} stored in {without_password(config.db)}; SAEs in {base}")
    return number


def _recipe(config: DesignsConfig, subject: Subject) -> Recipe:
    with session_factory(make_engine(config.db, read_only=True))() as session:
        row = session.get_one(Sae, subject.stored.sae_id)
    return recipe_of(row, config.train_tokens, {name: getattr(config, name) for name in ASKED})


def _job(config: DesignsConfig, text: SplitText, plan: DesignPlan, base: Path, caches: Caches) -> Job:
    """The SAE's folder is named after all that fixes its weights, so that comparisons share what they can."""
    subject = text.subject
    stored, dtype = subject.stored, subject.model.dtype_name
    key = hash_of([plan.recipe.stated(), dtype, caches.training.folder.name], sort_keys=True)
    folder = base / f"{slug_part(subject.sae)}-{plan.name}-seed{plan.seed}-{key[:10]}"
    d = caches.training.d_model
    prepare(Removal(torch.zeros(d, 0), torch.zeros(d)), folder)
    return Job(
        name=plan.name,
        recipe=plan.recipe,
        about={"design": plan.name, "kind": plan.kind, "rank": plan.rank, "counted": plan.counted},
        hook=stored.hook_point,
        folder=folder,
        training=caches.training,
        testing=caches.testing,
        threshold=stored.dense_threshold,
        metadata=_metadata(text, plan),
        measured_with=hash_of([dtype, caches.testing.folder.name, stored.dense_threshold]),
        device=str(subject.model.device),
        threads=max(1, (os.cpu_count() or 1) // config.jobs),
    )


def _metadata(text: SplitText, plan: DesignPlan) -> dict[str, Any]:
    model, corpus = text.subject.model, text.subject.corpus
    found = {
        "model_name": model.name,
        "hook_name": text.subject.stored.hook_point,
        "context_size": text.context,
        "prepend_bos": model.bos_id is not None,
        "dataset_path": corpus.name,
        "model_fingerprint": model.fingerprint,
        "corpus_sha256": corpus.sha256,
        "seed": plan.seed,
        "design": plan.name,
    }
    return found | ({"model_from_pretrained_kwargs": {"center_writing_weights": True}} if model.centred else {})


def _losses(
    config: DesignsConfig, text: SplitText, jobs: list[Job], base: Path, console: Console
) -> list[dict[str, float | None]]:
    """Of every SAE, in the process that has the model; what is measured is kept beside the SAE."""
    if not config.loss_tokens:
        return [{} for _job in jobs]
    model, hook = text.subject.model, text.subject.stored.hook_point
    stream = text.stream(config.loss_tokens, only_held_out=True)
    with_what = hash_of([
        model.fingerprint, model.dtype_name, hook, text.subject.corpus.sha256, stream.context, stream.seed,
        config.held_out, config.loss_tokens,
    ])  # fmt: skip
    meter, device = Meter(text, hook, config.loss_tokens, with_what), str(model.device)
    found: list[Losses] = []
    with progress_bar(console, "loss", (len(jobs) + 1) * config.loss_tokens, "tokens") as progress:
        whole = meter.of_model(base / f"loss-{with_what[:10]}.json", progress)
        for job in jobs:
            load = partial(load_sae, str(job.folder), device=device)
            found.append(meter.of_sae(job.folder / _LOSS, load, progress))
    return [loss_numbers(whole, each) for each in found]


def _followed(
    text: SplitText, caches: Caches, jobs: list[Job], reports: list[dict[str, Any]], console: Console
) -> list[dict[str, Any]]:
    """Of every SAE; nothing where too few documents are held out."""
    hook, device = text.subject.stored.hook_point, str(text.subject.model.device)
    given = followable(text, caches.testing.rows(hook))
    if given is None:
        console.print("what the latents follow is not compared: too few documents are held out")
        return [{} for _job in jobs]
    found = []
    with progress_bar(console, "what they follow", len(jobs), "SAEs") as progress:
        for job, report in zip(jobs, reports, strict=True):
            found.append(follows(given, load_sae(str(job.folder), device=device), report["dense"]))
            progress(1)
    return found
