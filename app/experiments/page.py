"""The list of experiments, and one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.designs.queries import ComparisonInfo, list_comparisons
from app.experiments import plots
from app.experiments import queries as experiments
from app.experiments.arms import (
    HEADLINE,
    ArmRow,
    ExperimentLine,
    arm_rows,
    dense_of,
    in_order,
    mean_of,
    more_of,
    title_of,
)
from app.experiments.before_after import answer, ends_of, picture
from app.experiments.queries import ArmInfo, ExperimentDetail, ExperimentInfo
from app.experiments.seeds import StabilityTable, angles_view, stability_table
from app.latents.facts import Fact
from app.shared.commands import command
from app.shared.densities import thresholds_of
from app.shared.figures import View
from app.shared.language import _
from app.shared.numbers import count, fixed, percent
from app.shared.page import Page
from app.shared.slopes import Slopes
from app.shared.stored import flat


@dataclass(frozen=True)
class ExperimentsPage(Page):
    """All experiments of the store."""

    template = "experiments/experiments.html"
    lines: list[ExperimentLine]
    """One a row, newest first."""
    heads: list[str]
    """Names of the headline arms."""
    comparisons: list[ComparisonInfo]
    """Of designs, newest first."""
    command: str
    """What would make one."""
    compare: str
    """What would make a comparison."""


@dataclass(frozen=True)
class ExperimentPage(Page):
    """One experiment."""

    template = "experiments/experiment.html"
    experiment: ExperimentInfo
    """The experiment."""
    answer: str
    """What it came to, in one sentence."""
    slopes: Slopes | None
    """Counts of dense latents before and after, the controls beside them."""
    words: str
    """What the counts mean, in full."""
    facts: list[Fact]
    """Numbers at the head."""
    arms: list[ArmRow]
    """A row an arm, over its seeds."""
    curves: View | None
    """Densities of all SAEs over each other."""
    counts: View
    """Dense latents of all SAEs."""
    angles: View | None
    """Principal angles between seeds."""
    stability: StabilityTable | None
    """Which dense latents come back."""
    saes: list[ArmInfo]
    """All SAEs, with the hashes of their weights."""
    names: dict[str, str]
    """Arms as people read them."""
    recipe: list[tuple[str, str]]
    """How the SAEs are trained: name, value."""
    settings: list[tuple[str, str]]
    """What the experiment was asked for: name, value."""
    command: str
    """What makes it."""


CUTS = (0.01, 0.05, 0.1, 0.2, 0.5)  # densities of the table beside the curves


def experiments_page(session: Session) -> ExperimentsPage:
    """All of the store."""
    arms = experiments.list_arms(session)
    return ExperimentsPage(
        title=_("Experiments"),
        nav="experiments",
        lines=[_line_of(one, arms) for one in experiments.list_experiments(session)],
        heads=[title_of(name) for name in HEADLINE],
        comparisons=list_comparisons(session),
        command=command("retrain", "SLUG"),
        compare=command("compare-designs", "SLUG"),
    )


def _line_of(experiment: ExperimentInfo, arms: Sequence[ArmInfo]) -> ExperimentLine:
    mine = [arm for arm in arms if arm.experiment_id == experiment.id]
    own, ends = in_order(mine), ends_of(experiment, mine)
    dense = [dense_of(experiment, name, own[name]) if name in own else None for name in HEADLINE]
    said = answer(experiment, ends) or headline(experiment, mine)
    return ExperimentLine(experiment, len(own), len(mine), dense, said, picture(ends, mine))


def experiment_page(session: Session, number: int) -> ExperimentPage:
    """One of them."""
    experiment = experiments.find_experiment(session, number)
    arms, ends = experiment.arms, ends_of(experiment, experiment.arms)
    names = {name: title_of(name) for name in in_order(arms)}
    cuts = thresholds_of(experiment.dense_threshold)
    return ExperimentPage(
        title=_("Experiment %(value)s · %(sae)s", value=number, sae=experiment.sae),
        nav="experiments",
        experiment=experiment,
        answer=answer(experiment, ends) or headline(experiment, arms),
        slopes=picture(ends, arms),
        words=str(experiment.summary.get("words") or "") or headline(experiment, arms),
        facts=_facts(experiment, arms),
        arms=arm_rows(experiment, arms),
        curves=_curves(experiments.arm_counts(session, number, cuts), cuts, names, experiment.dense_threshold),
        counts=_counts(arms, names),
        angles=angles_view(experiment),
        stability=stability_table(experiment, experiment.stability),
        saes=[arm for found in in_order(arms).values() for arm in found],
        names=names,
        recipe=flat(experiment.recipe),
        settings=flat(experiment.settings),
        command=_command(experiment),
    )


def _command(experiment: ExperimentDetail) -> str:
    """What to type for the same lengths; what else differs from the SAE's own recipe stands in the recipe."""
    steps = experiment.recipe.get("train_tokens")
    asked = {"train-tokens": steps, "tokens": experiment.tokens, "eval-tokens": experiment.eval_tokens}
    options = [f"--{name} {value}" for name, value in asked.items() if value]
    return " ".join([command("retrain", experiment.sae), *options])


def headline(experiment: ExperimentInfo, arms: Sequence[ArmInfo]) -> str:
    """Dense removed against equal dimension, where the worker left no sentence."""
    own = in_order(arms)
    said = [
        f"{dense_of(experiment, name, own[name]).value} {words}"
        for name, words in (
            ("original", _("in the original")),
            ("dense", _("with the dense span removed")),
            ("dimension", _("with a sparse span of equal dimension removed")),
        )
        if name in own
    ]
    return _("Dense latents: %(said)s.", said=", ".join(said)) if said else ""


def _facts(experiment: ExperimentInfo, arms: Sequence[ArmInfo]) -> list[Fact]:
    own = in_order(arms)
    facts = [_fact(experiment, name, own[name]) for name in HEADLINE if name in own]
    more, between = more_of(experiment, "dimension")
    if more:
        facts.append(
            Fact(_("dimension less dense"), "retrain_arms", more, between or _("one seed: no interval over seeds"))
        )
    if "dense" in own:
        variance, other = (mean_of(own.get(name, []), "removed_variance") for name in ("dense", "dimension"))
        against = "" if other is None else _("equal dimension %(other)s", other=percent(other))
        facts.append(Fact(_("variance removed"), "arm_removed_variance", percent(variance), against))
    return facts


def _fact(experiment: ExperimentInfo, name: str, found: list[ArmInfo]) -> Fact:
    dense = dense_of(experiment, name, found)
    small = f"{dense.span} {dense.of}" if dense.span else ""
    return Fact(_("dense latents, %(name)s", name=title_of(name)), "arm_n_dense", dense.value, small)


def _curves(counts: plots.Counts, cuts: tuple[float, ...], names: dict[str, str], threshold: float) -> View | None:
    if not counts:
        return None
    figure = plots.curves_figure(counts, cuts, names, threshold)
    rows = [
        (names[arm], str(seed), *(count(counts[arm, seed][cuts.index(cut)]) for cut in CUTS))
        for arm in names
        for name, seed in sorted(counts)
        if name == arm
    ]
    summary = _(
        "Latents denser than each density, one line an SAE; lines of one arm are its seeds. Dotted: the"
        " threshold, %(replace)s. Densities of the arms are of the same held-out text.",
        replace=percent(threshold).replace(".0", ""),
    )
    head = ("arm", "seed", *(f"above {percent(cut).replace('.0', '')}" for cut in CUTS))
    return View("curves", "densities", figure, summary, head, rows)


def _counts(arms: Sequence[ArmInfo], names: dict[str, str]) -> View:
    rows = [
        (title_of(arm.name), str(arm.seed), count(arm.n_dense), _ends(arm)) for name in names for arm in arms
        if arm.name == name
    ]  # fmt: skip
    summary = _("Dense latents of each SAE, a dot a seed, with its 95 %% interval over documents.")
    figure = plots.counts_figure(list(arms), names)
    return View("counts", _("dense latents"), figure, summary, ("arm", "seed", "dense", _("95 %% interval")), rows)


def _ends(arm: ArmInfo) -> str:
    low, high = arm.n_dense_low, arm.n_dense_high
    return "" if low is None or high is None else f"{fixed(low, 0)} to {fixed(high, 0)}"
