"""What a latent follows as its page shows it: a sentence, a bar beside those of controls, and the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.shared.followed import LONGEST, PARTS, SOURCES, Follows, Part, Segment, segments, share_of
from app.shared.language import N_, Words, _, translated
from app.shared.numbers import count, percent, share, span
from app.shared.statements import listed

LEAST = 0.05  # share of variance from which on a part is named
_FRACTIONS = (
    (0.92, N_("almost all")), (0.71, N_("three quarters")), (0.62, N_("two thirds")), (0.54, N_("more than half")),
    (0.46, N_("half")), (0.37, N_("two fifths")), (0.29, N_("a third")), (0.225, N_("a quarter")),
    (0.17, N_("a fifth")), (0.12, N_("a seventh")), (0.08, N_("a tenth")), (0.0, N_("a twentieth")),
)  # fmt: skip
_WHAT = Words(
    {
        "word": N_("the word itself"),
        "before": N_("the two words before"),
        "place": N_("the place in the text and the part of speech"),
        "norm": N_("the norm of the residual vector"),
    }
)
NOTHING: Mapping[str, Follows] = {}
ORDERS = N_("averaged over orders")
GROUPS = Words({"control": N_("sparse latents, median"), "random": N_("random directions, median")})


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
    found: Follows, layer: Mapping[str, Any], title: str = "", beside: Mapping[str, Follows] = NOTHING
) -> FollowsCard:
    """Of a latent that was divided, or of a pair.

    Args:
        layer: medians of its SAE by group, as stored; empty where there are none.
        title: of its bar.
        beside: further bars by title, before those of controls.
    """
    medians = {name: layer[name] for name in GROUPS if layer.get(name, {}).get("latents")}
    held = {title or _("this latent"): found, **beside}
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
            _("all together"),
            percent(found.total[0]),
            span(found.total[1], found.total[2], percent),
            "",
            *(share(medians[name]["total"]) if name in medians else "" for name in GROUPS),
        ),
        alike=[listed([SOURCES.get(one, one), SOURCES.get(other, other)]) for one, other in found.alike],
        tokens=count(found.tokens),
        documents=count(found.documents),
    )


def _over_orders(found: Follows) -> list[Line]:
    """The same with what each part adds averaged over all orders, so that none has it for coming first."""
    shares = {one.sources[0]: one.share for one in found.orders}
    known = [value for value in shares.values() if value is not None]
    return [Line(translated(ORDERS), share(sum(known)), segments(shares))] if known else []


def follows_words(found: Follows) -> str:
    """In a sentence, the largest part first."""
    named = sorted(((share_of(found.added, part), part.key) for part in PARTS), reverse=True)
    named = [(value, key) for value, key in named if value >= LEAST]
    if not named:
        return _(
            "It follows nothing that was measured: less than a twentieth of its variance is predicted by anything."
        )
    parts = [(fraction(value), _what(key, found)) for value, key in named]
    said = [_("%(fraction)s of it is %(what)s", fraction=parts[0][0], what=parts[0][1])]
    said += [_("%(fraction)s %(what)s", fraction=much, what=what) for much, what in parts[1:]]
    text = _(", ").join(said)
    rest = 1 - max(0.0, found.total[0] or 0.0)
    more = _("; %(share)s follows nothing that was measured", share=share(rest)) if rest >= LEAST else ""
    return f"{text[0].upper()}{text[1:]}{more}{_('.')}"


def fraction(value: float) -> str:
    """In words."""
    return next(translated(words) for least, words in _FRACTIONS if value >= least)


def _what(key: str, found: Follows) -> str:
    if key != "state":
        return _WHAT[key]
    lasts = found.half_life
    if lasts is None or lasts < 4:
        return _("its own past")
    if lasts >= LONGEST:
        return _("a slow state that lasts %(n)s tokens or more", n=LONGEST)
    return _("a slow state that lasts about %(n)s tokens", n=f"{lasts:.0f}")
