"""Which latents are to go: by verdict, by a list, or by what the browse page gives."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from analysis.errors import BadFile, UserError
from analysis.interventions.prune.config import PruneConfig
from analysis.interventions.subject import Stored
from store.session import make_engine, session_factory
from store.tables import Sae, Verdict

_SHOWN = 8  # indices that a message names


def chosen(config: PruneConfig, stored: Stored) -> list[int]:
    """Indices of the latents to remove, ascending, each once.

    Raises:
        UserError: none, all of them, or one that the SAE does not have.
    """
    with session_factory(make_engine(config.db, read_only=True))() as session:
        width = session.get_one(Sae, stored.sae_id).n_latents
        if config.verdict is not None:
            found = _by_verdict(session, stored, config.verdict)
        else:
            found = read_list(config.latents or "", stored.slug)
    return checked(found, width, stored.slug)


def checked(found: Iterable[int], width: int, slug: str) -> list[int]:
    """The same, sorted, each once.

    Raises:
        UserError: as for `chosen`.
    """
    wanted = sorted(set(found))
    if not wanted:
        raise UserError("--latents: expected at least one index; found none, so nothing is to be done")
    absent = [index for index in wanted if not 0 <= index < width]
    if absent:
        raise UserError(f"--latents: expected indices from 0 to {width - 1}, as {slug} has; found {_listed(absent)}")
    if len(wanted) == width:
        raise UserError(f"prune: all {width} latents of {slug} would go; expected at least one to be left")
    return wanted


def read_list(given: str, slug: str) -> list[int]:
    """`3,17,40`, or a file: one index a line, or CSV or JSON with a column `index`, as the browse page gives.

    Args:
        given: the list, or the file's path.
        slug: of the SAE; where the file names one in a column `sae`, it must be this.

    Raises:
        UserError: no such file, and no list of whole numbers.
        BadFile: another form, or latents of another SAE.
    """
    path = Path(given)
    if not path.is_file():
        return [_index(part, given) for part in given.split(",") if part.strip()]
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    if text.lstrip()[:1] in ("[", "{"):
        return _from_rows(_json_rows(text, path), path, slug)
    first = text.splitlines()[0] if text.strip() else ""
    if "index" in [name.strip() for name in next(csv.reader([first]), [])]:
        return _from_rows(list(csv.DictReader(io.StringIO(text), skipinitialspace=True)), path, slug)
    return [_index(part, str(path)) for line in text.splitlines() for part in line.split(",") if part.strip()]


def _json_rows(text: str, path: Path) -> list[Any]:
    """A list, or the list in `items` of an answer of the API."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFile(path, "JSON", str(error)) from error
    rows = read.get("items") if isinstance(read, dict) else read
    if not isinstance(rows, list):
        raise BadFile(path, "a list, or an object with a list `items`", str(read)[:80])
    if isinstance(read, dict) and read.get("next"):
        raise BadFile(path, "all latents", f"one page of them, with more to come (next: {str(read['next'])[:40]})")
    return [row if isinstance(row, dict) else {"index": row} for row in rows]


def _from_rows(rows: list[dict[str, Any]], path: Path, slug: str) -> list[int]:
    others = sorted({str(row["sae"]) for row in rows if row.get("sae")} - {slug})
    if others:
        raise BadFile(path, f"latents of {slug}", f"some of {', '.join(others[:3])}")
    if any("index" not in row for row in rows):
        raise BadFile(path, "`index` in every row", "one without")
    return [_index(row["index"], str(path)) for row in rows]


def _index(value: Any, where: str) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()):
        what = "a file, or indices as in 3,17,40" if where != text and "," in where else "a file or a whole number"
        raise UserError(f"--latents {where[:80]}: expected {what}; found {text[:40]!r}")
    return int(text)


def _by_verdict(session: Session, stored: Stored, verdict: str) -> list[int]:
    mine = Verdict.analysis_id == stored.analysis_id
    found = session.scalars(select(Verdict.index).where(mine, Verdict.verdict == verdict)).all()
    if found:
        return list(found)
    counts = session.execute(select(Verdict.verdict, func.count()).where(mine).group_by(Verdict.verdict)).all()
    if not counts:
        raise UserError(
            f"--verdict {verdict}: no latent of {stored.slug} has been judged in run {stored.run_id};"
            f" measure first: dense-latents ablate --sae {stored.slug}"
        )
    there = ", ".join(f"{name} {count}" for name, count in counts)
    raise UserError(f"--verdict {verdict}: no latent of {stored.slug} has it ({there}), so nothing is to be done")


def _listed(values: list[int]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(map(str, values[:_SHOWN])) + more
