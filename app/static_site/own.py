"""Pages that a site makes itself: the list, the search, and what people say."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.annotations.panel import category_of, note_parts
from app.annotations.queries import AnnotationInfo
from app.categories.queries import CategoryInfo, list_categories
from app.classes import queries as classes
from app.classes.queries import Key, ScoreInfo
from app.labels import queries as labels
from app.latents import queries as latents
from app.latents.queries import Filters, LatentInfo, Order
from app.report import queries as report
from app.static_site.fields import SiteAnnotationsPage, SiteBrowsePage, SiteSearchPage, Spoken
from app.static_site.plan import Plan
from app.vocabulary import HUMAN_VERDICTS, NONE, RULE_VERDICTS
from store.vocabulary import UNEXPLAINED, UNMEASURED

WITHOUT_SCRIPT = 2_000
"""Rows of the list that stand in its file, for readers without JavaScript."""
SAID = 2_000
"""Annotations a site shows."""
_BATCH = 500


def browse_page(session: Session, plan: Plan, total: int, left_out: int) -> SiteBrowsePage:
    """The list with its dense latents."""
    dense = _dense(session, plan)
    keys = [(one.analysis_id, one.index) for one in dense]
    held: dict[Key, list[ScoreInfo]] = {}
    for start in range(0, len(keys), _BATCH):
        held |= classes.classes_of(session, keys[start : start + _BATCH])
    return SiteBrowsePage(
        title="Latents",
        nav="latents",
        run=plan.run,
        saes=plan.saes,
        latents=dense,
        classes=held,
        class_choices=[
            ("", "any or none"),
            ("any", "any of the six"),
            *classes.CLASSES.items(),
            (UNEXPLAINED, "unexplained"),
            (UNMEASURED, "not measured"),
        ],
        verdict_choices=[("", "any or none"), *RULE_VERDICTS.items(), (NONE, "no verdict")],
        labels=labels.label_names(session, plan.run),
        categories=[one for one in list_categories(session) if not one.archived],
        total=total,
        left_out=left_out,
    )


def _dense(session: Session, plan: Plan) -> list[LatentInfo]:
    held = {sae.analysis_id for sae in plan.saes}
    found: list[LatentInfo] = []
    cursor = None
    while len(found) < WITHOUT_SCRIPT:
        page = latents.list_latents(session, plan.run, Filters(dense=True), Order("density", True), cursor, _BATCH)
        found += [one for one in page.items if one.analysis_id in held]
        cursor = page.next
        if cursor is None:
            break
    return found[:WITHOUT_SCRIPT]


def search_page(plan: Plan) -> SiteSearchPage:
    """The search."""
    total = sum(len(found) for found in plan.latents.values())
    return SiteSearchPage("Search", "search", plan.run, total)


def annotations_page(session: Session, plan: Plan) -> SiteAnnotationsPage:
    """What people say of the site's SAEs."""
    known, held = list_categories(session), {sae.slug for sae in plan.saes}
    said = report.latest_said(session, plan.run, SAID + 1, saes=held)
    links: dict[int, str] = {}
    for sae in plan.saes:
        links.setdefault(sae.layer, f"/saes/{sae.slug}/latents/")
    spoken = [_spoken(slug, layer, one, known, links) for slug, layer, one in said[:SAID]]
    return SiteAnnotationsPage("Annotations", "annotations", plan.run, spoken, more=len(said) > SAID)


def _spoken(slug: str, layer: int, one: AnnotationInfo, known: list[CategoryInfo], links: dict[int, str]) -> Spoken:
    pair = one.other >= 0
    path = f"pairs/{one.index}/{one.other}" if pair else f"latents/{one.index}"
    return Spoken(
        about=f"L{layer}/{one.index}" + (f" ⇄ {one.other}" if pair else ""),
        href=f"/saes/{slug}/{path}",
        said=one,
        note=note_parts(one.note, {**links, layer: f"/saes/{slug}/latents/"}),
        category=category_of(one.category, known),
        verdict=HUMAN_VERDICTS.get(one.verdict or "", one.verdict or ""),
    )
