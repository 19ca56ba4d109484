"""What was found, in words: a page of Markdown for people who were not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.process.versions import versions
from analysis.study import stored
from analysis.study.compare import followers
from analysis.study.plan import Study
from analysis.study.state import now
from analysis.study.stored import Facts
from analysis.study.words import density, digits, effect, listed, many, plain, seconds, share
from store.session import without_password
from store.tables import Analysis, Corpus, Effect, Experiment, Intervention, Latent, Model, Run, Sae, Score
from store.vocabulary import ABLATE, HOLDS, MIXTURE, OWN, SET, VERDICTS

_MOST = 20


class Findings(NamedTuple):
    """What the report is made of, besides what the store has."""

    facts: Facts
    verdicts: dict[str, int]
    told: list[str]
    """What changed."""
    attention: list[str]
    before: str | None
    """When the study was finished that this one is compared with."""
    caveats: list[str]


def report(session: Session, study: Study, runs: list[int], found: Findings) -> str:
    """The whole page."""
    noun, of = ("latent", "tokens") if study.config.texts else ("unit", "rows")
    parts = [
        [f"# {plain(study.config.name)}", "", *_headline(found, noun)],
        ["## Labels", "", *_labels(session, runs, found.facts, noun)],
        [f"## Dense {noun}s", "", *_dense(found.facts, noun, of)],
        _classes(session, runs) if study.config.texts else [],
        _ablations(session, runs),
        _experiments(session, study),
        _verdicts(found.verdicts, noun),
        ["## Since the last study", "", *_changes(found)],
        ["## What this does not show", "", *_limits(session, study, found, noun)],
        ["## Where this comes from", "", *_provenance(session, study, runs)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _headline(found: Findings, noun: str) -> Iterator[str]:
    measured = {label for sae in found.facts.values() for label, reason in sae["labels"].items() if not reason}
    followed = {label for sae in found.facts.values() for label in followers(sae)}
    dense = sum(sae["dense"] for sae in found.facts.values())
    if not measured:
        yield f"**{many(dense, f'dense {noun}')}; there was no label to hold against them.**"
    elif not followed:
        what = f"None of {len(measured)} labels" if len(measured) > 1 else f"The only label, {plain(*measured)},"
        verb = "is followed by any" if len(measured) > 1 else "is followed by none"
        yield f"**{what} {verb} of {many(dense, f'dense {noun}')}.**"
    else:
        verb = "is" if len(followed) == 1 else "are"
        yield (
            f"**{len(followed)} of {many(len(measured), 'label')} {verb} followed by a dense {noun}:"
            f" {plain(listed(sorted(followed)))}.**"
        )
    if found.attention:
        yield ""
        yield f"**{many(len(found.attention), 'change')} since the last study should be looked at:**"
        yield ""
        yield from (f"- {plain(one)}" for one in found.attention)


def _labels(session: Session, runs: list[int], facts: Facts, noun: str) -> Iterator[str]:
    """A line a label: the dense units that follow it, beside sparse controls."""
    sparse = stored.controls(session, runs)
    names = list(dict.fromkeys(label for sae in facts.values() for label in sae["labels"]))
    if not names:
        yield "The data have no labels."
    for label in names:
        told = list(_followed(label, facts, sparse, noun))
        reasons = {str(sae["labels"][label]["code"]) for sae in facts.values() if sae["labels"].get(label)}
        if told:
            yield from (f"- **{plain(label)}** is followed by {one}" for one in told)
        elif reasons:
            yield f"- {plain(label)}: not measured ({plain(listed(sorted(reasons)))})."
        else:
            yield f"- {plain(label)}: no dense {noun} follows it."


def _followed(label: str, facts: Facts, sparse: dict[str, tuple[Counter[str], int]], noun: str) -> Iterator[str]:
    for sha256, sae in facts.items():
        units = followers(sae).get(label)
        if units:
            index, first = next(iter(units.items()))
            more = f", the strongest of {len(units):,} that do" if len(units) > 1 else ""
            passing, total = sparse[sha256][0][label], sparse[sha256][1]
            beside = f"; of {total:,} sparse {noun}s, {passing:,} pass the same test" if total else ""
            name = f"L{sae['layer']}/{index} of {plain(sae['slug'])}"
            yield f"{name} ({effect(first)}){more}{beside}{_confounded(first)}."


def _confounded(follow: dict[str, Any]) -> str:
    if not follow.get("after"):
        return ""
    return f"; {'still there' if follow.get('still') else 'gone'} after {plain(follow['after'])}"


def _dense(facts: Facts, noun: str, of: str) -> Iterator[str]:
    yield f"| | {noun}s | dense | near the threshold | pairs |"
    yield "|---|---:|---:|---:|---:|"
    for sae in facts.values():
        of_all = f"{sae['dense']:,} ({share(sae['dense'] / sae['latents'])})"
        yield f"| {plain(sae['slug'])} | {sae['latents']:,} | {of_all} | {sae['borderline']:,} | {sae['pairs']:,} |"
    for sae in facts.values():
        dense = {index: unit for index, unit in sae["units"].items() if unit["dense"]}
        first = sorted(dense, key=lambda index: -dense[index]["density"])[:_MOST]
        if first:
            yield ""
            told = (f"L{sae['layer']}/{index} on in {density(dense[index], of)}" for index in first[:3])
            yield f"Densest of {plain(sae['slug'])}: {'; '.join(told)}."


def _classes(session: Session, runs: list[int]) -> list[str]:
    """How many dense latents have each class; one may have several."""
    wanted = select(Score.name).join(Latent, (Latent.analysis_id == Score.analysis_id) & (Latent.index == Score.index))
    wanted = wanted.join(Analysis, Analysis.id == Score.analysis_id).where(Analysis.run_id.in_(runs))
    held = Counter(session.scalars(wanted.where(Latent.is_dense, Score.label.in_(HOLDS), Score.name != MIXTURE)))
    if not held:
        return ["## Classes", "", "No dense latent has a class."]
    told = [f"- {name.replace('_', ' ')}: {many(count, 'dense latent')}" for name, count in held.most_common()]
    return ["## Classes", "", *told, "", "A latent may have several."]


def _ablations(session: Session, runs: list[int]) -> list[str]:
    columns = (Sae.slug, Effect.loss, Effect.loss_low, Effect.loss_high, Intervention.tokens, Effect.latents)
    wanted = select(*columns).join(Intervention, Intervention.id == Effect.intervention_id)
    wanted = wanted.join(Analysis, Analysis.id == Intervention.analysis_id).join(Sae, Sae.id == Analysis.sae_id)
    wanted = wanted.where(Analysis.run_id.in_(runs), Intervention.kind == ABLATE)
    rows = session.execute(wanted.where(Effect.subject == SET, Effect.what == OWN).order_by(Sae.layer)).all()
    if not rows:
        return []
    told = []
    for slug, loss, low, high, tokens, latents in rows:
        interval = "no interval" if low is None else f"{_signed(low)} to {_signed(high)}"
        told.append(
            f"- {plain(slug)}: {_signed(loss)} nats per token ({interval}; {many(len(latents), 'latent')},"
            f" {tokens:,} tokens)"
        )
    return [
        "## Without all dense latents",
        "",
        "Change of the loss with their activations held at the mean:",
        "",
        *told,
    ]


def _signed(value: float) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "") + digits(abs(value))


def _experiments(session: Session, study: Study) -> list[str]:
    ids = study.state.steps.get("retrain", {}).get("experiments", []) if study.config.retrain is not None else []
    rows = session.execute(
        select(Experiment.id, Sae.slug).join(Sae, Sae.id == Experiment.sae_id).where(Experiment.id.in_(ids))
    ).all()
    told = [f"- experiment {number}: {plain(slug)}, on the page /experiments/{number}" for number, slug in rows]
    return ["## Trained again", "", *told] if told else []


def _verdicts(counts: dict[str, int], noun: str) -> list[str]:
    if not counts:
        return []
    total = sum(counts.values())
    told = ", ".join(f"{counts.get(one, 0):,} {one}" for one in VERDICTS)
    return [
        "## Verdicts by the rule",
        "",
        f"Of {many(total, noun)} judged: {told}. The rule names candidates; people decide.",
    ]


def _changes(found: Findings) -> Iterator[str]:
    if found.before is None:
        yield "This is the first study of this name."
        return
    yield f"Beside the study that was finished on {found.before.replace('T', ' at ')} UTC:"
    yield ""
    yield from (f"- {plain(one)}" for one in found.told)
    yield from (f"- {plain(one)}: a change may come from it" for one in found.caveats)


def _limits(session: Session, study: Study, found: Findings, noun: str) -> Iterator[str]:
    yield f"- That a {noun} follows a label is no proof that the network uses it, or that the label causes anything."
    if refused := sorted({label for sae in found.facts.values() for label, why in sae["labels"].items() if why}):
        yield f"- Nothing is said of {plain(listed(refused))}: not measured, for the reasons above."
    if near := sum(sae["borderline"] for sae in found.facts.values()):
        yield f"- {many(near, noun)} may be on either side of the threshold of density: the interval contains it."
    for step, why in study.config.left_out.items():
        yield f"- No {step}: {why}."
    if study.config.texts and study.config.ablate is None:
        yield "- Nothing was ablated, so whether the model needs these latents is not known."
    if study.config.texts and study.config.retrain is None:
        yield "- Nothing was trained again, so whether they come back from other seeds is not known."
    if not study.config.texts:
        yield "- No verdicts: the rule needs an ablation, and rows come without the model that made them."
    yield f"- Intervals are over {'documents' if study.config.texts else 'groups'}; other data may give other numbers."


def _provenance(session: Session, study: Study, runs: list[int]) -> Iterator[str]:
    db = without_password(study.config.db)
    for number in runs:
        run = session.get_one(Run, number)
        model, corpus = session.get_one(Model, run.model_id), session.get_one(Corpus, run.corpus_id)
        read = "tokens" if study.config.texts else "rows"
        yield (
            f"- run {number} of `{db}`, finished {run.finished:%Y-%m-%d %H:%M} UTC after {seconds(run.seconds)}:"
            f" {run.tokens:,} {read}, dense above {share(run.dense_threshold)}, seed {run.seed}"
        )
        yield f"- {'model' if study.config.texts else 'network'} {plain(model.name)}, `{model.fingerprint[:16]}`"
        what = "data" if study.config.texts else "matrices and table"
        yield f"- {what} {plain(corpus.name)}, SHA-256 `{corpus.sha256[:16]}`"
    for one in stored.analyses(session, runs):
        yield f"- {plain(one.slug)}, `{one.sha256[:16]}`"
    yield f"- {', '.join(f'{name} {version}' for name, version in versions().items())}"
    yield f"- study file {plain(study.config.path.name)}; written {now().replace('T', ' at ')} UTC"
    yield ""
    yield f"As pages, with pictures: `dense-latents serve --db {db}`, then `/report?run={runs[-1]}`."
