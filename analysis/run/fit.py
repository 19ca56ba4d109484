"""What the console says of SAEs that may not fit the model and the text; pages say it from the same statements."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae
from analysis.run.evidence import Decisions
from analysis.run.panel import Panel
from analysis.run.pipeline import Result
from analysis.statistics.reconstruction import Reconstruction
from store.fit import FITS, Read, Seen, fit, fit_bos, fit_model
from store.unmeasured import plainly, why_unmeasured
from store.vocabulary import UNEXPLAINED, UNMEASURED, Statement

_SENTENCES = {
    "model_other": "made for {expected}, as its metadata say; reading {found}",
    "model_copy": "made for {expected}; {found} has the same name, of another organisation",
    "model_tuned": "made for {expected}; of that and {found} one is a base model, the other is tuned",
    "model_version": "made for {expected}; only one of that and {found} says which version it is",
    "bos_less": "trained with BOS before each context; this model's tokenizer has none",
    "l0_more": "L0 {found:.3g} is {times:.1f} x its {by} of {expected:.3g}; another model, hook point, scale or text?",
    "l0_fewer": "L0 {found:.3g} is {times:.2f} x its {by} of {expected:.3g}; another model, hook point, scale or text?",
    "fvu_worse": "FVU {found:.2f}, where its training report has {expected:.2f}",
    "fvu_high": "FVU {found:.2f}, above {most}: its latents tell a part of what is there",
    "fvu_useless": (
        "FVU {found:.2f}: it rebuilds this text worse than the mean does; what it calls dense says little (an SAE"
        " trained for too few steps, or of another model or hook point?)"
    ),
    "massive_many": "{found:.1%} of the tokens are massive: correlations, R² and FVU speak of the others alone",
}
_BY = {"k": "k", "l0": "L0 in training", "report": "L0 in the training report"}


def strangers(saes: list[LoadedSae], model: LanguageModel) -> Iterator[str]:
    """SAEs that name another model, before it is read: the same width is no sign that they belong together."""
    for sae in saes:
        read = _read(sae, model)
        yield from _told(sae, [fit_model(read), *fit_bos(read)])


def misfits(result: Result) -> Iterator[str]:
    """What was measured and does not fit; the model was told of before."""
    for panel in result.panels:
        whole = panel[Reconstruction].summarise()
        massive = 1 - whole.ordinary / max(whole.tokens, 1)
        seen = Seen(whole.l0, whole.fvu if whole.fvu == whole.fvu else None, massive)
        found = fit(_read(panel.sae, result.reading.model), seen)
        yield from _told(panel.sae, [held for held in found if held["of"] not in {"model", "bos"}])


def unmeasured(panels: list[Panel], decisions: Decisions | None) -> Iterator[str]:
    """Classes, and the mixture, that could be measured on no latent, and why; what is left of all is no class."""
    if decisions is None:
        return
    for panel, decided in zip(panels, decisions.saes, strict=True):
        for name, scores in decided.scores.items():
            if name != UNEXPLAINED and scores and all(score.label == UNMEASURED for score in scores):
                why = why_unmeasured(name, scores[0].statement) or plainly(scores[0].statement, {})
                yield f"{panel.sae.source}: {name.replace('_', ' ')} was not measured: {why}"


def _read(sae: LoadedSae, model: LanguageModel) -> Read:
    return Read(
        sae.details, sae.training, sae.source, model.name, model.source, model.fingerprint, model.bos_id is not None
    )


def _told(sae: LoadedSae, found: list[Statement]) -> Iterator[str]:
    for held in found:
        sentence = _SENTENCES.get(str(held["code"]))
        if held["level"] != FITS and sentence is not None:
            yield f"{sae.source}: {sentence.format(**held | {'by': _BY.get(held.get('by', ''), '')})}"
