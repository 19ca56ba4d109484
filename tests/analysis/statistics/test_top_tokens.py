"""The table of token types is exact while it fits; once pruned, its error bounds what is missing."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch

from analysis.statistics.top_tokens import TokenTable, TopTokensSummary
from tests.analysis import slow_reference as slow
from tests.planted import VOCAB, World, law_world

torch.set_num_threads(1)

LATENTS = 8
TINY = 2  # types kept per latent: far fewer than occur
EXACT = [4, 6]


def pruned_table(world: World) -> TokenTable:
    """Two machines that merge one context at a time, pruning again and again, merged at the end."""
    machines = [tiny_table(), tiny_table()]
    for number, step in enumerate(world.steps(range(world.contexts))):
        shard = tiny_table()
        shard.update(step)
        machines[number % 2].merge(shard)
    machines[0].merge(machines[1])
    return machines[0]


def tiny_table() -> TokenTable:
    """Room for two types a latent, and all that is left reported."""
    return TokenTable(LATENTS, VOCAB, torch.tensor(EXACT), capacity=TINY, k=VOCAB)


def true_shares(world: World) -> dict[tuple[int, int], float]:
    """(latent, token type) -> share of the latent's summed |activation|."""
    data = slow.dense(world)
    mass: dict[tuple[int, int], float] = defaultdict(float)
    for token, row in zip(data.tokens, abs(data.acts), strict=True):
        for latent, size in enumerate(row):
            mass[latent, token.id] += size
    total = abs(data.acts).sum(0)
    return {(latent, id): size / total[latent] for (latent, id), size in mass.items() if total[latent] > 0}


def reported_shares(found: TopTokensSummary) -> dict[tuple[int, int], float]:
    """What the table still knows, in the same form."""
    ranked = zip(found.by_mass.token.tolist(), found.by_mass.share.tolist(), strict=True)
    return {
        (latent, id): share
        for latent, (ids, shares) in enumerate(ranked)
        for id, share in zip(ids, shares, strict=True)
        if id >= 0
    }


@pytest.mark.parametrize("seed", range(5))
def test_a_pruned_table_is_off_by_at_most_its_error(seed: int) -> None:
    world = law_world(seed, signed=True, contexts=60)
    found = pruned_table(world).summarise()
    reported = reported_shares(found)
    short = {key: share - reported.get(key, 0.0) for key, share in true_shares(world).items()}
    worst = [max((s for (latent, _), s in short.items() if latent == n), default=0.0) for n in range(LATENTS)]
    assert all(missing <= bound + 1e-12 for missing, bound in zip(worst, found.error.tolist(), strict=True))
    assert min(short.values()) > -1e-12, "no type may be credited with more than it has"
    assert len([key for key in short if key not in reported]) > 50, "nothing was pruned: the test shows nothing"
    assert (found.error <= 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_latents_with_detail_are_never_pruned(seed: int) -> None:
    world = law_world(seed, signed=True, contexts=60)
    found = pruned_table(world).summarise()
    expected = slow.top_tokens(world, VOCAB, 5)
    assert found.error[EXACT].tolist() == [0.0] * len(EXACT)
    for ranking in ("by_mean", "by_mass"):
        for name, values in getattr(found, ranking)._asdict().items():
            torch.testing.assert_close(
                values[EXACT].double(), torch.tensor(expected[f"{ranking}.{name}"][EXACT]).double(), rtol=1e-9, atol=0
            )


def test_a_merged_table_keeps_the_error_of_its_shards() -> None:
    shard = pruned_table(law_world(0, contexts=60))
    total = tiny_table()
    total.merge(shard)
    assert shard.summarise().error.max() > 0
    assert (total.summarise().error >= shard.summarise().error).all()


def test_a_table_with_room_is_exact_and_says_so() -> None:
    world = law_world(0)
    table = TokenTable(LATENTS, VOCAB, k=VOCAB)
    for step in world.steps([7]):
        table.update(step)
    found = table.summarise()
    assert found.error.tolist() == [0.0] * LATENTS
    assert reported_shares(found) == pytest.approx({k: s for k, s in true_shares(world).items() if s > 0})


def test_a_rare_type_is_not_ranked_by_its_mean() -> None:
    """One lucky occurrence with a huge activation would lead the list of every latent."""
    world = law_world(3)
    table = TokenTable(LATENTS, VOCAB, k=VOCAB)
    for step in world.steps([]):
        table.update(step)
    by_mean, by_mass, _, _ = table.summarise()
    assert int(by_mean.count[by_mean.token >= 0].min()) >= 5
    assert int(by_mass.count[by_mass.token >= 0].min()) < 5
