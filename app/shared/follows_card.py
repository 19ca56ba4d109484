"""What a latent follows as its page shows it: a sentence, a bar beside those of controls, and the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.shared.followed import LONGEST, PARTS, SOURCES, Follows, Part, Segment, segments, share_of
from app.shared.numbers import count, percent, share, span

LEAST = 0.05  # share of variance from which on a part is named
_FRACTIONS = (
    (0.92, "almost all"), (0.71, "three quarters"), (0.62, "two thirds"), (0.54, "more than half"), (0.46, "half"),
    (0.37, "two fifths"), (0.29, "a third"), (0.225, "a quarter"), (0.17, "a fifth"), (0.12, "a seventh"),
    (0.08, "a tenth"), (0.0, "a twentieth"),
)  # fmt: skip
NOTHING: Mapping[str, Follows] = {}
ORDERS = "averaged over orders"
GROUPS = {"control": "sparse latents, median", "random": "random directions, median"}


class Line(NamedTuple):
    """A bar with its name."""

    title: str
    total: str
    parts: list[Segment]


class SourceRow(NamedTuple):
    """A source in the table."""

    title: str
    added: str
    interval: str
    alone: str
    control: str
    random: str


@dataclass(frozen=True)
class FollowsCard:
    """The card."""

    words: str
    """In a sentence."""
    lines: list[Line]
    """The latent, then sparse controls and random directions."""
    legend: tuple[Part, ...]
    rows: list[SourceRow]
    total: SourceRow
    alike: list[str]
    """Sources that cannot be told apart, in words."""
    tokens: str
    documents: str


def follows_card(
    found: Follows, layer: Mapping[str, Any], title: str = "this latent", beside: Mapping[str, Follows] = NOTHING
) -> FollowsCard:
    """Of a latent that was divided, or of a pair.

    Args:
        layer: medians of its SAE by group, as stored; empty where there are none.
        title: of its bar.
        beside: further bars by title, before those of controls.
    """
    medians = {name: layer[name] for name in GROUPS if layer.get(name, {}).get("latents")}
    held = {title: found, **beside}
    lines = [Line(name, share(one.total[0]), segments(one.added)) for name, one in held.items()]
    lines[1:1] = _over_orders(found)
    lines += [Line(GROUPS[name], share(one["total"]), segments(one["added"])) for name, one in medians.items()]
    return FollowsCard(
        words=follows_words(found),
        lines=lines,
        legend=PARTS,
        rows=[
            SourceRow(
                SOURCES.get(one.name, one.name),
                percent(one.added[0]),
                span(one.added[1], one.added[2], percent),
                percent(one.alone[0]),
                *(share(medians[name]["added"].get(one.name)) if name in medians else "" for name in GROUPS),
            )
            for one in found.sources
        ],
        total=SourceRow(
            "all together",
            percent(found.total[0]),
            span(found.total[1], found.total[2], percent),
            "",
            *(share(medians[name]["total"]) if name in medians else "" for name in GROUPS),
        ),
        alike=[f"{SOURCES.get(one, one)} and {SOURCES.get(other, other)}" for one, other in found.alike],
        tokens=count(found.tokens),
        documents=count(found.documents),
    )


def _over_orders(found: Follows) -> list[Line]:
    """The same with what each part adds averaged over all orders, so that none has it for coming first."""
    shares = {one.sources[0]: one.share for one in found.orders}
    known = [value for value in shares.values() if value is not None]
    return [Line(ORDERS, share(sum(known)), segments(shares))] if known else []


def follows_words(found: Follows) -> str:
    """In a sentence, the largest part first."""
    named = sorted(((share_of(found.added, part), part.key) for part in PARTS), reverse=True)
    named = [(value, key) for value, key in named if value >= LEAST]
    if not named:
        return "It follows nothing that was measured: less than a twentieth of its variance is predicted by anything."
    said = [f"{fraction(value)} {'of it ' if not place else ''}is {_what(key, found)}" if not place
            else f"{fraction(value)} {_what(key, found)}" for place, (value, key) in enumerate(named)]  # fmt: skip
    text = ", ".join(said)
    rest = 1 - max(0.0, found.total[0] or 0.0)
    more = f"; {share(rest)} follows nothing that was measured" if rest >= LEAST else ""
    return f"{text[0].upper()}{text[1:]}{more}."


def fraction(value: float) -> str:
    """In words."""
    return next(words for least, words in _FRACTIONS if value >= least)


def _what(key: str, found: Follows) -> str:
    if key != "state":
        return {
            "word": "the word itself",
            "before": "the two words before",
            "place": "the place in the text and the part of speech",
            "norm": "the norm of the residual vector",
        }[key]
    lasts = found.half_life
    if lasts is None or lasts < 4:
        return "its own past"
    if lasts >= LONGEST:
        return f"a slow state that lasts {LONGEST} tokens or more"
    return f"a slow state that lasts about {lasts:.0f} tokens"
