"""The loop: every batch is read once, then only the rest of the model runs, with many ablations side by side.

First pass: the model as it is; what the rest starts from is kept on disk, and the sums that fix each latent's
mean. Second pass: the ablations. Cost: 2 to 3 x tokens x d_model numbers on disk while it runs.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.ablate.state import State
from analysis.interventions.ablate.sums import EffectSums
from analysis.interventions.ablate.variants import Totals, Variant, Wanted, variants
from analysis.interventions.readout import Asked, LowRank, Readout
from analysis.interventions.subject import Subject
from analysis.interventions.tail import Clean, Tail
from analysis.process.checkpoint import Checkpoints
from analysis.process.progress import Progress
from analysis.reading.batches import TokenBatch
from analysis.reading.corpus import ContextStream
from analysis.statistics.plan import MASSIVE
from store.vocabulary import OWN

_SUMS = ("sum", "ordinary", "joint", "ordinary_tokens")
_HELD = 1 << 26  # numbers of changed models held at once: 256 MB in float32
_RANK = 8  # changes of more directions go through the unembedding themselves


class Ablated(NamedTuple):
    """What the loop gave."""

    variants: list[Variant]
    sums: EffectSums
    seconds: float
    documents: int


class CleanSums(NamedTuple):
    """Of one batch: sums of activations (see `Totals`), counted tokens, documents."""

    tensors: dict[str, Tensor]
    tokens: int
    documents: set[int]


class Spot(NamedTuple):
    """Where a batch is measured: counted tokens whose next token is counted too."""

    mask: Tensor  # [B, T] bool
    target: Tensor  # [n] int64
    group: Tensor  # [n] int64
    ordinary: Tensor  # [n] bool: not a massive token


class Ablation:
    """All ablations of one analysed SAE.

    Args:
        subject: the SAE with its model and text.
        config: what was asked for.
        folder: for what is kept while it runs.
    """

    def __init__(self, subject: Subject, config: AblateConfig, folder: Path) -> None:
        self.subject, self.config, self.folder = subject, config, folder
        self.tail = Tail(subject.model, subject.sae.hook_out, subject.sae.hook_point)
        self.readout = Readout(subject.model)
        self.direct = not self.tail.blocks  # nothing but the final norm comes after the hook point
        self.documents: set[int] = set()
        self._pivot: Tensor | None = None

    def read(self, progress: Progress) -> Totals:
        """First pass; batches that are kept already are not run again."""
        return self.totals(self.clean_sums(number, batch, progress) for number, batch in enumerate(self.batches()))

    def clean_sums(self, number: int, batch: TokenBatch, progress: Progress) -> CleanSums:
        """Of one batch, which is run and kept if it is not yet."""
        found = load_file(self._kept(number, batch))
        counted = int(batch.mask.sum())
        progress(counted)
        return CleanSums({name: found[name] for name in _SUMS}, counted, set(batch.document.tolist()))

    def totals(self, parts: Iterable[CleanSums]) -> Totals:
        """Of all batches, in order.

        Raises:
            UserError: there is no text.
        """
        sums: dict[str, Tensor] = {}
        tokens = 0
        for part in parts:
            sums = {name: part.tensors[name] + sums.get(name, 0.0) for name in _SUMS}
            tokens += part.tokens
            self.documents |= part.documents
        if not tokens:
            raise UserError(f"{self.subject.corpus.path}: expected text; found no token that counts")
        ordinary = sums["ordinary"]
        return Totals(sums["sum"], tokens, ordinary[0], ordinary[1], sums["joint"], int(sums["ordinary_tokens"]))

    def measure(self, totals: Totals, checkpoints: Checkpoints, progress: Progress) -> Ablated:
        """Second pass; goes on from a checkpoint where there is one."""
        state = self.begun(totals, checkpoints)
        for number, batch in enumerate(self.batches()):
            if number >= state.batches:
                self.add(number, batch, state.made, totals.mean, state.half)
                state.read(number + 1)
                state.save(self.config.checkpoint_seconds)
            progress(int(batch.mask.sum()))
        return self.ablated(state)

    def begun(self, totals: Totals, checkpoints: Checkpoints) -> State:
        """The variants, and what was measured of them before."""
        wanted = Wanted(self.config.controls, self.config.sets, self.config.seed)
        made = variants(self.subject.stored, self.subject.sae.decoder.cpu(), totals, wanted)
        return State(made, self.subject.sae.d_out, checkpoints)

    def ablated(self, state: State) -> Ablated:
        """What there is at the end of the text.

        Raises:
            UserError: numbers that are none, or no token whose next one is text.
        """
        state.settle()
        sums = state.whole
        if not sums.finite():
            raise UserError(
                f"--sae {self.subject.stored.slug}: expected finite changes; found NaN or infinity with the model in"
                f" {self.subject.model.dtype_name}: try --dtype float32"
            )
        if not float(sums.tensors["tokens"].sum()):
            raise UserError(f"{self.subject.corpus.path}: expected two counted tokens in a row; found none")
        return Ablated(state.made, sums, state.seconds, len(self.documents))

    def _check_decoder(self, x: Tensor) -> None:
        """What a latent adds must be its activation times its decoder row.

        Raises:
            UserError: the SAE scales what it decodes by the token, so that taking a latent out so would be wrong.
        """
        sae, latent = self.subject.sae, self.subject.stored.dense[0] if self.subject.stored.dense else 0
        rebuilt = sae.decode(sae.encode(x))
        more = sae.encode(x)  # again: what decoding may need of the input is forgotten by decoding
        # as much as all the rest: the difference of two large numbers of which one is 1 larger says nothing in float32
        amount = rebuilt.norm(dim=1).max().clamp(min=1.0)
        more[:, latent] += amount
        added = ((sae.decode(more) - rebuilt) / amount).double()
        row = sae.decoder[latent].double()
        if not torch.allclose(added, row.expand_as(added), rtol=0.0, atol=1e-3 * float(row.norm())):
            how = sae.details.get("normalize_activations")
            raise UserError(
                f"--sae {self.subject.stored.slug}: expected an SAE whose latents add activation x decoder row; found"
                f" one that scales its output by the token (normalize_activations: {how}), which ablate cannot do yet"
            )

    def stream(self) -> ContextStream:
        """The text."""
        return self.subject.stream(self.config.tokens, self.config.contexts)

    def batches(self) -> Iterator[TokenBatch]:
        """All of it."""
        return self.stream().batches()

    def _kept(self, number: int, batch: TokenBatch) -> Path:
        """Where the model's clean run on a batch is; made if it is not there."""
        path = self.folder / "clean" / f"{number:06d}.safetensors"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._keep(path, batch)
        return path

    def _keep(self, path: Path, batch: TokenBatch) -> None:
        clean = self.tail.clean(batch.ids, batch.attention)
        x = clean.x[batch.mask.to(clean.x.device)]
        seen = x if clean.seen is None else clean.seen[batch.mask.to(clean.x.device)]
        acts = self.subject.sae.encode(seen)
        if path.name.startswith("000000"):
            self._check_decoder(seen[:16])
        acts = acts.double().cpu()
        known = acts[(x.norm(dim=1) <= MASSIVE * self.subject.stored.median_norm).cpu()]
        dense = known[:, self.subject.stored.dense]
        parts = {name: tensor for name, tensor in clean._asdict().items() if tensor is not None}
        kept = {name: tensor.cpu().contiguous().clone() for name, tensor in parts.items()}
        kept["sum"], kept["ordinary"] = acts.sum(0), torch.stack([known.sum(0), known.square().sum(0)])
        kept["joint"], kept["ordinary_tokens"] = dense.T @ dense, torch.tensor(float(len(known)), dtype=torch.float64)
        temporary = path.with_suffix(f".{os.getpid()}.new")  # several actors may make the first
        save_file(kept, temporary)
        temporary.rename(path)

    def add(self, number: int, batch: TokenBatch, made: list[Variant], mean: Tensor, sums: EffectSums) -> None:
        """All variants on one batch."""
        device = self.subject.model.device
        kept = load_file(self._kept(number, batch), device=str(device))
        clean = Clean(kept["x"], kept["entry"], kept["final"], kept.get("seen"))
        spot = self._spot(batch, clean.x)
        counted = batch.mask.to(device)
        seen = clean.x if clean.seen is None else clean.seen
        acts = self.subject.sae.encode(seen[counted]) - mean.float().to(device)
        if not int(spot.mask.sum()):
            return
        self._add_facts(clean.x[spot.mask], spot, sums)
        final, clean_known = clean.final[spot.mask], False
        for together in _in_parts(self._asked(batch, clean, made, acts, spot, sums), self.subject.model.vocab_size):
            asked = [Asked(changed, made[place].what == OWN) for place, changed in together]
            outputs, changes = self.readout.compare(final, asked, spot.target)
            if not clean_known:
                sums.add_clean(outputs, spot.group)
                clean_known = True
            for (place, _changed), found in zip(together, changes, strict=True):
                sums.add(place, found, spot.group)

    def _asked(
        self, batch: TokenBatch, clean: Clean, made: list[Variant], acts: Tensor, spot: Spot, sums: EffectSums
    ) -> Iterator[tuple[int, Tensor | LowRank]]:
        """(place of the first, what is changed) of neighbours of one kind; their lengths go into the sums."""
        counted = batch.mask.to(clean.x.device)
        for place, together in self._side_by_side(made, batch.ids.numel()):
            change = _change(acts, together)
            taken = torch.zeros(len(together), *clean.x.shape, device=clean.x.device)
            taken[:, counted] = change.dense()
            here = taken[:, spot.mask]
            lengths = here[:, spot.ordinary].double().square().sum((1, 2))
            sums.tensors["squares"][place : place + len(together)] += lengths.cpu()
            if self.direct and change.directions.shape[1] <= _RANK:
                yield place, LowRank(change.coefficients[:, spot.mask[counted]], change.directions)
            else:
                yield place, self.tail.run(batch.ids, batch.attention, clean.entry, taken)[:, spot.mask]

    def _spot(self, batch: TokenBatch, x: Tensor) -> Spot:
        mask = batch.mask.clone()
        mask[:, -1] = False
        mask[:, :-1] &= batch.mask[:, 1:]
        following = batch.ids.roll(-1, dims=1)
        group = batch.group[:, None].expand_as(batch.ids)
        there = mask.to(x.device)
        ordinary = x[there].norm(dim=1) <= MASSIVE * self.subject.stored.median_norm
        return Spot(there, following[mask].to(x.device), group[mask], ordinary)

    def _add_facts(self, x: Tensor, spot: Spot, sums: EffectSums) -> None:
        known = x[spot.ordinary].double()
        sums.tensors["ordinary"] += len(known)
        off = known - self._middle().to(known.device)
        sums.tensors["spread"] += float(off.square().sum())
        sums.tensors["off"] += off.sum(0).cpu()

    def _middle(self) -> Tensor:
        """[D]: somewhere near the mean of x; a fixed pivot keeps sums mergeable and free of cancellation."""
        if self._pivot is None:
            first = next(self.batches())
            flat = load_file(self._kept(0, first))["x"].flatten(0, 1).double()
            self._pivot = flat[flat.norm(dim=1) <= MASSIVE * self.subject.stored.median_norm].mean(0)
        return self._pivot

    def _side_by_side(self, made: list[Variant], tokens: int) -> Iterator[tuple[int, list[Variant]]]:
        """(place, neighbours of one kind), as many at once as the forward pass has room for."""
        room = max(1, self.config.rows // tokens)
        at = 0
        for _kind, neighbours in itertools.groupby(made, lambda each: (len(each.latents), each.what == OWN)):
            rest = list(neighbours)
            for start in range(0, len(rest), room):
                yield at + start, rest[start : start + room]
            at += len(rest)


def _in_parts(
    found: Iterator[tuple[int, Tensor | LowRank]], vocabulary: int
) -> Iterator[list[tuple[int, Tensor | LowRank]]]:
    """As many at once as memory has room for, so that the clean model is read out for few of them alone."""
    held, size = list[tuple[int, Tensor | LowRank]](), 0
    for place, changed in found:
        held.append((place, changed))
        if isinstance(changed, LowRank):
            size += changed.directions[..., 0].numel() * vocabulary
        else:
            size += changed.numel()
        if size > _HELD:
            yield held
            held, size = [], 0
    if held:
        yield held


def _change(acts: Tensor, together: list[Variant]) -> LowRank:
    """The change of V variants with r directions each, on the counted tokens; `acts` [n, N] less their means."""
    columns = torch.tensor([each.latents for each in together], device=acts.device)  # [V, r]
    coefficients = -acts[:, columns].permute(1, 0, 2)  # [V, n, r]
    directions = torch.stack([each.directions for each in together]).to(acts)
    return LowRank(coefficients.contiguous(), directions)
