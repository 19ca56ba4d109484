"""The compare page: two to four latents, or one in two runs, side by side on shared axes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from sqlalchemy.orm import Session

from app.annotations.panel import said_now
from app.classes import queries as classes
from app.compare.fields import Compared, ComparePage, Difference
from app.compare.plots import POLES, STROKES
from app.compare.references import MOST, Reference, address
from app.compare.shared import plots_of, rows_of, token_lists
from app.latents.facts import scale_of, why_unmeasured
from app.latents.record import LatentRecord, read_latent
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.colours import Stroke
from app.shared.language import _
from app.shared.links import Pin, latent_name
from app.shared.numbers import MINUS, THIN, interval, percent
from app.shared.tokens import Paint, Passage
from app.verdicts.page import ruling
from store.vocabulary import NO_CLASS

RUNS = 12  # in the choice of SAEs: the newest


@dataclass(frozen=True)
class Found:
    """A latent as read."""

    reference: Reference
    run: RunInfo
    sae: SaeInfo
    it: LatentRecord

    @property
    def key(self) -> tuple[int, int]:
        """Analysis and index."""
        return self.it.key


def compare_page(session: Session, asked: list[Reference], pinned: Pin) -> ComparePage:
    """The page; without any latent, only the form.

    Args:
        pinned: what holds for those references that name no run.

    Raises:
        NotFound: a reference leads nowhere.
    """
    pin, found = pinned.query, _once([_find(session, one, pinned) for one in asked])
    strokes, columns = strokes_of(found), []
    for place, one in enumerate(found):
        columns.append(_column(session, one, found, place, strokes[place], pin))
    held = by_run(session)
    read = [(column, one.it) for column, one in zip(columns, found, strict=True)]
    histograms, positions = plots_of(read)
    return ComparePage(
        title=_("Compare %(names)s", names=", ".join(column.name for column in columns))
        if columns
        else _("Compare latents"),
        nav="latents",
        columns=columns,
        rows=rows_of(read),
        differences=differences(columns),
        histograms=histograms,
        positions=positions,
        tokens=token_lists(read),
        units=_units(found),
        choices=choices(held),
        suggestions=_suggestions(session, found, held, pin) if len(found) < MOST else [],
        most=MOST,
        runs=list({one.run.analyses: one.run for one in found}.values()),
    )


def _find(session: Session, one: Reference, pinned: Pin) -> Found:
    shown = runs.run_of_sae(session, one.slug, pinned if one.run is None else Pin(one.run))
    sae = saes.find_sae(session, shown, one.slug)
    return Found(one, shown, sae, read_latent(session, sae, one.index))


def _once(found: list[Found]) -> list[Found]:
    return list({one.key: one for one in found}.values())


def strokes_of(found: list[Found]) -> tuple[Stroke, ...]:
    """Amber and blue where exactly a pair's two poles are compared, else shades."""
    if len(found) != 2 or not found[0].it.mirror or found[0].sae.analysis_id != found[1].sae.analysis_id:
        return STROKES
    if found[0].it.latent.partner != found[1].it.latent.index:
        return STROKES
    return POLES if found[0].it.pole > 0 else POLES[::-1]


def _column(session: Session, one: Found, found: list[Found], place: int, stroke: Stroke, pin: str) -> Compared:
    letter, scores, own = "ABCD"[place], one.it.scores, Pin(one.reference.run).query or pin
    return Compared(
        letter=letter,
        name=f"{letter}, {latent_name(one.sae.layer, one.it.index)}",
        stroke=stroke,
        reference=str(one.reference),
        run=one.run,
        sae=one.sae,
        latent=one.it.latent,
        pin=own,
        functions=[score for score in scores.values() if score.holds and score.name not in NO_CLASS],
        unmeasured="" if scores else why_unmeasured(one.it.latent, bool(classes.tallies(session, one.sae.analysis_id))),
        ruling=ruling(one.it.verdict),
        said=said_now(session, one.run, one.sae, one.it.said, own),
        strip=_strip(session, one, stroke),
        without=address([other.reference for other in found if other is not one], pin),
    )


def _strip(session: Session, one: Found, stroke: Stroke) -> Passage:
    """The whole document by this latent alone; a negative pole has its own colour."""
    document, tokens = runs.strip_of(session, one.run)
    below = stroke.colour == "--n"
    paint = Paint(one.it.latent.index, scale_of(one.it.latent), -1 if below else 1, signed=below)
    return Passage(document, 0, tokens, one.it.profiles.strip or [], None, None, paint)


def differences(columns: list[Compared]) -> list[Difference]:
    """Each latent that stands in two runs. Two texts, or one text read twice, so the intervals are told, not joined."""
    return [
        _difference(first, second)
        for first, second in combinations(columns, 2)
        if (first.sae.sha256, first.latent.index) == (second.sae.sha256, second.latent.index)
    ]


def _difference(first: Compared, second: Compared) -> Difference:
    points = 100 * (second.latent.density - first.latent.density)
    shown = f"{'+' if points > 0 else MINUS if points < 0 else ''}{abs(points):.2f}{THIN}points"
    return Difference(_in_run(first), _in_run(second), shown, _overlap(first, second))


def _in_run(one: Compared) -> str:
    between = interval(one.latent.density_low, one.latent.density_high)
    return _(
        "%(letter)s, run %(run)s: %(density)s", letter=one.letter, run=one.sae.run, density=percent(one.latent.density)
    ) + (f" ({between})" if between else "")


def _overlap(first: Compared, second: Compared) -> str:
    ends = [first.latent.density_low, first.latent.density_high, second.latent.density_low, second.latent.density_high]
    low, high, other_low, other_high = ends
    if low is None or high is None or other_low is None or other_high is None:
        return _("One of the two has no interval.")
    if high < other_low or other_high < low:
        return _("The 95 %% intervals do not overlap: more than chance over documents.")
    return _("The 95 %% intervals overlap: it may be chance over documents.")


def _units(found: list[Found]) -> str:
    if len({one.sae.sha256 for one in found}) < 2:
        return ""
    return _("Activations are in each SAE's own unit: compare their shapes across SAEs, not their places on the axis.")


Held = list[tuple[RunInfo, list[SaeInfo]]]


def by_run(session: Session) -> Held:
    """The newest runs with their SAEs."""
    return [(run, saes.list_saes(session, run)) for run in runs.list_runs(session)[:RUNS]]


def choices(held: Held) -> list[tuple[RunInfo, list[tuple[str, str]]]]:
    """By run: an SAE goes by its name where the run is the newest that holds it, else with the run's number."""
    seen: set[str] = set()
    made = []
    for run, own in held:
        made.append((run, [(one.slug if one.slug not in seen else f"{one.slug}@{run.id}", one.slug) for one in own]))
        seen |= {one.slug for one in own}
    return made


def _suggestions(session: Session, found: list[Found], held: Held, pin: str) -> list[tuple[str, str]]:
    """Mirror image, near-duplicate, its continuation in the next layers, the same latent in other runs."""
    there = [one.reference for one in found]
    keys = {one.key for one in found}
    made: dict[str, str] = {}
    for one in found:
        for words, key, reference in _near(one, held):
            if key not in keys:
                made.setdefault(words, address([*there, reference], pin))
    return list(made.items())[:8]


def _near(one: Found, held: Held) -> list[tuple[str, tuple[int, int], Reference]]:
    latent, here = one.it.latent, one.reference
    name = f"L{one.sae.layer}"
    near = []
    if latent.partner is not None and one.it.mirror:
        near.append((_("mirror image"), (one.sae.analysis_id, latent.partner), latent.partner))
    if latent.duplicate_of is not None:
        near.append(("near-duplicate", (one.sae.analysis_id, latent.duplicate_of), latent.duplicate_of))
    made = [(f"{words} {name}/{index}", key, Reference(here.slug, index, here.run)) for words, key, index in near]
    for side, step in one.it.chain.items():
        words = _(
            "layer %(after)s, L%(layer)s/%(index)s",
            after="before" if side == "previous" else "after",
            layer=step.layer,
            index=step.index,
        )
        made.append((words, (step.analysis_id, step.index), Reference(step.slug, step.index, here.run)))
    for run, own in held:
        for sae in own:
            if sae.sha256 == one.sae.sha256 and sae.analysis_id != one.sae.analysis_id:
                words = _("%(name)s/%(index)s in run %(id)s", name=name, index=latent.index, id=run.id)
                made.append((words, (sae.analysis_id, latent.index), Reference(here.slug, latent.index, run.id)))
    return made
