"""Try a text, as a page and in JSON. What is typed is neither stored nor logged, and no cache of ours keeps it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import WithJsonSchema
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from app.deps import PinDep, RendererDep, SessionDep
from app.http.errors import BadFilter, NotFound
from app.live.client import MOST_CHARACTERS, LiveClient, LiveText, Unread, too_long
from app.live.page import Fired, fired, shown_of, try_page
from app.live.queries import Asked, Sort, asked_of
from app.shared.language import N_, _
from app.shared.links import latent_at, latent_name
from app.shared.record import Record

api = APIRouter()
router = APIRouter()
UNKEPT = {"Cache-Control": "no-store"}
OFF = N_(
    "This server has no model at hand. Started with --live, on a machine that has the model and the"
    " SAEs, it reads texts: dense-latents serve --live."
)
_OF_ROWS = N_("This run was made of rows of activations: there is no model that could read a text.")

Text = Annotated[
    str,
    Query(description="What the model reads: at most 4,000 characters and 512 tokens."),
    WithJsonSchema({"type": "string", "maxLength": MOST_CHARACTERS}),
]
Slug = Annotated[str, Query(max_length=200, description="Only dense latents of this SAE.")]
Latent = Annotated[
    str,
    Query(max_length=240, description="One latent, SLUG:INDEX or SLUG:INDEX@RUN."),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9/._-]{1,200}:[0-9]{1,9}(@[0-9]{1,9})?$"}),
]
Other = Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Another latent of its SAE: the two as one.")]
Order = Annotated[
    Sort, Query(description="on: what fires on most tokens first; more: what fires more than in the corpus.")
]


def text_asked(
    session: SessionDep,
    pin: PinDep,
    text: Text = "",
    sae: Slug = "",
    latent: Latent = "",
    other: Other = None,
    sort: Order = "on",
) -> Asked:
    """One reading for page and API."""
    return asked_of(session, pin, text, sort, sae, latent, other)


AskedDep = Annotated[Asked, Depends(text_asked)]
Outcome = LiveText | Unread | None


async def outcome_of(request: Request, session: SessionDep, asked: AskedDep) -> Outcome:
    """What the model says of the text; why it says nothing; None where nothing is asked, or nobody is there to ask."""
    client: LiveClient | None = request.app.state.live
    if client is None or not asked.text:
        return None
    if asked.run.of_rows:
        return Unread(422, _OF_ROWS)
    if len(asked.text) > MOST_CHARACTERS:
        return too_long(len(asked.text))
    # nothing of the store is held while the model works; what was read of it stays as it is
    session.expunge_all()
    await run_in_threadpool(session.rollback)
    try:
        return await client.read(asked.text, asked.saes, asked.keep, asked.latents)
    except Unread as unread:
        return unread


OutcomeDep = Annotated[Outcome, Depends(outcome_of)]


@router.get("/try")
def try_text(session: SessionDep, render: RendererDep, asked: AskedDep, outcome: OutcomeDep) -> HTMLResponse:
    """A box for a text, and what fires on it."""
    status = outcome.status if isinstance(outcome, Unread) else 200
    response = render(try_page(session, asked, outcome, render.pin), status)
    response.headers.update(UNKEPT | _retry(outcome))
    return response


class FiredInfo(Record):
    """A latent on the text."""

    name: str
    sae: str
    run: int
    index: int
    url: str
    share: float
    """Of the counted tokens, on which it is on"""
    density: float
    """The same in the corpus"""
    mean: float | None
    """Of |activation| where it is on; null where it nowhere is"""
    ratio: float | None
    """Mean |activation| over all tokens of the text, over that of the corpus; null where it never fired there"""
    activations: list[float]
    """On each token"""


class TriedInfo(Record):
    """A text as the model read it."""

    tokens: list[str]
    """Joined, the text; an empty one ends the character that the token before it began"""
    counted: list[bool]
    """False: a special token, which no number counts"""
    context: int
    """Tokens that the model reads together, as in the run: a longer text is cut"""
    seconds: float
    latents: list[FiredInfo]
    left_out: int
    """Dense latents beyond those listed; choose an SAE for more of it"""


@api.get("/try", responses={404: {}, 414: {}, 503: {}})
def try_in_json(
    request: Request, session: SessionDep, asked: AskedDep, outcome: OutcomeDep, response: Response
) -> TriedInfo:
    """Dense latents on a text, or one latent. Only a server that was started with --live reads any."""
    if isinstance(outcome, Unread):
        raise HTTPException(outcome.status, outcome.detail, UNKEPT | _retry(outcome))
    if request.app.state.live is None:
        raise NotFound(OFF)
    if outcome is None:
        raise BadFilter(_("text '': type a few words."))
    response.headers.update(UNKEPT)
    found = fired(session, asked, outcome)
    shown = shown_of(asked, found)
    dense = sum(one.dense for one in outcome.saes.values())
    return TriedInfo(
        tokens=outcome.tokens,
        counted=outcome.counted,
        context=outcome.room,
        seconds=outcome.seconds,
        latents=[_info(one) for one in shown],
        left_out=dense - len(shown) if asked.one is None else 0,
    )


def _info(one: Fired) -> FiredInfo:
    latent = one.latent
    return FiredInfo(
        name=latent_name(latent.layer, latent.index),
        sae=latent.slug,
        run=latent.analysis.run_id,
        index=latent.index,
        url=latent_at(latent.slug, latent.index),
        share=one.share,
        density=latent.density,
        mean=one.mean,
        ratio=one.ratio,
        activations=[float(f"{value:.4g}") for value in one.values],
    )


def _retry(outcome: Outcome) -> dict[str, str]:
    retry = outcome.retry if isinstance(outcome, Unread) else 0
    return {"Retry-After": str(retry)} if retry else {}
