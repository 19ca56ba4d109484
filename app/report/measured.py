"""How a report's numbers were made, and which were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.interventions.queries import InterventionInfo
from app.labels.queries import LabelInfo
from app.report.queries import ModelInfo
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.commands import command
from app.shared.language import _
from app.shared.numbers import count, date, duration, percent, ranges
from store.vocabulary import ABLATE, STEER, UNMEASURED

Groups = Mapping[int, Mapping[str, int]]


def measured(run: RunInfo, model: ModelInfo, done: Sequence[InterventionInfo]) -> list[tuple[str, str]]:
    """Name and value, in the order one asks."""
    of = _(
        "%(documents)s of the %(corpus_documents)s documents",
        documents=count(run.documents),
        corpus_documents=count(run.corpus_documents),
    )
    read = _(
        "%(tokens)s tokens%(asked)s from %(of)s, contexts of %(context)s",
        tokens=count(run.tokens),
        asked=run.asked,
        of=of,
        context=run.context,
    )
    rows = [
        (
            "model",
            _(
                "%(model_name)s, %(model_layers)s layers, %(family)s, width %(d_model)s",
                model_name=run.model_name,
                model_layers=run.model_layers,
                family=model.family,
                d_model=model.d_model,
            ),
        ),
        ("corpus", run.corpus),
        ("read", read),
        (_("left out"), run.left_out),
        (_("dense means"), _("above %(replace)s of tokens", replace=percent(run.dense_threshold).replace(".0", ""))),
        ("intervals", _("95 %% over documents")),
        ("ablation", _ablation([one for one in done if one.kind == ABLATE])),
        ("seed", str(run.seed)),
        ("runs" if len(run.runs) > 1 else "run", _runs(run)),
        ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
    ]
    return [row for row in rows if row[1]]


def _runs(run: RunInfo) -> str:
    last = _("the last one ") if len(run.runs) > 1 else ""
    return _(
        "%(runs)s, %(last)sfinished %(finished)s after %(seconds)s",
        runs=ranges(run.runs),
        last=last,
        finished=date(run.finished),
        seconds=duration(run.seconds),
    )


def _ablation(done: list[InterventionInfo]) -> str:
    if not done:
        return ""
    first = done[0]
    where = f"{len(done)} SAE{'s' if len(done) != 1 else ''}"
    bound = (
        ""
        if first.epsilon is None
        else _(", as good as nothing within ±%(epsilon)s nats per token", epsilon=f"{first.epsilon:g}")
    )
    read = _(
        "%(tokens)s next tokens of %(documents)s documents",
        tokens=count(first.tokens),
        documents=count(first.documents),
    )
    return _("%(where)s, activations held at their mean, %(read)s%(bound)s", where=where, read=read, bound=bound)


def hashes(run: RunInfo, model: ModelInfo, found: Sequence[SaeInfo]) -> list[tuple[str, str]]:
    """What the names stand for."""
    return [
        (run.model_name, model.fingerprint),
        (run.corpus, run.corpus_sha256),
        *((sae.slug, sae.sha256) for sae in found),
        ("run", run.key) if len(run.runs) == 1 else ("suite", run.suite),
    ]


def missing(
    found: Sequence[SaeInfo],
    groups: Groups,
    done: Sequence[InterventionInfo],
    tried: set[str],
    known: Sequence[LabelInfo],
    said: bool,
) -> list[tuple[str, str]]:
    """What was not measured, with the command that would.

    Args:
        groups: by analysis, empty where no classes were measured.
        tried: slugs of SAEs that experiments were made on.
        known: the run's labels.
        said: whether anybody annotated anything.
    """
    gaps = []
    if not groups:
        gaps.append((_("What dense latents do: the run measured no classes."), "dense-latents analyze …"))
    elif unknown := sum(held.get(UNMEASURED, 0) for held in groups.values()):
        one = unknown == 1
        words = _(
            "What %(unknown)s dense latent%(do)s: no examples of %(them)s",
            unknown=count(unknown),
            do=" does" if one else "s do",
            them="it" if one else "them",
        )
        gaps.append((_("%(words)s were kept.", words=words), ""))
    for kind, name, words in (
        (ABLATE, "ablate", _("What breaks without dense latents")),
        (STEER, "steer", _("Whether text follows when it is steered")),
    ):
        held = {one.analysis_id for one in done if one.kind == kind}
        gaps += _gap(words, name, found, [sae for sae in found if sae.analysis_id not in held])
    gaps += _gap(
        _("Whether dense latents come back in SAEs trained without them"), "retrain", found,
        [sae for sae in found if sae.slug not in tried],
    )  # fmt: skip
    gaps += [
        (_("Label %(name)s: %(reason)s.", name=label.name, reason=label.reason), "") for label in known if label.reason
    ]
    if not said:
        gaps.append((_("What people think: nobody has annotated a latent of this run yet."), ""))
    return gaps


def _gap(words: str, name: str, found: Sequence[SaeInfo], without: list[SaeInfo]) -> list[tuple[str, str]]:
    if not without:
        return []
    layers = ", ".join(str(sae.layer) for sae in without)
    where = _("any layer") if len(without) == len(found) else _("layer %(layer)s", layer=layers)
    return [
        (
            _("%(words)s: not for %(where)s.", words=words, where=where),
            command(name, without[-1].slug if len(without) == 1 else "SLUG"),
        )
    ]
