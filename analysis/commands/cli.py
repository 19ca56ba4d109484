"""The worker's commands: argv -> config -> one call. torch is imported only once a command runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from analysis import __version__
from analysis.cluster.session import HERE
from analysis.commands.analyze import AnalyzeOptions
from analysis.commands.options import Given, command
from analysis.config import AnalyzeConfig, BenchConfig, CalibrateConfig
from analysis.field.config import FieldConfig
from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.designs.config import DesignsConfig
from analysis.interventions.prune.config import PruneConfig
from analysis.interventions.retrain.config import RetrainConfig
from analysis.interventions.steer.config import SteerConfig
from analysis.process.loading import loading
from analysis.training.config import TrainConfig

console = Console(highlight=False, soft_wrap=True)


def analyze(options: AnalyzeOptions) -> None:
    """Read text through a model and its SAEs once, or rows of activations of your own, and store what every latent or
    unit does."""
    config = options.chosen
    if isinstance(config, FieldConfig):
        analyze_field(config)
    else:
        analyze_texts(config)


def analyze_texts(config: AnalyzeConfig) -> None:
    """Through a model and its SAEs."""
    with loading():
        from analysis.run.analyze import analyze as run

    run(config, console)


def analyze_field(config: FieldConfig) -> None:
    """Rows of activations, without a model."""
    with loading():
        from analysis.field.command import analyze as run

    run(config, console)


def ablate(config: AblateConfig) -> None:
    """Hold each dense latent, each pair and all of them at their mean, and measure what the model says then."""
    from analysis.interventions.ablate.command import ablate as run

    run(config, console)


def retrain(config: RetrainConfig) -> None:
    """Train SAEs without the dense latents' subspace, and with fair controls: do dense latents come back?"""
    from analysis.interventions.retrain.command import retrain as run

    run(config, console)


def compare_designs(config: DesignsConfig) -> None:
    """Train designs of SAEs for what is dense and sparse together at equal L0: what does each gain and lose?"""
    from analysis.interventions.designs.command import compare_designs as run

    run(config, console)


def steer(config: SteerConfig) -> None:
    """Push the model along a signal: does it then find the text of that side the likelier one?"""
    from analysis.interventions.steer.command import steer as run

    run(config, console)


def prune(config: PruneConfig) -> None:
    """Write the SAE without some latents, in sae-lens' format, and say what that costs on held-out text."""
    from analysis.interventions.prune.command import prune as run

    run(config, console)


def train_sae(config: TrainConfig) -> None:
    """Train SAEs with sae-lens on a model's activations; stopped, it goes on where it was."""
    from analysis.training.command import train_saes as run

    run(config, console)


def inspect(
    sae: Annotated[str, typer.Argument(help="A folder, release:sae_id of sae-lens' registry, or repository:folder.")],
    model: Annotated[
        str | None, typer.Option(help="Does it fit this one? A folder, a .gguf file, a hub id or demo.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what an SAE is, what it reads, whether it fits a model and what it costs, before anything is loaded."""
    from analysis.run.inspect import inspect as run

    if not run(sae, model, json, console):
        raise typer.Exit(1)


def study(
    config: Annotated[Path, typer.Argument(help="The study's file (TOML).", show_default=False)],
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would do and cost, and do nothing.")] = False,
    if_changed: Annotated[
        bool,
        typer.Option("--if-changed", help="Do nothing where inputs and settings are those of the last finished study."),
    ] = False,
) -> None:
    """Train, analyse, ablate, retrain, judge and report as one file says; stopped, it goes on where it was, and what is
    done is skipped. It says what has changed since the last study of the same name.

    Exit status: 0 fine; 2 bad input; 3 a change needs attention (a label lost, a density that drifted); 130 stopped.
    """
    from analysis.study.command import study as run

    if status := run(config, console, plan=plan, if_changed=if_changed):
        raise typer.Exit(status)


def bench(config: BenchConfig) -> None:
    """What the analysis costs over the bare loop (forward to the last analysed layer, plus encode)."""
    from analysis.run.bench import bench as run

    run(config, console)


def calibrate(config: CalibrateConfig) -> None:
    """How often each class is given to random directions and sparse latents, where it should not be."""
    from analysis.calibration.calibrate import calibrate as run

    run(config, console)


def with_demo_parts(given: Given) -> Given:
    """The shipped texts where `demo` is asked for, and the shipped SAEs where none is given."""
    from analysis.reading.demo_parts import demo_corpus, demo_saes

    corpus = str(demo_corpus()) if given["corpus"] == "demo" else given["corpus"]
    named = "hooks" in given or given.get("saes")
    return given | {"corpus": corpus} | ({} if named else {"saes": [str(folder) for folder in demo_saes()]})


def with_demo_corpus(given: Given) -> Given:
    """The shipped texts where `demo` is asked for; SAEs are always named."""
    named = given.get("saes") and not given.get("activations")
    return with_demo_parts(given) if named else given


def with_addresses(arguments: list[str]) -> list[str]:
    """The command line, with an address after each `--ray` that has none: typer has no option whose value may lack."""
    following = [*arguments, "-"][1:]
    found = []
    for argument, after in zip(arguments, following, strict=True):
        found += [argument, HERE] if argument == "--ray" and after.startswith("-") else [argument]
    return found


COMMANDS: dict[str, Callable[..., None]] = {
    "analyze": command(AnalyzeOptions, analyze, adapt=with_demo_corpus),
    "ablate": command(AblateConfig, ablate, each="sae"),
    "retrain": command(RetrainConfig, retrain),
    "compare-designs": command(DesignsConfig, compare_designs),
    "steer": command(SteerConfig, steer, each="sae"),
    "prune": command(PruneConfig, prune),
    "train-sae": command(TrainConfig, train_sae, adapt=with_demo_parts),
    "inspect": inspect,
    "study": study,
    "bench": command(BenchConfig, bench, adapt=with_demo_parts),
    "calibrate": command(CalibrateConfig, calibrate, adapt=with_demo_parts),
}


EXAMPLES: dict[str, tuple[str, ...]] = {
    "analyze": (
        "analyze --model demo --sae my-sae/ --corpus texts.jsonl",
        "analyze --model gpt2 --sae my-saes/ --corpus books/",
        "analyze --activations x.npy --table parts.csv --group machine",
    ),
    "ablate": ("ablate --db my.db --sae 15 --tokens 20000",),
    "retrain": ("retrain --db my.db --sae 15 --jobs 2",),
    "compare-designs": ("compare-designs --db my.db --sae 15 --rank 24 --jobs 2",),
    "steer": ("steer --db my.db --sae 15 --latent 1024", "steer --db my.db --sae 15 --pair 1024:727"),
    "prune": ("prune --db my.db --sae 15 --verdict prune --out pruned/",),
    "train-sae": (
        "train-sae --hook blocks.15.hook_resid_post --out saes/",
        "train-sae --hook blocks.7.hook_mlp_out --model gpt2 --out saes/",
        "train-sae --hook blocks.15.hook_resid_post --bottleneck 24",
    ),
    "inspect": ("inspect my-sae/", "inspect gpt2-small-res-jb:blocks.7.hook_resid_pre --model gpt2"),
    "study": ("study line3.toml", "study line3.toml --plan", "study line3.toml --if-changed"),
    "bench": ("bench --tokens 16384", "bench --model demo --sae my-sae/ --corpus texts.jsonl --json"),
    "calibrate": ("calibrate --tokens 60000",),
}
"""How each command is called, for the end of its help."""


def analyze_demo(tokens: int, db: str) -> None:
    """The shipped parts, analysed once: a store that has this very run is left as it is."""
    from analysis.reading.demo_parts import demo_tag

    tag = demo_tag(tokens)
    if not has_run(db, tag):
        parts = with_demo_parts({"corpus": "demo"})
        analyze_texts(AnalyzeConfig(**parts, tokens=tokens, db=db, tag=tag, resume=True))
    from analysis.interventions.shipped import take_in

    if new := take_in(db):
        console.print(f"{new} experiments and interventions that were measured before; their pages say how")


def analyze_field_demo(db: str) -> None:
    """A network that is trained here on data that are shipped: its units, then an SAE on each of its layers."""
    tags = {kind: f"field-demo-{kind or 'units'}-{__version__}" for kind in ("", "batchtopk")}
    if all(has_run(db, tag) for tag in tags.values()):
        return
    from analysis.field.demo import make_field_demo
    from analysis.process.cache import cache_folder

    made = make_field_demo(cache_folder() / "field-demo", console.print)
    layers = [str(path) for path in made.matrices.values()]
    for kind, tag in reversed(tags.items()):
        if not has_run(db, tag):
            analyze_field(
                FieldConfig(
                    activations=layers, table=str(made.table), name="watch", train=kind, db=db, tag=tag,
                    group="recording", order="time", columns={"held_out": "none", "row": "none"},
                )
            )  # fmt: skip


def has_run(db: str, tag: str) -> bool:
    """Whether `db` holds a complete run with this tag. Takes no torch, so that a second demo starts at once."""
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    from store.session import database_url, make_engine, session_factory, sqlite_path
    from store.tables import Run

    path = sqlite_path(database_url(db))
    if path is not None and not path.exists():
        return False
    try:
        with session_factory(make_engine(db, read_only=True))() as session:
            settings = session.scalars(select(Run.settings).where(Run.status == "complete")).all()
    except SQLAlchemyError:
        return False  # no such table, another schema, no database: `analyze` says what is wrong
    return any(found.get("tag") == tag for found in settings)
