"""The printable report of a run: what was found, what matters, what people think, how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from app.annotations.panel import Told
from app.classes import queries as classes
from app.classes.groups import fill_of, ordered, title_of
from app.experiments import page as arms
from app.experiments import queries as experiments
from app.experiments.queries import ArmInfo, ExperimentInfo
from app.interventions import queries as interventions
from app.labels import queries as labels
from app.layers import plots as functions
from app.report import queries as report
from app.report.matters import Matter, matters_of
from app.report.measured import hashes, measured, missing
from app.report.people import Ruled, opinions, ruled
from app.report.pictures import decided, text_slide
from app.report.queries import SetEffect
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.figures import EDGE
from app.shared.instead import maker_of
from app.shared.language import N_, _
from app.shared.numbers import count, fixed, nats, percent
from app.shared.page import RunPage
from app.shared.slide import Reported
from app.team import queries as team
from store.vocabulary import NO, OWN, RANDOM, UNMEASURED, VARIANCE, YES


@dataclass(frozen=True)
class Segment:
    """A stretch of a bar: dense latents of one group (see app.classes.groups)."""

    group: str
    title: str
    count: int
    start: float
    """0 to 100: the SAE with most dense latents fills the bar."""
    width: float

    @property
    def fill(self) -> str:
        """Of its rectangle: a variable of the stylesheet, or the dots of the page."""
        held = fill_of(self.group)
        return "url(#dotted)" if held.hatch else f"var({held.colour})"

    @property
    def plain(self) -> bool:
        """Pale, with an outline."""
        return fill_of(self.group).edge == EDGE


@dataclass(frozen=True)
class LayerLine:
    """One SAE."""

    layer: int
    slug: str
    dense: str
    borderline: str
    bar: list[Segment]
    explained: str
    """Share of its dense latents that have a class; empty where none was measured."""
    pairs: str
    mass: str
    """Share of firing mass in dense latents."""
    l0: str
    fvu: str
    loss: str
    """Change of the loss without all dense latents at once; empty where that was not measured."""
    beside: str
    """Their share of the variance, and the same change for a control: sparse latents, or the set turned at random."""


@dataclass(frozen=True)
class ExperimentWords:
    """An experiment in a line."""

    number: int
    href: str
    sae: str
    words: str


@dataclass(frozen=True)
class ReportPage(RunPage, Reported):
    """A run in what one prints."""

    template = "report/report.html"
    saes: list[SaeInfo]
    """Its SAEs by layer."""
    words: str
    """How many of the dense latents something explains."""
    lines: list[LayerLine]
    """A line an SAE."""
    groups: list[tuple[str, str]]
    """What the bars are made of, with names; empty where no classes were measured."""
    matters: list[Matter]
    """Latents and pairs to talk about."""
    ruled: Ruled | None
    """Verdicts by the rule and by people; None where there are neither."""
    opinions: list[Told]
    """The latest notes."""
    experiments: list[ExperimentWords]
    """Experiments on the run's SAEs, a line each."""
    steering: str
    """For how many signals the text follows, in a sentence; empty where nothing was steered."""
    labels: str
    """What goes with the user's labels, in a sentence; empty where there are none."""


_SIDES = {VARIANCE: N_("sparse"), RANDOM: N_("turned at random")}
Groups = Mapping[int, Mapping[str, int]]


def report_page(session: Session, run: RunInfo) -> ReportPage:
    """The report of a run, or what stands in its place for its kind; as many queries for a hundred SAEs as for one."""
    found, people = saes.list_saes(session, run), report.people(session, run)
    given, told = ruled(run, team.review(session, run), people), opinions(session, run, found)
    notes = [f"{one.about}: {''.join(part.text for part in one.said.note)}" for one in told]
    make = maker_of(run.family, "report", partial(_text_report, given=given, told=told, people=people))
    return make(session, run, decided(given, notes))


def _text_report(
    session: Session, run: RunInfo, verdicts: list[str], given: Ruled | None, told: list[Told], people: int
) -> ReportPage:
    found = saes.list_saes(session, run)
    known = classes.measured(session, run)
    groups: Groups = classes.profile(session, run) if known else {}
    done, model = interventions.list_interventions(session, run), report.find_model(session, run)
    tried = [one for one in experiments.list_experiments(session) if one.sae in {sae.slug for sae in found}]
    columns = labels.list_labels(session, run)
    sets = report.set_effects(session, run)
    tested = labels.tested(session, run) if columns else {}
    return ReportPage(
        title=_("Report"),
        nav="home",
        run=run,
        slide=text_slide(run, found, groups, sets, columns, tested, verdicts),
        saes=found,
        words=functions.stack_words(found, groups),
        lines=_lines(found, groups, sets),
        groups=functions.legend(groups),
        matters=matters_of(session, run, found),
        ruled=given,
        opinions=told,
        experiments=_experiments(tried, experiments.list_arms(session) if tried else []),
        steering=_steering(report.steered(session, run)),
        labels=_labels(columns, labels.counts_by_sae(session, run) if columns else {}),
        measured=measured(run, model, done),
        hashes=hashes(run, model, found),
        missing=missing(found, groups, done, {one.sae for one in tried}, columns, people > 0),
    )


def _lines(found: list[SaeInfo], groups: Groups, sets: list[SetEffect]) -> list[LayerLine]:
    most = max((sae.n_dense for sae in found), default=0) or 1
    return [_line(sae, groups, [one for one in sets if one.analysis_id == sae.analysis_id], most) for sae in found]


def _line(sae: SaeInfo, groups: Groups, sets: list[SetEffect], most: int) -> LayerLine:
    held = groups.get(sae.analysis_id, {})
    share = classes.explained(sae, dict(held)) if groups else None
    own = next((one for one in sets if one.what == OWN), None)
    return LayerLine(
        layer=sae.layer,
        slug=sae.slug,
        dense=count(sae.n_dense),
        borderline=count(sae.n_borderline),
        bar=_bar(held or ({UNMEASURED: sae.n_dense} if sae.n_dense else {}), most),
        explained="" if share is None else percent(share),
        pairs=count(sae.n_pairs),
        mass=percent(sae.dense_mass_share),
        l0=fixed(sae.l0, 1),
        fvu=fixed(sae.fvu, 3),
        loss="" if own is None else nats(own.loss),
        beside="; ".join(words for words in ("" if own is None else _share(own), _beside(sets)) if words),
    )


def _bar(held: Mapping[str, int], most: int) -> list[Segment]:
    made: list[Segment] = []
    start = 0.0
    for group in ordered(held):
        if held.get(group):
            width = 100 * held[group] / most
            made.append(Segment(group, title_of(group), held[group], round(start, 2), round(width, 2)))
            start += width
    return made


def _beside(sets: list[SetEffect]) -> str:
    """What controls of the whole set reach: the strictest kind that there is."""
    for kind, words in _SIDES.items():
        known = sorted((one for one in sets if one.what == kind and one.loss is not None), key=_loss)
        if known:
            middle = known[len(known) // 2]
            return f"{' with '.join(part for part in (words, _share(middle)) if part)} {nats(middle.loss)}"
    return ""


def _loss(one: SetEffect) -> float:
    return one.loss or 0.0


def _share(one: SetEffect) -> str:
    return "" if one.variance is None else _("%(variance)s of variance", variance=percent(one.variance))


def _experiments(tried: Sequence[ExperimentInfo], held: Sequence[ArmInfo]) -> list[ExperimentWords]:
    made = []
    for one in tried:
        own = [arm for arm in held if arm.experiment_id == one.id]
        words = str(one.summary.get("words") or "") or arms.headline(one, own)
        made.append(ExperimentWords(one.id, one.url, one.sae, words))
    return made


def _steering(found: Mapping[str, int]) -> str:
    tried = found.get(YES, 0) + found.get(NO, 0)
    if not tried:
        return ""
    return _(
        "Steering: the text follows for %(yes)s of %(tried)s signals it was tried on.",
        yes=count(found.get("yes", 0)),
        tried=count(tried),
    )


def _labels(columns: Sequence[labels.LabelInfo], counts: Mapping[str, Mapping[str, int]]) -> str:
    known = [(label.name, sum(counts.get(label.name, {}).values())) for label in columns if not label.reason]
    if not known:
        return ""
    return _(
        "Dense latents that go with a label of the corpus: %(known)s.",
        known=", ".join((f"{name} {count(n)}" for name, n in known)),
    )
