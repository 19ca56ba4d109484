"""What an SAE does on text that no arm was trained on, with its arm's removal applied."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.interventions.retrain.spans import Removal
from analysis.reading.corpus import GROUPS, ContextStream
from analysis.reading.sae import LoadedSae
from analysis.statistics.geometry import partners
from analysis.statistics.intervals import percentiles
from analysis.training.activations import ActivationCache
from analysis.training.spread import chunks, massive_cut

_GROUPS = "groups.npz"
DRAWS = 2000  # of the bootstrap over document groups


class HeldOut(NamedTuple):
    """Cached activations [n, d] of held-out text, the document group [n] of each row, and how many documents."""

    rows: np.memmap
    group: Tensor
    documents: int

    @classmethod
    def of(cls, cache: ActivationCache, hook: str) -> HeldOut:
        """From a filled cache that `note_groups` has seen."""
        note = np.load(cache.folder / _GROUPS)
        return cls(cache.rows(hook), torch.from_numpy(note["group"]), int(note["documents"]))


def note_groups(cache: ActivationCache, stream: ContextStream) -> None:
    """Put the documents' groups beside the cache of the same stream; the text is read once more, without a model."""
    path = cache.folder / _GROUPS
    if not path.exists():
        group, documents = groups_of(stream)
        temporary = path.with_name("new.npz")
        np.savez(temporary, group=group.numpy(), documents=documents)
        temporary.replace(path)


def groups_of(stream: ContextStream) -> tuple[Tensor, int]:
    """The document group of every counted token of a stream, and how many documents there are; no model runs."""
    groups, documents = [], set()
    for batch in stream.batches():
        groups.append(batch.group[:, None].expand_as(batch.mask)[batch.mask])
        documents.update(batch.document.tolist())
    return torch.cat(groups), len(documents)


def measure(sae: LoadedSae, held_out: HeldOut, removal: Removal, threshold: float, device: str) -> dict[str, Any]:
    """Everything an arm's row says of its SAE, as plain numbers.

    Densities, L0 and the alive share count every token; FVU and the mass leave out massive ones, by their length
    before anything is removed, so that they are the same tokens in every arm. FVU is of what the arm's SAE reads:
    summed squared error over summed squared distance from the mean, after the removal.
    """
    sums = _Sums(sae, massive_cut(held_out.rows))
    start = 0
    for x in chunks(held_out.rows):
        sums.add(x.to(device), held_out.group[start : start + len(x)].to(device), removal)
        start += len(x)
    return sums.result(threshold) | _pairs(sae) | {"documents": held_out.documents}


class _Sums:
    def __init__(self, sae: LoadedSae, cut: float) -> None:
        self.sae, self.cut = sae, cut
        device, n = sae.decoder.device, sae.n_latents
        self.fired = torch.zeros(GROUPS, n, dtype=torch.float64, device=device)
        self.tokens = torch.zeros(GROUPS, dtype=torch.float64, device=device)
        self.above, self.below, self.mass = (torch.zeros(n, dtype=torch.float64, device=device) for _ in range(3))
        self.sum = torch.zeros(GROUPS, sae.d_in, dtype=torch.float64, device=device)
        self.error, self.squares, self.ordinary = (torch.zeros_like(self.tokens) for _ in range(3))

    def add(self, x: Tensor, group: Tensor, removal: Removal) -> None:
        ordinary = x.norm(dim=1) <= self.cut
        x = removal(x)
        acts = self.sae.encode(x)
        rebuilt = self.sae.decode(acts)
        on = acts != 0
        member = torch.nn.functional.one_hot(group, GROUPS).to(acts.dtype)
        self.fired += (member.T @ on.to(acts.dtype)).double()  # counts below 2^24: exact in float32
        self.tokens += member.sum(0).double()
        self.above += (acts > 0).sum(0)
        self.below += (acts < 0).sum(0)
        x, rebuilt, acts, group = x[ordinary].double(), rebuilt[ordinary].double(), acts[ordinary], group[ordinary]
        self.mass += acts.abs().sum(0).double()
        self.error.index_add_(0, group, (x - rebuilt).square().sum(1))
        self.squares.index_add_(0, group, x.square().sum(1))
        self.sum.index_add_(0, group, x)
        self.ordinary += torch.bincount(group, minlength=GROUPS)

    def result(self, threshold: float) -> dict[str, Any]:
        tokens = self.tokens.sum()
        density = self.fired.sum(0) / tokens
        dense = density > threshold
        alive = density > 0
        fvu, fvu_low, fvu_high = self._fvu()
        low, high = dense_interval(self.fired, self.tokens, threshold)
        mass = float(self.mass.sum())
        both = (self.above > 0) & (self.below > 0)
        return {
            "eval_tokens": int(tokens),
            "n_dense": int(dense.sum()),
            "n_dense_low": low,
            "n_dense_high": high,
            "dense": torch.nonzero(dense).flatten().tolist(),
            "dense_mass_share": float(self.mass[dense].sum()) / mass if mass > 0 else None,
            "signed_share": float(both.sum() / alive.sum()) if self.sae.signed and alive.any() else None,
            "fvu": fvu,
            "fvu_low": fvu_low,
            "fvu_high": fvu_high,
            "alive_share": float(alive.double().mean()),
            "l0": float(density.sum()),
            "density_curve": [float(f"{value:.6g}") for value in density.sort(descending=True).values.tolist()],
        }

    def _fvu(self) -> tuple[float | None, float | None, float | None]:
        """With its 95 % interval over documents."""

        def of(weights: Tensor) -> Tensor:
            squares, tokens = weights @ self.squares, weights @ self.ordinary
            return (weights @ self.error) / (squares - (weights @ self.sum).square().sum(1) / tokens)

        whole = float(of(torch.ones(1, GROUPS, dtype=torch.float64, device=self.sum.device))[0])
        if not math.isfinite(whole):
            return None, None, None
        used = torch.nonzero(self.ordinary > 0).flatten()
        if len(used) < 2:
            return whole, None, None
        weights = torch.zeros(DRAWS, GROUPS, dtype=torch.float64, device=self.sum.device)
        weights[:, used] = draws_of(len(used)).to(weights)
        low, high = percentiles(of(weights))
        return whole, float(low), float(high)


def draws_of(groups: int) -> Tensor:
    """[draws, groups] float64: how often each group is drawn, with replacement, the same ones at every call."""
    random = np.random.default_rng(0)
    return torch.from_numpy(random.multinomial(groups, np.full(groups, 1 / groups), DRAWS)).double()


def dense_interval(fired: Tensor, tokens: Tensor, threshold: float) -> tuple[float | None, float | None]:
    """95 % interval of the number of dense latents: documents, in their 64 groups, drawn anew with replacement.

    Args:
        fired: [groups, N] float64, tokens on which each latent fires. tokens: [groups].

    Returns:
        the 2.5 and 97.5 % quantiles over the draws; None where fewer than two groups hold tokens.
    """
    used = tokens > 0
    groups = int(used.sum())
    if groups < 2:
        return None, None
    draws = draws_of(groups).to(fired.device)
    densities = (draws @ fired[used]) / (draws @ tokens[used])[:, None]
    counts = (densities > threshold).sum(1).double()
    low, high = percentiles(counts)
    return float(low), float(high)


def _pairs(sae: LoadedSae) -> dict[str, Any]:
    """Antipodal pairs of the weights, and of those the ones with a dense member."""
    if sae.encoder is None:
        return {"n_pairs": 0}
    return {"n_pairs": int(partners(sae.encoder, sae.decoder).is_pair.sum()) // 2}
