"""The report of a run of rows: does anything follow the labels, how sure is that, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.field.home import FieldHome, LabelCard, PowerRow, field_home
from app.field.queries import checks, roles
from app.labels import queries as labels
from app.labels.queries import Tested
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.language import _
from app.shared.numbers import count, date, duration, ranges
from app.shared.page import RunPage
from app.shared.slide import MOST_BARS, PALE, POLE, Bar, Part, Picture, Reported, Slide, followed_picture, share

MOST_LIMITS = 5


@dataclass(frozen=True)
class FieldReport(RunPage, Reported):
    """A run of rows in what one prints."""

    template = "report/base.html"


def field_report(session: Session, run: RunInfo, verdicts: list[str]) -> FieldReport:
    """The report of a run.

    Args:
        verdicts: what was decided, in sentences.
    """
    home = field_home(session, run, "")
    tested = labels.tested(session, run)
    return FieldReport(
        title=_("Report"),
        nav="home",
        run=run,
        slide=_slide(home, tested, verdicts, _warned(session, run)),
        measured=_measured(home, roles(session, run)),
        hashes=[(run.corpus, run.corpus_sha256), *((sae.slug, sae.sha256) for sae in home.saes)],
        missing=[
            (_("What changes without these units: nothing was taken out of the network."), ""),
            *(
                (_("Label %(name)s: %(reason)s.", name=card.label.name, reason=card.label.reason), "")
                for card in home.cards
                if card.label.reason
            ),
        ],
    )


def _warned(session: Session, run: RunInfo) -> list[str]:
    """What was said of the data before the work, but for its size."""
    return [
        str(check["words"]) for check in checks(session, run) if check.get("words") and check.get("code") not in _SIZES
    ]


_SIZES = {"size", "table", "groups"}


def _slide(home: FieldHome, tested: Mapping[str, Tested], verdicts: list[str], warned: list[str]) -> Slide:
    run, cards = home.run, _by_margin(home.cards, tested)
    return Slide(
        headline=_headline(home),
        sentence=_sentence(home, cards, tested),
        pictures=_pictures(home, cards, tested),
        decided=verdicts,
        limits=_limits(home, cards, warned),
        footer=f"{run.model_name}, {run.corpus}, {run.words}, {date(run.finished)}",
    )


def _by_margin(cards: Sequence[LabelCard], tested: Mapping[str, Tested]) -> list[LabelCard]:
    """Those that dense units follow most, beyond what sparse ones do, first."""
    return sorted(cards, key=lambda card: (card.best is None, -_margin(tested.get(card.label.name))))


def _margin(of: Tested | None) -> float:
    if of is None or not of.of_dense:
        return 0.0
    return of.dense / of.of_dense - (of.controls / of.of_controls if of.of_controls else 0.0)


def _headline(home: FieldHome) -> str:
    total, followed, over = len(home.cards), home.followed, share(home.run.dense_threshold)
    if not total:
        return _("%(home)s; the table has no labels to hold against them.", home=_dense(home))
    if not followed:
        return _(
            "None of %(total)s labels is followed by a unit that is on in more than %(over)s of rows.",
            total=count(total),
            over=over,
        )
    verb = _("label is") if total == 1 else _("labels are") if followed != 1 else _("labels is")
    return _(
        "%(followed)s of %(total)s %(verb)s followed by a unit that is on in more than %(over)s of rows.",
        followed=count(followed),
        total=count(total),
        verb=verb,
        over=over,
    )


def _dense(home: FieldHome) -> str:
    run = home.run
    return _(
        "%(n_dense)s of %(n_latents)s units are on in more than %(dense_threshold)s of rows",
        n_dense=count(run.n_dense),
        n_latents=count(run.n_latents),
        dense_threshold=share(run.dense_threshold),
    )


def _sentence(home: FieldHome, cards: Sequence[LabelCard], tested: Mapping[str, Tested]) -> str:
    best = next((card for card in cards if card.best), None)
    if best is None or best.best is None:
        return f"{_dense(home)}."
    of = tested.get(best.label.name)
    effect = best.best.effect.replace(" (", ", ").rstrip(")")
    made = _(
        "%(name)s stands out most: %(name2)s goes with it (%(effect)s)",
        name=best.label.name,
        name2=best.best.name,
        effect=effect,
    )
    if of is not None and of.of_dense and of.of_controls:
        dense, sparse = share(of.dense / of.of_dense), share(of.controls / of.of_controls)
        made += _("; %(dense)s of dense units follow it, %(sparse)s of sparse ones", dense=dense, sparse=sparse)
    return f"{made}. {best.adds}".strip()


def _pictures(home: FieldHome, cards: Sequence[LabelCard], tested: Mapping[str, Tested]) -> list[Picture]:
    held = [(card.label.name, tested[card.label.name]) for card in cards if _held(card, tested)]
    made = [followed_picture(held, "units")] if held else []
    if predicted := [card for card in cards if card.powers]:
        made.append(_powers(predicted))
    best = next((card for card in cards if card.best and card.means), None)
    if best:
        made.append(_means(best))
    others = [_how_many(home.saes), _never(home.saes), _mass(home.saes)]
    return (made + others)[:3]


def _held(card: LabelCard, tested: Mapping[str, Tested]) -> bool:
    return not card.label.reason and card.label.name in tested and tested[card.label.name].of_dense > 0


def _powers(cards: Sequence[LabelCard]) -> Picture:
    """All dense units against the raw columns, of the labels that are first."""
    shown = cards[: MOST_BARS // 2]
    bars = []
    for card in shown:
        ranked = sorted(card.powers, key=lambda row: _ORDER.get(_kind(row), 9))
        first = next((row for row in ranked if _kind(row) != "raw"), ranked[0])
        bars.append(_power(card.label.name, first, POLE))
        raw = next((row for row in ranked if _kind(row) == "raw"), None)
        if raw is not None and raw is not first:
            bars.append(_power("raw", raw, PALE))
    left = _(" %(shown)s of %(cards)s labels.", shown=len(shown), cards=len(cards)) if len(cards) > len(shown) else ""
    measures = " and ".join(dict.fromkeys(card.measure for card in shown if card.measure))
    note = _(
        "%(measures)s of all dense units and of the raw columns; line: 95 %% interval, tick: chance.%(left)s",
        measures=measures,
        left=left,
    )
    return Picture(_("How well do they predict it, in groups kept out?"), bars, note)


_ORDER = {"dense": 0, "best": 1, "sparse": 2, "raw": 3}


def _kind(row: PowerRow) -> str:
    titles = {"all dense units": "dense", "the raw columns": "raw", "all sparse units": "sparse"}
    return titles.get(row.title, "best")


def _power(name: str, row: PowerRow, colour: str) -> Bar:
    value = row.words.split(" (")[0]
    return Bar(name, [Part(0, row.at, colour)], value, (row.low, row.high), row.chance, quiet=colour == PALE)


def _means(card: LabelCard) -> Picture:
    """Group means of the unit that goes with the label best."""
    shown = card.means[:MOST_BARS]
    bars = []
    for mean in shown:
        start, width = sorted((card.zero, mean.at))[0], abs(mean.at - card.zero)
        part = Part(start, round(width, 2), POLE if mean.at >= card.zero else "--n")
        bars.append(Bar(mean.value, [part], mean.mean, (mean.low, mean.high)))
    left = (
        _(" %(shown)s of %(means)s groups.", shown=len(shown), means=len(card.means))
        if len(card.means) > len(shown)
        else ""
    )
    name = card.best.name if card.best else ""
    note = _(
        "Standard deviations from its mean over all rows; the line is the 95 %% interval over groups.%(left)s",
        left=left,
    )
    return Picture(f"{name} by {card.label.name}", bars, note)


def _how_many(saes: Sequence[SaeInfo]) -> Picture:
    rows = [(sae, sae.dense_share) for sae in saes[:MOST_BARS]]
    return _shares(_("How many units are always on"), rows, _("Share of the units of each matrix."))


def _never(saes: Sequence[SaeInfo]) -> Picture:
    rows = [(sae, sae.n_dead / sae.n_latents) for sae in saes[:MOST_BARS]]
    return _shares(_("How many are never on"), rows, _("Share of the units of each matrix."))


def _mass(saes: Sequence[SaeInfo]) -> Picture:
    rows = [(sae, sae.dense_mass_share or 0.0) for sae in saes[:MOST_BARS]]
    return _shares(_("How much of the activation they carry"), rows, _("Share of all activation of each matrix."))


def _shares(title: str, rows: Sequence[tuple[SaeInfo, float]], note: str) -> Picture:
    bars = [Bar(sae.slug.split("/")[-1], [Part(0, round(100 * value, 2), POLE)], share(value)) for sae, value in rows]
    return Picture(title, bars, note)


def _limits(home: FieldHome, cards: Sequence[LabelCard], warned: Sequence[str]) -> list[str]:
    made = [_("Causes: that a unit follows a label does not show that anything works through it.")]
    made += [_("Which label it is: %(text)s.", text=text) for card in cards for text in card.confounds[:1]][:2]
    made += warned
    run = home.run
    groups = _(" in %(documents)s groups", documents=count(run.documents)) if run.documents != run.tokens else ""
    made.insert(
        1, _("Other data: %(tokens)s rows%(groups)s of one table were read.", tokens=count(run.tokens), groups=groups)
    )
    return list(dict.fromkeys(made))[:MOST_LIMITS]


def _measured(home: FieldHome, held: Mapping[str, str]) -> list[tuple[str, str]]:
    run = home.run
    matrices = ", ".join(f"{sae.slug} ({count(sae.n_latents)})" for sae in home.saes)
    groups = f"{count(run.documents)} groups" + (f" by {held['group']}" if "group" in held else "")
    rows = [
        ("table", run.corpus),
        ("rows", f"{count(run.tokens)} in {groups}"),
        (_("matrices and their units"), matrices),
        (_("dense means"), _("on in more than %(cut)s of rows", cut=share(run.dense_threshold))),
        (_("follows a label"), _("beyond shuffled labels, with the other columns held fixed, and in groups kept out")),
        ("intervals", _("95 %% over groups")),
        ("seed", str(run.seed)),
        ("runs" if len(run.runs) > 1 else "run", ranges(run.runs)),
        ("finished", f"{date(run.finished)} after {duration(run.seconds)}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
    ]  # fmt: skip
    return [row for row in rows if row[1]]
