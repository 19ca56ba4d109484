"""Every accumulator's numbers once more: slowly, in float64, from the dense matrix of all tokens.

Nothing here calls the code under test but for constants that are its public choices (bin counts,
number of examples). Loops over tokens and latents on purpose: they are easy to check by eye.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from analysis.statistics.plan import PairPlan
from tests.planted import BOS, SPECIAL, World

Numbers = dict[str, Any]
Array = np.ndarray[Any, Any]
MASSIVE = 6.0


class Token(NamedTuple):
    """One counted token of a world."""

    context: int
    column: int
    id: int
    document: int
    group: int
    place: int  # in the document, BOS counted as a column of every context
    paragraph: int
    sentence: int
    ordinary: bool


class Dense(NamedTuple):
    """All counted tokens in reading order, with x [n, D] and acts [n, N] in float64."""

    tokens: list[Token]
    x: Array
    acts: Array

    def ordinary(self) -> Array:
        """[n] bool."""
        return np.array([token.ordinary for token in self.tokens], dtype=bool)


def dense(world: World) -> Dense:
    """Read the world token by token."""
    batch = world.batch
    rows = [
        (context, column)
        for context in range(world.contexts)
        for column in range(batch.ids.shape[1])
        if bool(batch.attention[context, column]) and int(batch.ids[context, column]) not in (BOS, SPECIAL)
    ]
    x = np.array([world.x[row].double().numpy() for row in rows]).reshape(len(rows), -1)
    acts = np.array([world.acts[row].double().numpy() for row in rows]).reshape(len(rows), world.latents)
    limit = MASSIVE * float(world.median_norm)
    tokens = [
        Token(
            context,
            column,
            int(batch.ids[context, column]),
            int(batch.document[context]),
            int(batch.group[context]),
            int(batch.start[context]) + column,
            int(batch.paragraph[context, column]),
            int(batch.sentence[context, column]),
            bool(np.sqrt((x[number] ** 2).sum()) <= limit),
        )
        for number, (context, column) in enumerate(rows)
    ]
    return Dense(tokens, x, acts)


def jackknife(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Ratio of sums over groups [(above, below)] with its 95 % interval, leaving out one group at a time."""
    pairs = [(above, below) for above, below in pairs if below > 0]
    if not pairs:
        return np.nan, np.nan, np.nan
    ratio = sum(a for a, _ in pairs) / sum(b for _, b in pairs)
    n = len(pairs)
    if n < 2:
        return ratio, np.nan, np.nan
    without = []
    for left_out in range(n):
        rest = pairs[:left_out] + pairs[left_out + 1 :]
        without.append(sum(a for a, _ in rest) / sum(b for _, b in rest))
    error = ((n - 1) / n * sum((value - ratio) ** 2 for value in without)) ** 0.5
    half = float(stats.t.ppf(0.975, n - 1)) * error
    return ratio, ratio - half, ratio + half


def density(world: World) -> Numbers:
    """Share of counted tokens on which a latent fires, with its interval over groups of documents."""
    data = dense(world)
    rows = []
    for latent in range(world.latents):
        by_group: dict[int, list[float]] = defaultdict(lambda: [0, 0])
        for token, value in zip(data.tokens, data.acts[:, latent], strict=True):
            by_group[token.group][0] += value != 0
            by_group[token.group][1] += 1
        ratio, low, high = jackknife([(a, b) for a, b in by_group.values()])
        rows.append((ratio, np.clip(low, 0, 1), np.clip(high, 0, 1)))
    ratio, low, high = np.array(rows).T
    return {"density": ratio, "low": low, "high": high, "tokens": len(data.tokens)}


def moments(world: World) -> Numbers:
    """Mean, spread, skewness over ordinary firing tokens; maximum and mass over all."""
    data = dense(world)
    rows = []
    for column in data.acts.T:
        firing, on = column[column != 0], column[(column != 0) & data.ordinary()]
        largest = max(firing, key=lambda value: (abs(value), value), default=np.nan)
        varies = len(on) > 0 and on.max() > on.min()
        rows.append(
            (
                len(on),
                on.mean() if len(on) else np.nan,
                on.std() if varies else (0.0 if len(on) else np.nan),
                stats.skew(on) if varies else np.nan,
                largest,
                np.abs(firing).sum(),
            )
        )
    names = ("count", "mean", "std", "skewness", "max", "mass")
    return dict(zip(names, np.array(rows, dtype=float).T, strict=True))


def histogram(world: World, signed: bool) -> Numbers:
    """Firings by activation in bins of an eighth of a doubling from 2^-12 to 2^20."""
    edges = [2.0 ** (eighth / 8 - 12) for eighth in range(257)]
    counts = np.zeros((world.latents, 512 if signed else 256), dtype=np.int64)
    for row in dense(world).acts:
        for latent, value in enumerate(row):
            if value == 0:
                continue
            place = sum(edge <= abs(value) for edge in edges) - 1
            place = min(max(place, 0), 255)
            counts[latent, (256 + place if value > 0 else 255 - place) if signed else place] += 1
    all_edges = [-edge for edge in reversed(edges)] + edges if signed else edges
    return {"counts": counts, "edges": np.array(all_edges)}


class TypeSums(NamedTuple):
    """One token type of one latent."""

    id: int
    total: float
    size: float
    firing: int


def top_tokens(world: World, k: int, support: int) -> Numbers:
    """Both rankings of token types, and no error: nothing was pruned."""
    data = dense(world)
    count = Counter(token.id for token in data.tokens)
    mass = np.abs(data.acts).sum(0)
    numbers: Numbers = {"error": np.zeros(world.latents), "types": len(count)}
    tables = {ranking: _empty_table(world.latents, k) for ranking in ("by_mean", "by_mass")}
    for latent in range(world.latents):
        types = _type_sums(data, latent)
        frequent = [t for t in types if count[t.id] >= support]
        ranked = {
            "by_mean": sorted(frequent, key=lambda t: (-abs(t.total / count[t.id]), t.id)),
            "by_mass": sorted(types, key=lambda t: (-t.size, t.id)),
        }
        for ranking, table in tables.items():
            for place, t in enumerate(ranked[ranking][:k]):
                values = (t.id, t.total / count[t.id], t.size / mass[latent], t.firing, count[t.id])
                for name, value in zip(table, values, strict=True):
                    table[name][latent, place] = value
    return numbers | {f"{r}.{name}": values for r, table in tables.items() for name, values in table.items()}


def _empty_table(latents: int, k: int) -> dict[str, Array]:
    fill = {"token": -1, "mean": 0.0, "share": 0.0, "firing": 0, "count": 0}
    return {name: np.full((latents, k), value) for name, value in fill.items()}


def _type_sums(data: Dense, latent: int) -> list[TypeSums]:
    by_type: dict[int, list[float]] = defaultdict(list)
    for token, value in zip(data.tokens, data.acts[:, latent].tolist(), strict=True):
        if value != 0:
            by_type[token.id].append(value)
    return [TypeSums(id, sum(v), sum(map(abs, v)), len(v)) for id, v in by_type.items()]


def positions(world: World, kind: str, latents: list[int], edges: list[int]) -> Numbers:
    """Mean activation by distance from a boundary, over ordinary tokens whose distance is known."""
    data = dense(world)
    bins = len(edges) - 1
    place = []
    for token in data.tokens:
        distance = {"context": token.column, "paragraph": token.paragraph, "sentence": token.sentence}[kind]
        inside = [b for b in range(bins) if edges[b] <= distance < edges[b + 1]]
        place.append(inside[0] if inside and token.ordinary else None)
    mean, low, high = (np.full((len(latents), bins), np.nan) for _ in range(3))
    for (row, latent), b in itertools.product(enumerate(latents), range(bins)):
        by_group: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for token, where, value in zip(data.tokens, place, data.acts[:, latent], strict=True):
            if where == b:
                by_group[token.group][0] += value
                by_group[token.group][1] += 1
        mean[row, b], low[row, b], high[row, b] = jackknife([(a, n) for a, n in by_group.values()])
    tokens = [sum(where == b for where in place) for b in range(bins)]
    return {"mean": mean, "low": low, "high": high, "tokens": np.array(tokens), "edges": np.array(edges)}


def reconstruction(world: World, decoder: Array, decoded: list[int]) -> Numbers:
    """L0 over all tokens, FVU over the ordinary tokens of the contexts `decoded`."""
    data = dense(world)
    ordinary = data.ordinary()
    chosen = ordinary & np.array([token.context in decoded for token in data.tokens], dtype=bool)
    x = data.x[chosen]
    error = ((x - data.acts[chosen] @ decoder) ** 2).sum()
    variance = ((x - x.mean(0)) ** 2).sum()
    l0 = (data.acts != 0).sum() / len(data.tokens)
    return {"l0": l0, "fvu": error / variance, "tokens": len(data.tokens), "ordinary": int(ordinary.sum())}


def joint(world: World, plan: PairPlan) -> Numbers:
    """Pairs as signed signals: R² over ordinary tokens, counts over all."""
    data = dense(world)
    ordinary = data.ordinary()
    columns: dict[str, list[Any]] = defaultdict(list)
    for number, (i, j) in enumerate(zip(plan.first.tolist(), plan.second.tolist(), strict=True)):
        norms = plan.norms[number].double().numpy()
        a, b = data.acts[:, i] * norms[0], data.acts[:, j] * norms[1]
        p = (data.x - plan.pivot.double().numpy()) @ plan.direction[number].double().numpy()
        values = [_correlation(p[ordinary], other[ordinary]) for other in (a - b, a, b)]
        columns["correlation"].append(values[0])
        for name, value in zip(("r2", "r2_first", "r2_second"), values, strict=True):
            columns[name].append(value**2)
        columns["both"].append(((a != 0) & (b != 0)).sum())
        columns["first"].append((a != 0).sum())
        columns["second"].append((b != 0).sum())
        columns["z_mean"].append((a - b)[ordinary].mean())
        columns["histogram"].append(_signed_histogram(a, b, float(plan.z_sd[number])))
    edges = np.arange(65) / 4 - 8
    numbers: Numbers = {name: np.array(values) for name, values in columns.items()}
    return numbers | {"tokens": len(data.tokens), "z_sd": plan.z_sd.double().numpy(), "edges": edges}


def _correlation(p: Array, other: Array) -> float:
    if np.ptp(p) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(p, other)[0, 1])


def _signed_histogram(a: Array, b: Array, sd: float) -> Array:
    counts = np.zeros((3, 64), dtype=np.int64)
    for one, two in zip(a, b, strict=True):
        z = one - two
        side = 0 if z > 0 else 1 if z < 0 else 0 if one or two else 2
        counts[side, min(max(int(np.floor((z / sd + 8) * 4)), 0), 63)] += 1
    return counts


def unit(key: int, salt: int) -> float:
    """splitmix64 of a key, top 24 bits, in whole numbers."""
    return (_bits(key, salt) >> 40) / 2**24


def _bits(key: int, salt: int) -> int:
    mask = (1 << 64) - 1
    z = (key + 0x9E3779B97F4A7C15 * (2 * salt + 1)) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def examples(world: World, latents: list[int], partners: list[int], cuts: Array, k: int, seed: int) -> Numbers:
    """The best k contexts of each kind (top, a level more than there are cuts, random, off), with 40 tokens before the
    focus and 23 after."""
    data = dense(world)
    rows = [[_best(world, data, m, latent, partners[m], cuts[m], kind, k, seed) for kind in range(cuts.shape[1] + 4)]
            for m, latent in enumerate(latents)]  # fmt: skip
    names = ("score", "document", "start", "begin", "end", "acts", "partner")
    return {name: np.array([[kind[name] for kind in row] for row in rows]) for name in names}


def _best(
    world: World, data: Dense, m: int, latent: int, partner: int, cuts: Array, kind: int, k: int, seed: int
) -> Numbers:
    candidates: dict[int, tuple[float, int, Token]] = {}
    levels = len(cuts) + 1
    salt = seed * 16 + max(0, kind - levels)
    drawn = _drawn(data, salt)
    for token, row in zip(data.tokens, data.acts, strict=True):
        if token not in drawn if kind > 0 else not token.ordinary:
            continue
        size = abs(row[latent])
        serial = _serial(token)
        level = sum(size > cut for cut in cuts)
        chance = unit(serial, salt)
        allowed = size == 0 if kind == levels + 2 else size > 0 and (kind in (0, levels + 1) or level == kind - 1)
        score = size if kind == 0 else chance
        if allowed and (token.context not in candidates or score > candidates[token.context][0]):
            candidates[token.context] = (score, serial, token)
    best = sorted(candidates.values(), key=lambda c: (-c[0], c[1]))[:k]
    windows = [_window(world, data, token, latent, partner) for _, _, token in best]
    empty = {
        "document": -1,
        "start": -1,
        "begin": [-1] * 64,
        "end": [-1] * 64,
        "acts": [0.0] * 64,
        "partner": [0.0] * 64,
    }
    rows = windows + [empty] * (k - len(best))
    columns: Numbers = {name: [row[name] for row in rows] for name in empty}
    return columns | {"score": [c[0] for c in best] + [-np.inf] * (k - len(best))}


def _serial(token: Token) -> int:
    return token.document * 2**41 + (token.place - token.column) * 2**12 + token.column


def _drawn(data: Dense, salt: int) -> set[Token]:
    """The 16 tokens of each context with the largest hash."""
    contexts = defaultdict(list)
    for token in data.tokens:
        contexts[token.context].append((unit(_serial(token), salt), token))
    return {token for found in contexts.values() for _, token in sorted(found, reverse=True)[:16]}


def _window(world: World, data: Dense, focus: Token, latent: int, partner: int) -> Numbers:
    acts = {(token.context, token.column): row for token, row in zip(data.tokens, data.acts, strict=True)}
    columns = range(focus.column - 40, focus.column + 24)
    real = [0 <= c < world.batch.ids.shape[1] and bool(world.batch.attention[focus.context, c]) for c in columns]
    rows = [acts.get((focus.context, c)) for c in columns]
    return {
        "document": focus.document,
        "start": focus.place - focus.column,
        **{
            name: [int(place[focus.context, c]) if ok else -1 for c, ok in zip(columns, real, strict=True)]
            for name, place in (("begin", world.batch.begin), ("end", world.batch.end))
        },
        "acts": [0.0 if row is None else row[latent] for row in rows],
        "partner": [0.0 if row is None else row[partner] for row in rows],
    }


# --- what the classes look at ---------------------------------------------------------------------


def contexts(world: World, latents: list[int], directions: Array, pivot: Array, room: int, seed: int) -> Numbers:
    """The contexts with the smallest hashes, in the order of their documents, token by token."""
    data = dense(world)
    start = world.batch.start.tolist()
    places = {token.context: (token.document, start[token.context]) for token in data.tokens}
    kept = sorted(places, key=lambda context: _bits(_place(*places[context]), seed) & ((1 << 63) - 1))
    while sum(token.context in kept for token in data.tokens) > room:
        kept.pop()
    kept.sort(key=lambda context: places[context])
    rows = [row for context in kept for row, token in enumerate(data.tokens) if token.context == context]
    tokens = [data.tokens[row] for row in rows]
    begin = world.batch.begin
    return {
        "sample.token": np.array([token.id for token in tokens]),
        "sample.context": np.array([kept.index(token.context) for token in tokens]),
        "sample.column": np.array([token.column for token in tokens]),
        "sample.paragraph": np.array([token.paragraph for token in tokens]),
        "sample.sentence": np.array([token.sentence for token in tokens]),
        "sample.begin": np.array([int(begin[token.context, token.column]) for token in tokens]),
        "sample.document": np.array([places[context][0] for context in kept]),
        "sample.group": np.array([int(world.batch.group[context]) for context in kept]),
        "latents": np.array(latents),
        "values": (data.x[rows] - pivot) @ directions.astype(np.float64).T,
        "side": np.sign(data.acts[rows][:, latents]),
        "ordinary": np.array([token.ordinary for token in tokens], dtype=bool),
        "directions": directions,
        "acts": data.acts[rows][:, latents],
        "norm": np.linalg.norm(data.x[rows], axis=1),
        "beside": (data.x[rows] - pivot) @ directions[:2].astype(np.float64).T,
    }


def covariance(world: World, seed: int) -> Numbers:
    """Two halves of the drawn contexts' ordinary tokens."""
    halves = _halves(world, seed)
    data = dense(world)
    return {
        "tokens": np.array([len(rows) for rows in halves]),
        "mean": np.array([data.x[rows].mean(0) if rows else np.full(data.x.shape[1], np.nan) for rows in halves]),
        "covariance": np.array([_second(data.x[rows], data.x[rows]) for rows in halves]),
    }


def mixture(world: World, pool: list[int], directions: Array, seed: int) -> Numbers:
    """The same for pool latents and signals."""
    halves = _halves(world, seed)
    data = dense(world)
    acts, signals = data.acts[:, pool], data.x @ directions.astype(np.float64).T
    return {
        "tokens": np.array([len(rows) for rows in halves]),
        "pool": np.array([_second(acts[rows], acts[rows]) for rows in halves]),
        "cross": np.array([_second(acts[rows], signals[rows]) for rows in halves]),
        "signal": np.array([np.diag(_second(signals[rows], signals[rows])) for rows in halves]),
    }


def _halves(world: World, seed: int) -> list[list[int]]:
    """Rows of the ordinary tokens of the drawn contexts, by half of the groups of documents."""
    data, start = dense(world), world.batch.start.tolist()
    found: list[list[int]] = [[], []]
    for row, token in enumerate(data.tokens):
        if token.ordinary and unit(_place(token.document, start[token.context]), seed * 64 + 41) < 0.5:
            found[token.group >= 32].append(row)
    return found


def _second(a: Array, b: Array) -> Array:
    if not len(a):
        return np.full((a.shape[1], b.shape[1]), np.nan)
    found: Array = (a - a.mean(0)).T @ (b - b.mean(0)) / len(a)
    return found


def _place(document: int, start: int) -> int:
    return (document << 41) + (start << 12)
