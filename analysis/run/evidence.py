"""From what was accumulated to what is said: every class and every label, for all SAEs of a run.

Done once a run, on the bounded sample and on the CPU; nothing reads the text through the model again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.classes import CLASSES, MIXTURE, PARTLY, UNEXPLAINED
from analysis.classes.base import Crowd, Evidence, Finding, Lens, Thresholds, rounded
from analysis.decomposition.beside import Past, what_goes_past
from analysis.decomposition.design import Design, design_of
from analysis.decomposition.follow import Followed, follow
from analysis.labels import Association, LabelColumn, associate, label_columns
from analysis.process.progress import Progress
from analysis.reading.batches import Sample
from analysis.reading.documents import Document
from analysis.reading.model import LanguageModel
from analysis.reading.tags import Tags, tag_sample
from analysis.run.panel import Panel
from analysis.run.weights import place_of, quiet_of
from analysis.statistics.contexts import Contexts
from analysis.statistics.covariance import Covariance
from analysis.statistics.density import Density
from analysis.statistics.mixture import Mixture, MixtureSummary
from analysis.statistics.signals import Signals
from analysis.statistics.traces import packed, traces_of
from store.vocabulary import CONTROL, DETAILS, LITTLE, NO, UNMEASURED, YES, Statement

NOT_DIVIDED: Statement = {"code": "not_divided"}
LEAST = 0.001  # share of tokens on which a sparse latent fires that is a control
_SPARSE = 4096  # sparse latents that are looked at for what is usual in an SAE


class Decided(NamedTuple):
    """What is said of the detail latents of one SAE, in the order of the plan."""

    scores: dict[str, list[Finding]]  # class or `mixture` -> one for each latent
    traces: bytes  # what chains to other SAEs are made of: see `statistics.traces`
    associations: list[list[Association]]  # of each of the run's columns: one for each latent; none if refused
    followed: Followed | None  # what their activations follow; None where the sample has too few documents
    past: Past | None  # what goes past the latents; None where nothing does, or nothing was divided


class Decisions(NamedTuple):
    """Of a whole run."""

    columns: list[LabelColumn]
    saes: list[Decided]


def sampled_documents(panels: list[Panel]) -> set[int]:
    """Indices of the documents whose text the classes need again."""
    return {int(index) for panel in panels[:1] for index in panel[Contexts].documents()}


def decide(
    model: LanguageModel,
    panels: list[Panel],
    documents: Mapping[int, Document],
    thresholds: Thresholds,
    seed: int,
    progress: Progress,
) -> Decisions:
    """All classes and labels of a run.

    Args:
        documents: those of the sample, by index.
        progress: called with 1 after each SAE.
    """
    lenses = Lenses(model)
    first = sampled(panels[0]).sample  # all SAEs see the same contexts
    tags, columns = tag_sample(first, documents), label_columns(first, documents)
    design = what_to_follow(model, first, tags, seed)
    decided = []
    for panel in panels:
        signals = sampled(panel)  # one SAE's at a time: copies of all of them would double what a run holds
        followed = follow(design, signals, torch.stack(panel.plan.pairs[:2], 1).cpu())
        evidence = evidence_of(model, panel, signals, tags, lenses.of(panel), thresholds, followed)
        mine = evidence.signals.values[:, : evidence.count]
        labels = associate(columns, evidence.signals.sample, mine, seed)
        past = None if followed is None else _past(panel, design, signals, evidence.covariance)
        decided.append(Decided(judge_all(evidence), packed(traces_of(signals, seed)), labels, followed, past))
        progress(1)
    return Decisions(columns, decided)


def _past(panel: Panel, design: Design, signals: Signals, covariance: Covariance) -> Past | None:
    sae = panel.sae
    if sae.bottleneck is None:
        return None
    dense = sae.decoder.cpu()[panel[Density].columns()["is_dense"].cpu()]
    _tokens, _mean, whole = covariance.both()
    return what_goes_past(design, signals, sae.bottleneck, dense, whole)


def what_to_follow(model: LanguageModel, sample: Sample, tags: Tags, seed: int) -> Design:
    """What the signals of every SAE of a run are divided among."""
    return design_of(sample, tags, lambda ids: model.embedding(ids).cpu(), model.words(), seed)


def judge_all(evidence: Evidence) -> dict[str, list[Finding]]:
    """Every class, the remainder and the mixture, by name."""
    found = {each.name: each.judge(evidence) for each in CLASSES}
    rest = [
        remainder({name: column[n] for name, column in found.items()}, one) for n, one in enumerate(_totals(evidence))
    ]
    names = (UNEXPLAINED.name, PARTLY.name)
    return found | {name: [one[name] for one in rest] for name in names} | {MIXTURE.name: MIXTURE.judge(evidence)}


class Total(NamedTuple):
    """Share of a latent's variance that all sources predict, and the median of random directions; NaN: not measured."""

    share: float
    random: float


def _totals(evidence: Evidence) -> list[Total]:
    followed = evidence.followed
    if followed is None:
        return [Total(math.nan, math.nan)] * evidence.count
    typical = float(followed.random.total.share.nanmedian())
    return [Total(share, typical) for share in followed.latents.total.share.tolist()]


def remainder(findings: Mapping[str, Finding], followed: Total) -> dict[str, Finding]:
    """Whether none of the classes holds, and whether the latent is partly followed all the same; by name.

    Args:
        findings: of the classes, by name.
    """
    if any(finding.holds for finding in findings.values()):
        return dict.fromkeys((UNEXPLAINED.name, PARTLY.name), Finding(NO, {"code": "some"}))
    missing = [name for name, finding in findings.items() if finding.label == UNMEASURED]
    if len(missing) >= len(findings) / 2:  # too little was looked at to call the rest unexplained
        return dict.fromkeys((UNEXPLAINED.name, PARTLY.name), Finding(UNMEASURED, {"code": "few", "missing": missing}))
    share, random = rounded(followed)
    held: Statement = {"classes": len(findings), "missing": missing, "share": share, "random": random}
    if share is None:
        return {UNEXPLAINED.name: Finding(YES, {"code": "none", **held}), PARTLY.name: Finding(UNMEASURED, NOT_DIVIDED)}
    part = followed.share >= LITTLE
    return {
        UNEXPLAINED.name: Finding(NO if part else YES, {"code": "followed" if part else "little", **held}),
        PARTLY.name: Finding(YES if part else NO, {"code": "followed" if part else "little", **held}),
    }


class Lenses:
    """The model's output end as seen from each SAE's directions; made once for all that lie in the residual stream."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._made: dict[str, Lens] = {}

    def of(self, panel: Panel) -> Lens:
        """For the place that the SAE's directions are of."""
        hook = panel.sae.hook_out
        place = place_of(hook)
        if place not in self._made:
            self._made = {place: lens_of(self._model, hook)}  # SAEs come by layer: the last one is enough
        return self._made[place]


def lens_of(model: LanguageModel, hook: str) -> Lens:
    """The model's output end, for directions of a hook point."""
    unembedding = model.unembedding(hook).cpu()
    quiet = quiet_of(model, hook, unembedding)
    return Lens(unembedding, quiet, model.words(), model.sayable(), model.n_layers)


def evidence_of(
    model: LanguageModel,
    panel: Panel,
    signals: Signals,
    tags: Tags,
    lens: Lens,
    thresholds: Thresholds,
    followed: Followed | None,
) -> Evidence:
    """One SAE's evidence; massive tokens of its layer are left out here, once."""
    return Evidence(
        layer=panel.sae.layer,
        signals=signals.kept(),
        tags=tags._replace(values=tags.values[signals.ordinary]),
        covariance=_on_cpu(panel[Covariance]),
        mixture=MixtureSummary(*(part.cpu() for part in panel[Mixture].summarise())),
        pool=panel.plan.pool.cpu(),
        lens=lens,
        embedding=lambda ids: model.embedding(ids).cpu(),
        thresholds=thresholds,
        crowd=_crowd(panel, signals.sample, tags),
        sparse=_sparse(panel).cpu(),
        followed=followed,
    )


def _sparse(panel: Panel) -> Tensor:
    """[c, D] decoder directions of latents that fire on a thousandth of the tokens at least, are not dense and no dense
    one's partner, or of some of them. What fires more rarely was hardly trained, and is no control either."""
    density = panel[Density]
    share = density.summarise().density
    seldom = (share >= LEAST) & (share <= density.threshold)
    near = panel.plan.kind != DETAILS.index(CONTROL)
    seldom[panel.plan.latents[near]] = False
    sparse = torch.nonzero(seldom).flatten()
    return panel.sae.decoder[sparse[:: max(1, -(-len(sparse) // _SPARSE))]]


def _crowd(panel: Panel, sample: Sample, tags: Tags) -> Crowd | None:
    """The further random directions, with the tags of their part of the sample; None where none were asked for."""
    held = panel.all(Contexts)
    if len(held) < 2:
        return None
    signals = _signals(held[1])
    mine = torch.isin(_places(sample), _places(signals.sample))
    values = tags.values[mine[sample.context]]
    return Crowd(signals.kept(), tags._replace(values=values[signals.ordinary]))


def _places(sample: Sample) -> Tensor:
    """[contexts] int64: each one's document and first character."""
    _, sizes = torch.unique_consecutive(sample.context, return_counts=True)
    return sample.document * 2**32 + sample.begin[sizes.cumsum(0) - sizes]


def sampled(panel: Panel) -> Signals:
    """The panel's signals on the sample, massive tokens still in, on the CPU."""
    return _signals(panel[Contexts])


def _signals(held: Contexts) -> Signals:
    found = held.summarise()
    sample = Sample(*(part.cpu() for part in found.sample))
    return Signals(sample, *(part.cpu() for part in found[1:]))


def _on_cpu(covariance: Covariance) -> Covariance:
    made = Covariance(covariance.pivot.cpu(), covariance.seed)
    made.load_state_dict(covariance.state_dict())
    return made
