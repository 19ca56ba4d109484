"""The printable report of a run: what was found, what matters, what people think, how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.annotations.panel import category_of, note_parts
from app.annotations.queries import AnnotationInfo
from app.categories.queries import list_categories
from app.classes import counts as class_counts
from app.classes.groups import ordered, title_of
from app.experiments import page as arms
from app.experiments import queries as experiments
from app.experiments.queries import ArmInfo, ExperimentInfo
from app.labels import queries as labels
from app.layers import plots as functions
from app.layers.page import stack_words
from app.report import queries as report
from app.report.matters import at, matters_of
from app.report.measured import hashes, measured, missing
from app.report.parts import ExperimentWords, LayerLine, Matter, Opinion, Ruled, Segment
from app.report.queries import SetEffect
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.links import link
from app.shared.numbers import count, fixed, nats, percent
from app.shared.page import Page
from app.vocabulary import HUMAN_VERDICTS, RULE_VERDICTS
from store.vocabulary import NO, OWN, RANDOM, UNMEASURED, VARIANCE, YES


@dataclass(frozen=True)
class ReportPage(Page):
    """A run in what one prints."""

    template = "report/report.html"
    run: RunInfo
    """The run shown."""
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
    opinions: list[Opinion]
    """The latest notes."""
    experiments: list[ExperimentWords]
    """Experiments on the run's SAEs, a line each."""
    steering: str
    """For how many signals the text follows, in a sentence; empty where nothing was steered."""
    labels: str
    """What goes with the user's labels, in a sentence; empty where there are none."""
    measured: list[tuple[str, str]]
    """How it was measured: name, value."""
    hashes: list[tuple[str, str]]
    """What the names stand for: name, SHA-256."""
    missing: list[tuple[str, str]]
    """What was not measured, and the command that would; the command may be empty."""


NOTES = 6
_SIDES = {VARIANCE: "sparse", RANDOM: "turned at random"}
Groups = Mapping[int, Mapping[str, int]]


def report_page(session: Session, run: runs.RunInfo, pin: str) -> ReportPage:
    """The report of a run; as many queries for a hundred SAEs as for one."""
    found = saes.list_saes(session, run)
    known = class_counts.measured(session, run)
    groups: Groups = class_counts.profile(session, run) if known else {}
    done, model = report.interventions_done(session, run), report.find_model(session, run)
    tried = [one for one in experiments.list_experiments(session) if one.sae in {sae.slug for sae in found}]
    columns = labels.list_labels(session, run)
    dense, people = report.annotated(session, run)
    return ReportPage(
        title="Report",
        nav="home",
        run=run,
        words=stack_words(found, groups),
        lines=_lines(found, groups, report.set_effects(session, run), pin),
        groups=functions.legend(groups),
        matters=matters_of(session, run, found, pin),
        ruled=_ruled(session, run, dense, people),
        opinions=_opinions(session, run, found, pin),
        experiments=_experiments(tried, experiments.list_arms(session) if tried else [], pin),
        steering=_steering(report.steered(session, run)),
        labels=_labels(columns, labels.counts_by_sae(session, run) if columns else {}),
        measured=measured(run, model, done),
        hashes=hashes(run, model, found),
        missing=missing(found, groups, done, {one.sae for one in tried}, columns, people > 0),
    )


def _lines(found: list[SaeInfo], groups: Groups, sets: list[SetEffect], pin: str) -> list[LayerLine]:
    most = max((sae.n_dense for sae in found), default=0) or 1
    return [_line(sae, groups, [one for one in sets if one.analysis_id == sae.analysis_id], most, pin) for sae in found]


def _line(sae: SaeInfo, groups: Groups, sets: list[SetEffect], most: int, pin: str) -> LayerLine:
    held = groups.get(sae.analysis_id, {})
    share = class_counts.explained(sae, dict(held)) if groups else None
    own = next((one for one in sets if one.what == OWN), None)
    return LayerLine(
        layer=sae.layer,
        slug=sae.slug,
        href=link(f"/saes/{sae.slug}", {}, pin),
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
    return "" if one.variance is None else f"{percent(one.variance)} of variance"


def _ruled(session: Session, run: runs.RunInfo, said: int, people: int) -> Ruled | None:
    """Counts side by side, and how far they agree."""
    counts, both = report.verdict_counts(session, run), report.people_and_rule(session, run)
    if not counts and not people:
        return None
    rule = {name: sum(held.get(name, 0) for held in counts.values()) for name in RULE_VERDICTS}
    person = {name: sum(n for (given, _rule), n in both.items() if given == name) for name in RULE_VERDICTS}
    return Ruled(
        heads=list(RULE_VERDICTS.values()),
        rule=[count(rule[name]) for name in RULE_VERDICTS],
        people=[count(person[name]) for name in RULE_VERDICTS],
        total=f"{count(sum(rule.values()))} of {count(run.n_dense)} dense latents",
        words=_agreement(both, report.people_and_classes(session, run), said, people, run.n_dense),
    )


def _agreement(
    both: Mapping[tuple[str, str | None], int], classes: tuple[int, int], said: int, people: int, dense: int
) -> str:
    if not people:
        return "No person has judged any of them yet."
    parts = [
        f"{count(people)} {'person' if people == 1 else 'people'} said something of {count(said)} of {count(dense)}"
        " dense latents"
    ]
    held = {key: number for key, number in both.items() if key[1] is not None}
    if held:
        same = sum(number for (person, rule), number in held.items() if person == rule)
        parts.append(f"their verdict is the rule's for {count(same)} of {count(sum(held.values()))}")
    if classes[0]:
        parts.append(f"the class they gave is measured for {count(classes[1])} of {count(classes[0])}")
    return f"{'; '.join(parts)}."


def _opinions(session: Session, run: runs.RunInfo, found: list[SaeInfo], pin: str) -> list[Opinion]:
    said = report.latest_said(session, run, NOTES, noted=True)
    known = list_categories(session) if said else []
    links: dict[int, str] = {}
    for sae in found:
        links.setdefault(sae.layer, f"/saes/{sae.slug}/latents/")
    made = []
    for slug, layer, one in said:
        given = category_of(one.category, known)
        pair = one.other >= 0
        path = f"pairs/{one.index}/{one.other}" if pair else f"latents/{one.index}"
        made.append(
            Opinion(
                about=at(layer, one.index) + (f" ⇄ {one.other}" if pair else ""),
                href=f"{link(f'/saes/{slug}/{path}', {}, pin)}#annotation",
                author=one.author,
                created=one.created,
                verdict=HUMAN_VERDICTS.get(one.verdict or "", one.verdict or ""),
                verdict_key=one.verdict or "",
                category="" if given is None else given.title,
                note=note_parts(_shortened(one), {**links, layer: f"/saes/{slug}/latents/"}, pin),
            )
        )
    return made


def _shortened(one: AnnotationInfo, most: int = 400) -> str:
    return one.note if len(one.note) <= most else f"{one.note[:most].rstrip()} …"


def _experiments(tried: Sequence[ExperimentInfo], held: Sequence[ArmInfo], pin: str) -> list[ExperimentWords]:
    made = []
    for one in tried:
        own = [arm for arm in held if arm.experiment_id == one.id]
        words = str(one.summary.get("words") or "") or arms.headline(one, own)
        made.append(ExperimentWords(one.id, link(f"/experiments/{one.id}", {}, pin), one.sae, words))
    return made


def _steering(found: Mapping[str, int]) -> str:
    tried = found.get(YES, 0) + found.get(NO, 0)
    if not tried:
        return ""
    return f"Steering: the text follows for {count(found.get('yes', 0))} of {count(tried)} signals it was tried on."


def _labels(columns: Sequence[labels.LabelInfo], counts: Mapping[int, Mapping[str, int]]) -> str:
    known = [(label.name, sum(counts.get(label.id, {}).values())) for label in columns if not label.reason]
    if not known:
        return ""
    return f"Dense latents that go with a label of the corpus: {', '.join(f'{name} {count(n)}' for name, n in known)}."
