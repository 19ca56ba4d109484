"""Taking data away: a list of latents as a table, and all that people wrote."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import chain
from typing import IO, Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from app.annotations.file import annotation_lines, written
from app.deps import Download, PinDep, SessionDep
from app.export.files import csv_file, json_lines, parquet_file
from app.export.latent_table import COLUMNS, Row, latent_batches
from app.http.cache import Fresh
from app.http.errors import NotFound
from app.latents.filters import RunList
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes.queries import list_saes

router = APIRouter(dependencies=[Fresh])
TYPES = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/jsonl; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
NO_PARQUET = "This server cannot write Parquet: pip install 'dense-latents[parquet]'. CSV and JSON lines it can."
_IN_MEMORY = 1_000_000
_CHUNK = 64 * 1024


@router.get("/latents.{kind}", dependencies=[Download])
def latents_file(
    request: Request,
    session: SessionDep,
    kind: Literal["csv", "jsonl", "parquet"],
    asked: Annotated[RunList, Query()],
    pin: PinDep,
) -> StreamingResponse:
    """All latents that a browse page of the same query string would show, page after page."""
    shown = runs.run_to_browse(session, asked.sae, pin)
    if shown is None:
        raise NotFound("Nothing is analysed yet, so there is nothing to take away.")
    if kind == "parquet" and not can_parquet():
        raise HTTPException(501, NO_PARQUET)
    held = asked.among(list_saes(session, shown))
    session.rollback()
    batches = latent_batches(request.app.state.sessions, held, asked, asked.by)
    first = next(batches)  # what can fail fails before the answer has begun
    about = provenance(shown)
    return _download(_file(kind, chain([first], batches), about), TYPES[kind], _name(shown, asked, kind), about)


@router.get("/annotations.jsonl", dependencies=[Download])
def annotations_file(session: SessionDep) -> StreamingResponse:
    """What `dense-latents annotations export` writes."""
    # a slow client must not hold a transaction open
    held = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- `_chunks` closes it
    held.writelines(line.encode() for line in written(annotation_lines(session)))
    session.rollback()
    held.seek(0)
    return _download(_chunks(held), TYPES["jsonl"], "annotations.jsonl", {})


def can_parquet() -> bool:
    """Whether the extra is installed."""
    return find_spec("pyarrow") is not None


def provenance(run: RunInfo) -> dict[str, str]:
    """What the numbers rest on. Parquet has it in its metadata, the other formats in the answer's headers."""
    return {
        "dense-latents-version": _software(),
        "dense-latents-run": ",".join(map(str, run.runs)),
        "dense-latents-run-key": run.key,
        "dense-latents-suite": run.suite,
        "dense-latents-corpus-sha256": run.corpus_sha256,
        "dense-latents-tokens": str(run.tokens),
        "dense-latents-dense-threshold": str(run.dense_threshold),
    }


def _software() -> str:
    try:
        return version("dense-latents")
    except PackageNotFoundError:
        return "unknown"


def _file(kind: str, batches: Iterable[list[Row]], about: dict[str, str]) -> Iterator[bytes]:
    if kind == "parquet":
        return parquet_file(COLUMNS, batches, about)
    return (csv_file if kind == "csv" else json_lines)(COLUMNS, batches)


def _name(run: RunInfo, wanted: RunList, kind: str) -> str:
    """E.g. latents-run2-tiny-l1-resid.csv; of several runs, latents-suite-1f2e3d.csv."""
    sae = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted.sae or "").strip("-.")[:80]
    of = f"run{run.id}" if len(run.runs) == 1 else f"suite-{run.suite[:6]}"
    return f"latents-{of}{f'-{sae}' if sae else ''}.{kind}"


def _download(parts: Iterator[bytes], kind: str, name: str, about: dict[str, str]) -> StreamingResponse:
    headers = {f"X-{key}": value for key, value in about.items()}
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return StreamingResponse(parts, media_type=kind, headers=headers)


def _chunks(held: IO[bytes]) -> Iterator[bytes]:
    with held:
        while part := held.read(_CHUNK):
            yield part
