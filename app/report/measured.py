"""How a report's numbers were made, and which were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.interventions.queries import InterventionInfo
from app.labels.queries import LabelInfo
from app.report.queries import ModelInfo
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.commands import command
from app.shared.numbers import count, date, duration, percent, ranges
from store.vocabulary import ABLATE, STEER, UNMEASURED

Groups = Mapping[int, Mapping[str, int]]


def measured(run: RunInfo, model: ModelInfo, done: Sequence[InterventionInfo]) -> list[tuple[str, str]]:
    """Name and value, in the order one asks."""
    of = f"{count(run.documents)} of the {count(run.corpus_documents)} documents"
    read = f"{count(run.tokens)} tokens{run.asked} from {of}, contexts of {run.context}"
    rows = [
        ("model", f"{run.model_name}, {run.model_layers} layers, {model.family}, width {model.d_model}"),
        ("corpus", run.corpus),
        ("read", read),
        ("left out", run.left_out),
        ("dense means", f"above {percent(run.dense_threshold).replace('.0', '')} of tokens"),
        ("intervals", "95 % over documents"),
        ("ablation", _ablation([one for one in done if one.kind == ABLATE])),
        ("seed", str(run.seed)),
        ("runs" if len(run.runs) > 1 else "run", _runs(run)),
        ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
    ]
    return [row for row in rows if row[1]]


def _runs(run: RunInfo) -> str:
    last = "the last one " if len(run.runs) > 1 else ""
    return f"{ranges(run.runs)}, {last}finished {date(run.finished)} after {duration(run.seconds)}"


def _ablation(done: list[InterventionInfo]) -> str:
    if not done:
        return ""
    first = done[0]
    where = f"{len(done)} SAE{'s' if len(done) != 1 else ''}"
    bound = "" if first.epsilon is None else f", as good as nothing within ±{first.epsilon:g} nats per token"
    read = f"{count(first.tokens)} next tokens of {count(first.documents)} documents"
    return f"{where}, activations held at their mean, {read}{bound}"


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
        gaps.append(("What dense latents do: the run measured no classes.", "dense-latents analyze …"))
    elif unknown := sum(held.get(UNMEASURED, 0) for held in groups.values()):
        one = unknown == 1
        words = (
            f"What {count(unknown)} dense latent{' does' if one else 's do'}: no examples of {'it' if one else 'them'}"
        )
        gaps.append((f"{words} were kept.", ""))
    for kind, name, words in (
        (ABLATE, "ablate", "What breaks without dense latents"),
        (STEER, "steer", "Whether text follows when it is steered"),
    ):
        held = {one.analysis_id for one in done if one.kind == kind}
        gaps += _gap(words, name, found, [sae for sae in found if sae.analysis_id not in held])
    gaps += _gap(
        "Whether dense latents come back in SAEs trained without them", "retrain", found,
        [sae for sae in found if sae.slug not in tried],
    )  # fmt: skip
    gaps += [(f"Label {label.name}: {label.reason}.", "") for label in known if label.reason]
    if not said:
        gaps.append(("What people think: nobody has annotated a latent of this run yet.", ""))
    return gaps


def _gap(words: str, name: str, found: Sequence[SaeInfo], without: list[SaeInfo]) -> list[tuple[str, str]]:
    if not without:
        return []
    where = "any layer" if len(without) == len(found) else f"layer {', '.join(str(sae.layer) for sae in without)}"
    return [(f"{words}: not for {where}.", command(name, without[-1].slug if len(without) == 1 else "SLUG"))]
