"""Alphabet: the latent promotes, or suppresses, tokens that begin with one letter."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.classes.base import Evidence, Finding, Lens, beats, declared, rounded, unmeasured
from analysis.statistics.geometry import promoted_tokens
from analysis.statistics.ranks import benjamini_hochberg
from store.vocabulary import NO, YES, Statement

TOP = 100
SIDES = ("promoted", "suppressed")

ORDER = 40
THRESHOLDS = {
    "alphabet_share": 0.9,  # of the most promoted (or suppressed) tokens, with one first letter (reported)
    "alphabet_depth": 0.8,  # only layers beyond this share of the depth are labelled
}
STATISTIC = declared(
    "alphabet", "Alphabet",
    f"Share of the {TOP} tokens whose logit the latent's decoder direction raises most (or lowers most) that have the"
    " same first letter; case and leading spaces do not count, and a token without a letter counts as a miss. Special,"
    " byte and unused tokens are left out. Label: a share of at least 90 %, above the chance level, in the last"
    " 20 % of the layers; computed at every layer. p: hypergeometric, against as many tokens drawn from the"
    " vocabulary, times letters and sides; q after Benjamini-Hochberg over latents. A smaller share that exceeds the"
    " chance level, with q at most 0.05, is said to lean to the letter, which is no label.",
    "R", "90 % of 100: reported about Sun et al. 2025; p and restriction to late layers: our own",
)  # fmt: skip


class Letters(NamedTuple):
    """First letters of the vocabulary."""

    names: list[str]
    of: Tensor  # [vocab] int64, index into names; -1: no letter
    allowed: Tensor  # [vocab] bool
    share: Tensor  # [letters] float64: of the allowed tokens


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    letters = letters_of(evidence.lens)
    if int(letters.allowed.sum()) < 4 * TOP:
        return unmeasured({"code": "small_vocabulary"}, evidence.count)
    found = promoted_tokens(evidence.signals.directions, evidence.lens.unembedding, letters.allowed, TOP)
    sides = torch.stack([found.promoted, found.suppressed], 1)  # [q, 2, TOP]
    count, letter = _most_common(letters, sides)
    side = count.argmax(1)
    rows = torch.arange(len(side))
    count, letter = count[rows, side], letter[rows, side]
    p = _p(letters, count, letter)
    q = benjamini_hochberg(p[: evidence.count])
    chance = evidence.level(count[evidence.count :] / TOP)
    eligible = evidence.layer + 1 > evidence.thresholds["alphabet_depth"] * evidence.lens.layers
    return [
        _finding(evidence, letters, sides[n, side[n]], int(side[n]), float(p[n]), float(q[n]), chance, eligible)
        for n in range(evidence.count)
    ]


def first_letter(word: str) -> str:
    """The first letter of a token, case folded; empty where it has none."""
    return next((letter.casefold()[0] for letter in word if letter.isalpha()), "")


def letters_of(lens: Lens) -> Letters:
    """First letters of all tokens, and which tokens may be looked at."""
    first = [first_letter(word) for word in lens.words]
    names = sorted(set(first) - {""})
    place = {name: number for number, name in enumerate(names)}
    of = torch.tensor([place.get(letter, -1) for letter in first])
    allowed = lens.sayable.cpu()
    counts = torch.bincount(of[allowed & (of >= 0)], minlength=len(names)).double()
    return Letters(names, of, allowed, counts / allowed.sum())


def _most_common(letters: Letters, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """How often the most common letter occurs among the tokens [..., TOP], and which it is."""
    mine = letters.of[tokens.cpu()]
    size = len(letters.names) + 1
    flat = mine.reshape(-1, TOP) + 1
    counts = torch.zeros(len(flat), size, dtype=torch.int64).scatter_add_(1, flat, torch.ones_like(flat))
    best = counts[:, 1:].max(1)
    return best.values.view(tokens.shape[:-1]), best.indices.view(tokens.shape[:-1])


def _p(letters: Letters, count: Tensor, letter: Tensor) -> Tensor:
    """[q] float64: chance that so many of as many tokens drawn at random share a letter, on either side."""
    whole = int(letters.allowed.sum())
    with_letter = (letters.share[letter] * whole).round()
    tests = len(SIDES) * len(letters.names)
    return (hypergeometric_tail(count.double(), whole, with_letter, TOP) * tests).clamp(max=1.0)


def hypergeometric_tail(count: Tensor, whole: int, marked: Tensor, drawn: int) -> Tensor:
    """P(at least `count` marked) among `drawn` of `whole`, of which `marked` are; [q] float64 each."""
    x = torch.arange(drawn + 1, dtype=torch.float64)
    marked = marked[:, None]
    possible = (x <= marked) & (drawn - x <= whole - marked)
    logs = _choose(marked, x) + _choose(whole - marked, drawn - x)
    logs = logs - _choose(torch.tensor(float(whole), dtype=torch.float64), torch.tensor(float(drawn)))
    mass = torch.where(possible, logs, -torch.inf).exp()
    return torch.where(x >= count[:, None], mass, 0.0).sum(1).clamp(max=1.0)


def _choose(n: Tensor, k: Tensor) -> Tensor:
    n, k = n.double(), k.double()
    k = torch.minimum(k, n).clamp(min=0)
    return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)


def _finding(
    evidence: Evidence,
    letters: Letters,
    tokens: Tensor,
    side: int,
    p: float,
    q: float,
    chance: float,
    eligible: bool,
) -> Finding:
    ids = tokens.tolist()
    counted = Counter(letters.names[n] if (n := int(letters.of[token])) >= 0 else "" for token in ids)
    letter, count = max(((name, n) for name, n in counted.items() if name), key=lambda item: item[1], default=("", 0))
    share = count / TOP
    pure = beats(share, evidence.thresholds["alphabet_share"], chance)
    leans = share > chance and q <= evidence.thresholds["q"]
    data: dict[str, Any] = {
        "side": SIDES[side], "letter": letter, "count": count, "of": TOP, "eligible": eligible,
        "lift": rounded(share / float(letters.share[letters.names.index(letter)])) if letter else None,
        "letters": {name or "none": n for name, n in counted.most_common()},
        "tokens": [evidence.lens.words[token] for token in ids],
    }  # fmt: skip
    return Finding(
        YES if pure and eligible else NO,
        _statement(SIDES[side], letter, count, pure, eligible, leans) | {"chance": rounded(chance)},
        score=share,
        cut=evidence.thresholds["alphabet_share"],
        chance=chance,
        p=p,
        q=q,
        data=data,
    )


def _statement(side: str, letter: str, count: int, pure: bool, eligible: bool, leans: bool) -> Statement:
    if pure:
        code = "letter" if eligible else "early"
    else:
        code = "leans" if leans else "chance" if count > TOP // 2 else "none"
    return {"code": code, "side": side, "letter": letter, "count": count, "of": TOP}
