"""Four latents to look at first. Which, `KINDS` says: the first four kinds that have one, each with the latent that
is most so, none twice. The same store gives the same four."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.classes.score import ScoreInfo
from app.home import queries
from app.latents import queries as latents
from app.latents.facts import paint_of, passage_of
from app.latents.queries import Excerpt, LatentInfo
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.language import N_, _, translated
from app.shared.links import latent_at, latent_name, pair_at
from app.shared.memory import remembered
from app.shared.numbers import THIN, minus, number
from app.shared.record import Key
from app.shared.tokens import Passage
from store.tables import Latent
from store.vocabulary import UNEXPLAINED

MOST = 4
MIRRORS, NEEDED = N_("Mirror pair on the most tokens"), N_("Needed most")
WORD, PAST = N_("Follows the word most"), N_("Follows its past most")
AROUND = (18, 10)
"""Tokens before and after the strongest one: a few lines of a card; of a pair half as many, twice."""


class Candidate(NamedTuple):
    """A latent that may stand for its kind, and what is said of it."""

    key: Key
    words: str
    partner: int | None = None
    """The other end, where a pair is meant."""


@dataclass(frozen=True)
class Featured:
    """A card."""

    kind: str
    name: str
    href: str
    classes: list[ScoreInfo]
    words: str
    """One sentence."""
    passages: list[Passage]
    """Around its strongest token, of a pair around that of each end; empty where no example was kept."""


def featured(session: Session, run: RunInfo, saes: Sequence[SaeInfo]) -> list[Featured]:
    """The cards of a run; fewer where it has fewer kinds."""
    return remembered(session, ("featured", run.analyses), lambda: _featured(session, run, saes))


def _featured(session: Session, run: RunInfo, saes: Sequence[SaeInfo]) -> list[Featured]:
    chosen: list[tuple[str, Candidate]] = []
    seen = set[Key]()
    for kind, find in KINDS:
        fresh = (one for one in find(session, run) if not seen & set(_ends(one)))
        found = next(fresh, None) if len(chosen) < MOST else None
        if found:
            chosen.append((kind, found))
            seen.update(_ends(found))
    keys = [key for _kind, one in chosen for key in _ends(one)]
    rows = {(row.analysis_id, row.index): row for row in latents.find_rows(session, keys)}
    held, texts = classes.classes_of(session, keys), latents.find_strongest(session, keys)
    by_id = {sae.analysis_id: sae for sae in saes}
    return [_card(kind, one, by_id[one.key[0]], rows, held, texts) for kind, one in chosen]


def _ends(one: Candidate) -> list[Key]:
    return [one.key, *([] if one.partner is None else [(one.key[0], one.partner)])]


def _card(
    kind: str,
    one: Candidate,
    sae: SaeInfo,
    rows: dict[Key, LatentInfo],
    held: dict[Key, list[ScoreInfo]],
    texts: dict[Key, Excerpt],
) -> Featured:
    (analysis_id, index), partner = one.key, one.partner
    name, href = latent_name(sae.layer, index), latent_at(sae.slug, index)
    if partner is None:
        paints = [paint_of(rows[one.key], None, 1)]
    else:
        own, other = (rows[key] for key in _ends(one))
        name, href = f"{name} ⇄ {partner}", pair_at(sae.slug, index, partner)
        paints = [paint_of(own, other, 1), paint_of(other, own, -1)]
    passages = [
        _around(passage_of(texts[key], paint), len(paints))
        for key, paint in zip(_ends(one), paints, strict=True)
        if key in texts
    ]
    return Featured(translated(kind), name, href, held.get((analysis_id, index), []), one.words, passages)


def _around(passage: Passage, parts: int) -> Passage:
    """The tokens about its focus."""
    focus, (before, after) = passage.focus or 0, AROUND
    start = max(0, focus - before // parts)
    part = slice(start, focus + after // parts + 1)
    return replace(
        passage,
        tokens=list(passage.tokens[part]),
        values=passage.values[part],
        partner=None if passage.partner is None else passage.partner[part],
        focus=focus - start,
    )


def two(share: float) -> str:
    """A share in two digits: 0.0312 -> "3.1 %"."""
    value = 100 * share
    return f"> 99{THIN}%" if 99 < value < 100 else minus(f"{value:.{0 if value >= 9.95 else 1}f}{THIN}%")


def _pairs(session: Session, run: RunInfo) -> Iterator[Candidate]:
    dense = queries.densities(session, run)
    for ends in queries.pairs(session, run):
        keys = {(ends.analysis_id, ends.positive), (ends.analysis_id, ends.negative)}
        if keys <= dense.keys():  # a pair of which one end hardly fires is one latent
            words = _("Two ends of one axis: either is on for %(share)s of tokens.", share=two(ends.coverage))
            yield Candidate((ends.analysis_id, ends.positive), words, ends.negative)


def _needed(session: Session, run: RunInfo) -> Iterator[Candidate]:
    needed = queries.needs(session, run).needed
    for found in queries.losses(session, run) if needed else ():
        if (found.analysis_id, found.index) in needed:
            loss = number(found.loss, 2)
            if found.control is None:
                words = _("Without it the loss rises by %(loss)s nats per token.", loss=loss)
            else:
                words = _(
                    "Without it the loss rises by %(loss)s nats per token; without a random direction of its length,"
                    " by %(control)s.",
                    loss=loss,
                    control=number(found.control, 2),
                )
            yield Candidate((found.analysis_id, found.index), words)


def _word(session: Session, run: RunInfo) -> Iterator[Candidate]:
    for key, share in queries.most_followed(session, run, Latent.word_share):
        yield Candidate(key, _("The word alone predicts %(share)s of its variance.", share=two(share)))


def _unexplained(session: Session, run: RunInfo) -> Iterator[Candidate]:
    groups = classes.groups_of(session, run)
    for key, density in queries.densities(session, run).items():
        if groups.get(key) == UNEXPLAINED:
            yield Candidate(
                key, _("On for %(share)s of tokens; nothing that was measured says why.", share=two(density))
            )


def _past(session: Session, run: RunInfo) -> Iterator[Candidate]:
    for key, share in queries.most_followed(session, run, Latent.past_share):
        yield Candidate(key, _("Its own past and the context predict %(share)s of its variance.", share=two(share)))


Find = Callable[[Session, RunInfo], Iterator[Candidate]]
KINDS: tuple[tuple[str, Find], ...] = (
    (MIRRORS, _pairs),
    (NEEDED, _needed),
    (WORD, _word),
    (N_("Densest of the unexplained"), _unexplained),
    (PAST, _past),
)
"""In this order; the most first within each."""
