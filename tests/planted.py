"""Small worlds whose truths are known: token streams cut as one likes, and SAEs with planted latents.

A `World` is every context of a small corpus at once, with what the SAE reads at each token. Tests cut
it into batches (`steps`), so that "the same stream, cut otherwise" is one argument.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.reading.batches import TokenBatch
from analysis.reading.corpus import group_of
from analysis.reading.firing import listed
from analysis.reading.sae import LoadedSae
from analysis.run.panel import Panel
from analysis.run.pilot import Draw, Pilot, make_plan
from analysis.statistics.base import Step, counted_tokens, ordinary_tokens
from analysis.statistics.geometry import Partners, partners
from analysis.statistics.plan import Plan, Settings

BOS = 0
SPECIAL = 1  # a second special token, in the middle of texts
VOCAB = 40


@dataclass(frozen=True)
class World:
    """C contexts of at most T columns, column 0 being BOS; everything is right-padded.

    `x` [C, T, D] is what the SAE reads and `acts` [C, T, N] what it says; both hold junk at
    columns that are not counted, since nothing may look there.
    """

    batch: TokenBatch
    x: Tensor
    acts: Tensor
    median_norm: Tensor

    @property
    def contexts(self) -> int:
        """C."""
        return len(self.batch.ids)

    @property
    def latents(self) -> int:
        """N."""
        return self.acts.shape[-1]

    def part(self, first: int, last: int) -> TokenBatch:
        """Contexts `first` to `last` as one batch, as narrow as they allow, cursor at `last`."""
        width = int(self.batch.attention[first:last].sum(1).max())
        cut = {
            name: value[first:last, :width] if value.dim() == 2 else value[first:last]
            for name, value in self.batch._asdict().items()
            if isinstance(value, Tensor)
        }
        return TokenBatch(**cut, lead=self.batch.lead, cursor=last)

    def step(self, first: int, last: int) -> Step:
        """Contexts `first` to `last` as the accumulators get them."""
        batch = self.part(first, last)
        width = batch.ids.shape[1]
        x = self.x[first:last, :width][batch.mask]
        acts = self.acts[first:last, :width][batch.mask]
        ordinary = ordinary_tokens(x, self.median_norm)
        return Step(batch, counted_tokens(batch, x.device), ordinary, x, listed(acts, acts != 0))

    def steps(self, cuts: Sequence[int]) -> Iterator[Step]:
        """The whole stream, cut after each of the given numbers of contexts (any order, any repeats)."""
        places = sorted({0, *(cut for cut in cuts if 0 < cut < self.contexts), self.contexts})
        for first, last in itertools.pairwise(places):
            yield self.step(first, last)


def law_world(seed: int, signed: bool = False, contexts: int = 24, width: int = 14, d: int = 6) -> World:
    """A stream with every trap in it.

    Contexts of one token and of nothing but special tokens; special tokens inside; paragraphs and
    sentences known and unknown; several contexts a document, documents sharing groups; massive
    tokens; and eight latents: dead, always on, constant, constant but rare, full of ties, dense,
    sparse, and a mirror of the dense one (firing where it does not).
    """
    random = torch.Generator().manual_seed(seed)
    batch = _law_batch(random, contexts, width)
    x = torch.randn(contexts, width, d, generator=random)
    massive = torch.rand(contexts, width, generator=random) < 0.05
    x[massive] *= 40
    acts = _law_acts(random, contexts, width)
    acts[massive] *= 3
    if signed:
        acts *= torch.where(torch.rand(acts.shape, generator=random) < 0.4, -1.0, 1.0)
        acts[..., 2] = acts[..., 2].abs()
    return World(batch, x, acts, torch.tensor(float(d) ** 0.5))


def _law_batch(random: torch.Generator, contexts: int, width: int) -> TokenBatch:
    length = torch.randint(2, width + 1, (contexts,), generator=random)
    length[1] = 2  # BOS and one token
    column = torch.arange(width).expand(contexts, width)
    attention = column < length[:, None]
    ids = torch.randint(2, VOCAB, (contexts, width), generator=random)
    ids[torch.rand(contexts, width, generator=random) < 0.08] = SPECIAL
    ids[2, 1:] = SPECIAL
    ids[:, 0] = BOS
    ids[~attention] = BOS
    order = torch.randperm(contexts, generator=random)
    document, chunk = order // 3 * 11, order % 3
    start = chunk * (width - 1)
    unknown = (document % 2 == 0)[:, None]
    paragraph = torch.where(unknown, -1, (column + start[:, None]) % 9)
    sentence = (column + start[:, None]) % 5 - (column == 2).long()
    return TokenBatch(
        ids=ids,
        attention=attention,
        mask=attention & (ids != BOS) & (ids != SPECIAL),
        document=document,
        start=start,
        group=torch.tensor([group_of(int(d)) for d in document]),
        repeats=torch.zeros(contexts, dtype=torch.bool),
        template=torch.zeros_like(ids, dtype=torch.bool),
        paragraph=paragraph,
        sentence=sentence.clamp(min=-1),
        begin=torch.where(attention & (column > 0), start[:, None] * 5 + column * 5, -1),
        end=torch.where(attention & (column > 0), start[:, None] * 5 + column * 5 + 5, -1),
        lead=1,
        cursor=contexts,
    )


def _law_acts(random: torch.Generator, contexts: int, width: int) -> Tensor:
    shape = (contexts, width)
    noise = torch.randn(*shape, generator=random)
    rare = torch.rand(*shape, generator=random)
    return torch.stack(
        [
            torch.zeros(shape),
            0.1 + torch.rand(*shape, generator=random),
            torch.full(shape, 0.3),
            torch.where(rare < 0.2, 0.7, 0.0),
            torch.randint(0, 3, shape, generator=random).float(),
            noise.clamp(min=0),
            torch.where(rare > 0.95, noise.abs() * 100, 0.0),
            (-noise).clamp(min=0) * 1e-5,
        ],
        -1,
    )


def flat(summary: Any, prefix: str = "") -> dict[str, Any]:
    """A summary's fields by name, nested ones as `outer.inner`."""
    found: dict[str, Any] = {}
    for name, value in summary._asdict().items():
        if hasattr(value, "_asdict"):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


# --- SAEs with planted latents --------------------------------------------------------------------


def sae_folder(
    folder: Path,
    encoder: Tensor,
    decoder: Tensor,
    bias: Tensor | None = None,
    *,
    kind: str = "Standard",
    hook: str = "blocks.1.hook_resid_post",
    b_dec: Tensor | None = None,
    **settings: Any,
) -> Path:
    """An SAE with these weights in sae-lens' own format.

    Args:
        folder: is made.
        encoder, decoder: [N, D], a latent a row.
        bias: of the encoder [N]; 0 where None.
        kind: Standard, TopK, AbsTopK or JumpReLU.
        hook: its hook point.
        b_dec: [D]; 0 where None.
        settings: further ones of its configuration, as k.
    """
    import sae_lens

    config = getattr(sae_lens, f"{kind}SAEConfig")(d_in=encoder.shape[1], d_sae=len(encoder), **settings)
    config.metadata.hook_name = hook
    sae = getattr(sae_lens, f"{kind}SAE")(config)
    with torch.no_grad():
        sae.W_enc.copy_(encoder.T)
        sae.W_dec.copy_(decoder)
        sae.b_enc.copy_(torch.zeros(len(encoder)) if bias is None else bias)
        sae.b_dec.copy_(torch.zeros(encoder.shape[1]) if b_dec is None else b_dec)
    sae.save_model(str(folder))
    return folder


class Measured(NamedTuple):
    """All that is known of an SAE after it has read a world."""

    sae: LoadedSae
    plan: Plan
    geometry: Partners
    panel: Panel

    def row(self, latent: int) -> int:
        """The latent's place among those with detail."""
        return self.plan.latents.tolist().index(latent)

    def pair(self, one: int, other: int) -> int:
        """The pair's place in the plan."""
        return list(zip(self.plan.pairs.first.tolist(), self.plan.pairs.second.tolist(), strict=True)).index(
            (min(one, other), max(one, other))
        )


def measure(sae: LoadedSae, world: World, pilot: int = 24, asked: Sequence[int] = (), batch: int = 8) -> Measured:
    """What the worker does with one SAE: geometry, a plan from the first `pilot` contexts, every batch."""
    assert sae.encoder is not None
    geometry = partners(sae.encoder, sae.decoder)
    first = world.x[:pilot][world.batch.mask[:pilot]]
    wanted = torch.tensor(asked, dtype=torch.int64)
    plan = make_plan(sae, geometry, Pilot(first, sae.fire), 0.1, wanted, Draw(random=4, pool=4))
    panel = Panel(sae, plan, Settings(world.batch.ids.shape[1], batch, VOCAB, 0, class_tokens=4000))
    for start in range(0, world.contexts, batch):
        part = world.part(start, min(start + batch, world.contexts))
        x = world.x[start : start + batch, : part.ids.shape[1]]
        panel.update(part, counted_tokens(part, x.device), x[part.mask])
    return Measured(sae, plan, geometry, panel)


# --- texts with structure -------------------------------------------------------------------------


def text_world(seed: int, d: int, documents: int = 96, chunks: int = 2, width: int = 48) -> World:
    """Documents of `chunks` contexts, with sentences of 4 to 12 tokens and paragraphs of 2 to 4 sentences.

    `x` is unit noise scaled by 0.1; tests add what they plant. Every token counts but BOS.
    """
    random = np.random.default_rng(seed)
    contexts, room = documents * chunks, width - 1
    distances = [_structure(random, chunks * room) for _ in range(documents)]
    sentence, paragraph = (
        torch.tensor(np.stack([pair[n] for pair in distances])).view(contexts, room) for n in range(2)
    )
    ids = torch.from_numpy(random.integers(2, VOCAB, (contexts, width)))
    ids[:, 0] = BOS
    document = torch.arange(contexts) // chunks
    unknown = torch.full((contexts, 1), -1)
    batch = TokenBatch(
        ids=ids,
        attention=torch.ones_like(ids, dtype=torch.bool),
        mask=ids != BOS,
        document=document,
        start=torch.arange(contexts) % chunks * room,
        group=torch.tensor([group_of(int(d)) for d in document]),
        repeats=torch.zeros(contexts, dtype=torch.bool),
        template=torch.zeros_like(ids, dtype=torch.bool),
        paragraph=torch.cat([unknown, paragraph], 1),
        sentence=torch.cat([unknown, sentence], 1),
        begin=torch.cat([unknown, torch.arange(room).expand(contexts, room) * 5], 1),
        end=torch.cat([unknown, torch.arange(room).expand(contexts, room) * 5 + 5], 1),
        lead=1,
        cursor=contexts,
    )
    x = torch.from_numpy(0.1 * random.standard_normal((contexts, width, d))).float()
    return World(batch, x, torch.empty(contexts, width, 0), torch.tensor(1.0))


def _structure(random: np.random.Generator, tokens: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distance of each token from the start of its sentence and of its paragraph."""
    sentence = np.zeros(tokens, dtype=np.int64)
    paragraph = np.zeros(tokens, dtype=np.int64)
    left = sentences = 0
    for token in range(1, tokens):
        sentence[token], paragraph[token] = sentence[token - 1] + 1, paragraph[token - 1] + 1
        if left == 0:
            sentence[token], left = 0, int(random.integers(4, 13))
            if sentences == 0:
                paragraph[token], sentences = 0, int(random.integers(2, 5))
            sentences -= 1
        left -= 1
    return sentence, paragraph
