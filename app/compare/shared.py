"""What several latents have on shared axes and in shared rows: statistics, plots, token lists."""

from __future__ import annotations

from app.compare.fields import Compared, Row, SharedList, SharedLists, SharedToken
from app.compare.plots import Line, Outline, histograms_figure, positions_figure
from app.latents import facts
from app.latents.columns import Cell, Column, Shown, Where, columns_of
from app.latents.facts import TokenList, TokenRow
from app.latents.plots import bars_of, series_points
from app.latents.profiles import TokenItem
from app.latents.record import LatentRecord
from app.shared.figures import View
from app.shared.language import _
from app.shared.numbers import count, number, percent, span
from app.vocabulary import KINDS
from store.vocabulary import ABLATE

Read = list[tuple[Compared, LatentRecord]]
POSITIONS = ("context", "paragraph", "sentence")


def rows_of(read: Read) -> list[Row]:
    """The statistics that two latents can be held against each other by."""
    if not read:
        return []
    return [
        Row(column.statistic, column.title or column.head, [_value(column, it) for _column, it in read])
        for column in columns_of(Where.COMPARED)
    ]


def _value(column: Column, record: LatentRecord) -> Cell:
    latent, why = record.latent, _("not measured")
    if column.measure:
        ablated = ABLATE in record.interventions
        why = _("it was not taken out") if ablated else _("the latents of this SAE were not taken out")
        why = _("%(why)s; dense-latents ablate does so", why=why)
    value, small, reason = column.cell(Shown(latent, record.effect), why)
    unit = " nats" if value and column.measure else ""
    other = (
        _("with %(partner)s, ", partner=latent.partner)
        if value and column.name == "antipodality" and latent.partner is not None
        else ""
    )
    return Cell(f"{value}{unit}", f"{other}{small}", reason)


def plots_of(read: Read) -> tuple[View | None, list[View]]:
    """Activations over each other, and mean activation over position."""
    outlines = [
        Outline(column.name, column.stroke, it.profiles.histogram, column.run.tokens)
        for column, it in read
        if it.profiles.histogram is not None and any(it.profiles.histogram.counts)
    ]
    return (_histograms(outlines) if outlines else None), [
        view for kind in POSITIONS for view in [_position(kind, read)] if view is not None
    ]


def _histograms(outlines: list[Outline]) -> View:
    rows = [
        (line.name, number(at), count(tokens), percent(tokens / line.tokens))
        for line in outlines
        for at, _width, tokens in zip(*bars_of(line.histogram), strict=True)
    ]
    said = [
        _(
            "%(name)s: on for %(tokens)s of tokens",
            name=line.name,
            tokens=percent(sum(line.histogram.counts) / line.tokens),
        )
        for line in outlines
    ]
    summary = _(
        "%(said)s. A line's height is the share of its run's tokens with such an activation.", said="; ".join(said)
    )
    head = ("latent", "activation", "tokens", "share")
    return View("activation", "activation", histograms_figure(outlines), summary, head, rows)


def _position(kind: str, read: Read) -> View | None:
    lines = [
        Line(column.name, column.stroke, it.profiles.positions[kind])
        for column, it in read
        if kind in it.profiles.positions
    ]
    if not lines:
        return None
    rows = [
        (line.name, number(at), number(mean), span(low, high, number), count(round(tokens or 0)))
        for line in lines
        for at, mean, low, high, tokens in series_points(line.series)
    ]
    absent = len(read) - len(lines)
    missing = (
        _(" %(absent)s of the latents %(have)s none.", absent=absent, have="has" if absent == 1 else "have")
        if absent
        else ""
    )
    summary = _(
        "Mean activation over all tokens, on or off, with a 95 %% interval, by position in %(kind)s.%(missing)s",
        kind=KINDS.get(kind, kind),
        missing=missing,
    )
    head = (_("latent"), _("position"), _("mean"), _("95 %% interval"), _("tokens"))
    return View(kind, _("in %(kind)s", kind=KINDS.get(kind, kind)), positions_figure(kind, lines), summary, head, rows)


def token_lists(read: Read) -> list[SharedLists]:
    """Top and promoted tokens; what another's list has too is marked, whether it is among those shown or not."""
    if not read:
        return []
    made = [facts.token_lists(it.latent, it.profiles, _side(column)) for column, it in read]
    top = [it.profiles.top_tokens for _column, it in read]
    promoted = [it.profiles.promoted for _column, it in read]
    return [
        _shared(_("Top tokens, by mean activation"), read, [one[0] for one in made], top),
        _shared(_("Promoted tokens"), read, [one[2] for one in made], promoted),
    ]


def _side(column: Compared) -> str:
    return {"--p": "p", "--n": "n"}.get(column.stroke.colour, "z")


def _shared(title: str, read: Read, shown: list[TokenList], whole: list[list[TokenItem]]) -> SharedLists:
    held = [{item.token for item in items} for items in whole]
    most = max((abs(_size(item)) for one in shown for item in one.rows), default=0.0) or 1.0
    made = [
        SharedList(
            column.letter,
            column.name,
            one.side,
            [
                SharedToken(row.token, round(100 * abs(_size(row)) / most, 1), row.shown, _also(row.token, place, held))
                for row in one.rows
            ],
            all(_size(row) >= 0 for row in one.rows),
            one.missing,
        )
        for place, ((column, _it), one) in enumerate(zip(read, shown, strict=True))
    ]
    return SharedLists(title, shown[0].term, _words(held), made)


def _size(row: TokenRow) -> float:
    return row.value or 0.0


def _also(token: str, place: int, held: list[set[str]]) -> str:
    return " ".join("ABCD"[other] for other, tokens in enumerate(held) if other != place and token in tokens)


def _words(held: list[set[str]]) -> str:
    if len(held) < 2:
        return ""
    several = sum(1 for token in set.union(*held) if sum(token in tokens for tokens in held) > 1)
    lists = _(
        "the %(value)s lists, of up to %(in_)s tokens each", value=len(held), in_=max(len(tokens) for tokens in held)
    )
    if not several:
        return _("No token is in more than one of %(lists)s.", lists=lists)
    shared = len(set.intersection(*held))
    whole = _(", %(shared)s in all", shared=shared) if len(held) > 2 else ""
    return _(
        "%(several)s %(are)s in more than one of %(lists)s%(value)s.",
        several=several,
        are="token is" if several == 1 else "tokens are",
        lists=lists,
        value=whole,
    )
