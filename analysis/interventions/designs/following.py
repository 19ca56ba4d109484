"""What the dense latents of each design follow, beside its sparse ones and what goes past them, on held-out text."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.decomposition.decompose import SOURCES, Decomposition, decompose
from analysis.decomposition.design import Design, design_of
from analysis.decomposition.follow import DOCUMENTS, FIRING
from analysis.interventions.activations import SplitText
from analysis.reading.batches import Sample
from analysis.reading.sae import LoadedSae
from analysis.reading.tags import tag_sample
from analysis.run.rows.examples import documents_of
from analysis.run.rows.plain import number
from analysis.statistics.base import counted_tokens
from analysis.training.spread import massive_cut

Report = dict[str, Any]
SPARSE = 96
_CHUNK = 4096  # tokens encoded at once


class Followable(NamedTuple):
    """What the signals of every design are divided among: a part of the held-out tokens."""

    design: Design
    x: Tensor  # [n, d] float32: the activations on its tokens
    norm: Tensor  # [n]
    ordinary: Tensor  # [n] bool: not a massive token


def followable(text: SplitText, rows: np.memmap) -> Followable | None:
    """Of held-out text whose activations are cached; None where it has too few documents.

    Args:
        rows: [n, d], the activations of the held-out stream's counted tokens in its order.
    """
    model, corpus = text.subject.model, text.subject.corpus
    sample = _sample(text, len(rows))
    if sample.documents < DOCUMENTS:
        return None
    tags = tag_sample(sample, documents_of(corpus, [], set(sample.document.tolist())))
    embedding = lambda ids: model.embedding(ids).cpu()  # noqa: E731  # as the analysis gives it
    design = design_of(sample, tags, embedding, model.words(), text.subject.stored.seed)
    x = torch.from_numpy(rows[design.rows.numpy()].astype(np.float32))
    norm = x.norm(dim=1)
    return Followable(design, x, norm, norm <= massive_cut(rows))


def _sample(text: SplitText, tokens: int) -> Sample:
    """The first so many counted tokens of the held-out stream."""
    parts: dict[str, list[Tensor]] = {name: [] for name in Sample._fields}
    contexts = 0
    for batch in text.stream(tokens, only_held_out=True).batches():
        counted = counted_tokens(batch, torch.device("cpu"))
        lines, row = torch.unique(counted.row, return_inverse=True)
        for name in ("token", "column", "paragraph", "sentence", "begin"):
            parts[name].append(getattr(counted, name))
        parts["context"].append(row + contexts)
        parts["document"].append(batch.document[lines])
        parts["group"].append(batch.group[lines])
        contexts += len(lines)
    whole = {name: torch.cat(some) for name, some in parts.items()}
    flat = {name: some[:tokens] for name, some in whole.items() if name not in ("document", "group")}
    held = int(flat["context"][-1]) + 1
    return Sample(**flat, document=whole["document"][:held], group=whole["group"][:held])


def follows(given: Followable, sae: LoadedSae, dense: list[int]) -> Report:
    """Shares of variance by source: medians over the dense latents and over as many sparse ones as `SPARSE`, drawn at
    random, and those of what goes past the latents.

    What stands beside is looked at along the principal axes of its part of the reconstruction, each of which counts
    by its share of the part's variance.

    Args:
        dense: the SAE's dense latents.
    """
    acts = _acts(given, sae)
    often = (acts != 0).sum(0)
    is_dense = torch.zeros(sae.n_latents, dtype=torch.bool)
    is_dense[dense] = True
    sparse = torch.nonzero(~is_dense & (often >= FIRING)).flatten()
    drawn = torch.randperm(len(sparse), generator=torch.Generator().manual_seed(0))[:SPARSE]
    groups = {"dense": torch.nonzero(is_dense & (often >= FIRING)).flatten(), "sparse": sparse[drawn.sort().values]}
    found = {name: _summed(given, acts[:, some], None) for name, some in groups.items() if len(some)}
    if sae.bottleneck is not None:
        part = sae.bottleneck(given.x.to(sae.decoder.device)).cpu()
        part = part - part[given.ordinary].mean(0)
        _left, sizes, axes = torch.linalg.svd(part[given.ordinary].double(), full_matrices=False)
        rank = min(sae.bottleneck.rank, int((sizes > 1e-6 * sizes[0]).sum()))
        if not rank:
            return found
        weights = sizes[:rank].square() / sizes[:rank].square().sum()
        found["beside"] = _summed(given, part @ axes[:rank].T.float(), weights)
    return found


def _acts(given: Followable, sae: LoadedSae) -> Tensor:
    """[n, N] float32: 150 MB of 2,304 latents."""
    device = sae.decoder.device
    parts: list[Tensor] = [sae.encode(some.to(device)).cpu() for some in given.x.split(_CHUNK)]  # type: ignore[no-untyped-call]
    return torch.cat(parts)


def _summed(given: Followable, signals: Tensor, weights: Tensor | None) -> Report:
    """Medians over signals, or means by weight [q]."""
    found: Decomposition = decompose(given.design, given.norm, given.ordinary, signals)
    added, total = found.added.share, found.total.share

    def middle(shares: Tensor) -> float | None:
        known = ~shares.isnan()
        if weights is None:
            return number(float(shares[known].quantile(0.5)), 4) if bool(known.any()) else None
        return number(float((shares * weights)[known].sum() / weights[known].sum()), 4)

    return {
        "signals": signals.shape[1],
        "added": {name: middle(share) for name, share in zip(SOURCES, added, strict=True)},
        "total": middle(total),
    }
