"""`/saes/{slug}/pairs/{i}/{j}`: two latents as one signed axis."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import plots
from app.deps import RunId, SessionDep
from app.pages import PairView, Snippet
from app.queries.examples import find_examples
from app.queries.latents import LatentFacts, find_latent
from app.queries.pairs import PairFacts, find_pair
from app.queries.profiles import find_profiles
from app.queries.saes import find_sae
from app.rendering import respond, shell
from app.tinting import Tint, snippet, strip, tint_for

router = APIRouter(include_in_schema=False)


@router.get("/saes/{slug:path}/pairs/{i}/{j}")
def pair(request: Request, session: SessionDep, slug: str, i: int, j: int, run: RunId = None) -> Response:
    """One pair, in either order of its latents."""
    return respond(request, session, lambda: pair_view(session, slug, i, j, run))


def pair_view(session: Session, slug: str, i: int, j: int, run_id: int | None) -> PairView:
    """Its content."""
    run, sae = find_sae(session, slug, run_id)
    found = find_pair(session, sae.analysis_id, i, j)
    ends = [find_latent(session, sae.analysis_id, index) for index in (found.positive, found.negative)]
    profiles = [find_profiles(session, sae.analysis_id, end.index) for end in ends]
    names = (str(found.positive), str(found.negative))
    kinds = [kind for kind in ("context", "paragraph", "sentence") if any(kind in p.positions for p in profiles)]
    curves = [plots.pair_positions(kind, *[p.positions.get(kind) for p in profiles], names) for kind in kinds]
    tint = _both_sides(ends[0], found)
    return PairView(
        shell=shell(session, "latents", run_id, run.id),
        sae=sae,
        pair=found,
        positive=ends[0],
        negative=ends[1],
        positive_profiles=profiles[0],
        negative_profiles=profiles[1],
        signed=plots.signed_histogram(found),
        positions=[curve for curve in curves if curve is not None],
        positive_examples=_top(session, sae.analysis_id, ends[0], found),
        negative_examples=_top(session, sae.analysis_id, ends[1], found),
        strip=strip(run.strip, profiles[0].strip, profiles[1].strip, tint),
    )


def _both_sides(latent: LatentFacts, pair: PairFacts) -> Tint:
    """On a pair's page both poles have their colour, however near to mirror images they are."""
    sign = -1 if pair.negative == latent.index else 1
    return Tint(True, sign, tint_for(latent, pair).scale)


def _top(session: Session, analysis_id: int, latent: LatentFacts, pair: PairFacts) -> list[Snippet]:
    tint = _both_sides(latent, pair)
    found = find_examples(session, analysis_id, latent.index)
    return [snippet(example, tint) for example in (*found.get("top", [])[:2], *found.get("random", [])[:2])]
