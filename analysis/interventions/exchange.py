"""Measured interventions out of a store and into another: the demo's own were measured before, and are shipped.

One gzipped JSON file an intervention, tied to SAE, model and text by their hashes: it goes to the newest complete run
that read this text through this model and SAE, in contexts of the same length.
"""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, Table, select
from sqlalchemy.orm import Session

from analysis.errors import BadFile
from analysis.verdict import judge_analysis
from store.identity import current
from store.session import session_factory
from store.tables import Analysis, Base, Corpus, Effect, Intervention, Latent, Model, Run, Sae, Steering
from store.vocabulary import STEER, TEXT

_ROWS: dict[str, type[Base]] = {"ablate": Effect, "steer": Steering}
_WHICH = {
    "sae_sha256": Sae.sha256,
    "model_fingerprint": Model.fingerprint,
    "corpus_sha256": Corpus.sha256,
    "context": Run.context,
}
_FACTS = ("kind", "key", "tokens", "documents", "settings", "versions", "summary", "seconds")


def export_intervention(engine: Engine, analysis_id: int, kind: str) -> dict[str, Any]:
    """One intervention with its rows, as JSON.

    Raises:
        LookupError: there is none of this kind.
    """
    with Session(engine) as session:
        found = session.scalar(
            select(Intervention).where(Intervention.analysis_id == analysis_id, Intervention.kind == kind)
        )
        if found is None:
            raise LookupError(f"analysis {analysis_id} has no intervention '{kind}'")
        identity = session.execute(_of_which().where(Analysis.id == analysis_id)).one()
        table = cast(Table, _ROWS[kind].__table__)
        columns = [column for column in table.c if column.name != "intervention_id"]
        rows = session.execute(select(*columns).where(table.c.intervention_id == found.id).order_by(*table.primary_key))
        return {
            **identity._mapping,
            **{name: getattr(found, name) for name in _FACTS},
            "finished": found.finished.isoformat(),
            "rows": [dict(row._mapping) for row in rows],
        }


def save_intervention(path: Path, exported: dict[str, Any]) -> None:
    """Write it; the same content gives the same bytes."""
    text = json.dumps(exported, indent=None, sort_keys=True, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def import_folder(engine: Engine, folder: Path) -> int:
    """Every `*.json.gz` of a folder to the newest complete run it belongs to.

    An analysis that has an intervention of the kind keeps its own; one whose run is not there is passed over.

    Returns:
        how many were taken in.

    Raises:
        BadFile: no such JSON.
    """
    taken = 0
    for path in sorted(folder.glob("*.json.gz")):
        found = _read(path)
        with session_factory(engine)() as session, session.begin():
            taken += _import(session, found)
    return taken


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
        known = {*_WHICH, "rows", "finished", *_FACTS} <= found.keys() and found["kind"] in _ROWS
    except (OSError, ValueError, EOFError, AttributeError, zlib.error) as error:
        raise BadFile(path, "a gzipped JSON object of an exported intervention", str(error)) from error
    if not known:
        raise BadFile(path, "an exported intervention", f"keys {', '.join(sorted(found))}")
    return found


def _import(session: Session, found: dict[str, Any]) -> bool:
    now = {name: current(session, found[name]) for name in ("sae_sha256", "model_fingerprint")}
    same = [column == (found | now)[name] for name, column in _WHICH.items()]
    statement = _of_which().add_columns(Analysis.id).where(Run.status == "complete", *same).order_by(Run.id.desc())
    analysis_id = session.scalar(statement.with_only_columns(Analysis.id))
    if analysis_id is None:
        return False
    own = select(Intervention.id).where(Intervention.analysis_id == analysis_id, Intervention.kind == found["kind"])
    if session.scalar(own) is not None:
        return False
    found = found | {"rows": [_current(each) for each in found["rows"]]}
    facts = {name: found[name] for name in _FACTS}
    row = Intervention(analysis_id=analysis_id, finished=datetime.fromisoformat(found["finished"]), **facts)
    session.add(row)
    session.flush()
    known = set(session.scalars(select(Latent.index).where(Latent.analysis_id == analysis_id)))
    rows = [{**each, "intervention_id": row.id} for each in found["rows"] if each.get("index") in {None, *known}]
    if rows:
        session.execute(cast(Table, _ROWS[found["kind"]].__table__).insert(), rows)
    if found["kind"] == STEER:
        from analysis.interventions.steer.rows import tell_class

        for each in found["rows"]:
            for index in {each["positive"], each["negative"]}:
                tell_class(session, analysis_id, index, each)
    judge_analysis(session, analysis_id)
    return True


def _current(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a file that an older worker wrote, with its sentence as it is."""
    own = {name: value for name, value in row.items() if name != "words"}
    return own if len(own) == len(row) else own | {"statement": {"code": TEXT, "text": row["words"]}}


def _of_which() -> Any:
    """What an intervention belongs to, by `_WHICH`."""
    statement = select(*(column.label(name) for name, column in _WHICH.items())).select_from(Analysis)
    statement = statement.join(Sae, Sae.id == Analysis.sae_id).join(Run, Run.id == Analysis.run_id)
    return statement.join(Model, Model.id == Run.model_id).join(Corpus, Corpus.id == Run.corpus_id)
