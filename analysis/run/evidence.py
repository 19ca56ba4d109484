"""From what was accumulated to what is said: every class, every label and every chain, for all SAEs of a run.

Done once a run, on the bounded sample and on the CPU; nothing reads the text through the model again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.classes import CLASSES, MIXTURE, UNEXPLAINED
from analysis.classes.base import Crowd, Evidence, Finding, Lens, Thresholds
from analysis.classes.null_space import sensitive_directions
from analysis.labels import Association, LabelColumn, associate, label_columns
from analysis.process.progress import Progress
from analysis.reading.batches import Sample
from analysis.reading.documents import Document
from analysis.reading.hook_names import STREAM, parse
from analysis.reading.hook_points import has_layer_norm
from analysis.reading.model import LanguageModel
from analysis.reading.tags import Tags, tag_sample
from analysis.run.panel import Panel
from analysis.statistics.chains import Link, chains
from analysis.statistics.contexts import Contexts
from analysis.statistics.covariance import Covariance
from analysis.statistics.mixture import Mixture, MixtureSummary
from analysis.statistics.signals import Signals
from store.vocabulary import NO, UNMEASURED, YES

STREAM_PLACE = "stream"


class Decided(NamedTuple):
    """What is said of the detail latents of one SAE, in the order of the plan."""

    scores: dict[str, list[Finding]]  # class or `mixture` -> one for each latent
    chains: list[Link]
    associations: list[list[Association]]  # of each of the run's columns: one for each latent; none if refused


class Decisions(NamedTuple):
    """Of a whole run."""

    columns: list[LabelColumn]
    saes: list[Decided]


def sampled_documents(panels: list[Panel]) -> set[int]:
    """Indices of the documents whose text the classes need again."""
    return {int(index) for panel in panels[:1] for index in panel[Contexts].documents()}


class Samples(Sequence[Signals]):
    """Every panel's `sampled`, made anew each time: copies of all of them would double what a run holds."""

    def __init__(self, panels: list[Panel]) -> None:
        self._panels = panels

    def __len__(self) -> int:
        return len(self._panels)

    def __getitem__(self, place: int) -> Signals:  # type: ignore[override]  # no slices are taken
        return sampled(self._panels[place])


def decide(
    model: LanguageModel,
    panels: list[Panel],
    documents: Mapping[int, Document],
    thresholds: Thresholds,
    seed: int,
    progress: Progress,
) -> Decisions:
    """All classes, chains and labels of a run.

    Args:
        documents: those of the sample, by index.
        progress: called with 1 after each SAE.
    """
    lenses = Lenses(model)
    samples = Samples(panels)
    first = samples[0].sample  # all SAEs see the same contexts
    tags, columns = tag_sample(first, documents), label_columns(first, documents)
    decided = []
    for panel, signals, links in zip(panels, samples, chains(samples, [p.sae for p in panels]), strict=True):
        evidence = evidence_of(model, panel, signals, tags, lenses.of(panel), thresholds)
        mine = evidence.signals.values[:, : evidence.count]
        labels = associate(columns, evidence.signals.sample, mine, seed)
        decided.append(Decided(judge_all(evidence), links, labels))
        progress(1)
    return Decisions(columns, decided)


def judge_all(evidence: Evidence) -> dict[str, list[Finding]]:
    """Every class, the remainder and the mixture, by name."""
    found = {each.name: each.judge(evidence) for each in CLASSES}
    rest = [remainder({name: column[n] for name, column in found.items()}) for n in range(evidence.count)]
    return found | {UNEXPLAINED.name: rest, MIXTURE.name: MIXTURE.judge(evidence)}


def remainder(findings: Mapping[str, Finding]) -> Finding:
    """Whether none of the classes holds."""
    if any(finding.holds for finding in findings.values()):
        return Finding(NO, {"code": "some"})
    missing = [name for name, finding in findings.items() if finding.label == UNMEASURED]
    if len(missing) >= len(findings) / 2:  # too little was looked at to call the rest unexplained
        return Finding(UNMEASURED, {"code": "few", "missing": missing})
    return Finding(YES, {"code": "none", "classes": len(findings), "missing": missing})


class Lenses:
    """The model's output end as seen from each SAE's directions; made once for all that lie in the residual stream."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._made: dict[str, Lens] = {}

    def of(self, panel: Panel) -> Lens:
        """For the place that the SAE's directions are of."""
        hook = panel.sae.hook_out
        place = STREAM_PLACE if parse(hook)[1] in STREAM else hook
        if place not in self._made:
            self._made = {place: lens_of(self._model, hook)}  # SAEs come by layer: the last one is enough
        return self._made[place]


def lens_of(model: LanguageModel, hook: str | None = None) -> Lens:
    """The model's output end, for directions of the residual stream or of a hook point."""
    unembedding, words = model.unembedding(hook).cpu(), model.words()
    quiet = sensitive_directions(unembedding, has_layer_norm(model.module))
    return Lens(unembedding, quiet, words, model.sayable(), model.n_layers)


def evidence_of(
    model: LanguageModel, panel: Panel, signals: Signals, tags: Tags, lens: Lens, thresholds: Thresholds
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
    )


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
