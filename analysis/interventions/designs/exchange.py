"""Comparisons of designs in and out of a store as JSON; the SAE is known by the SHA-256 of its weights."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, insert, select

from analysis.errors import UserError
from analysis.interventions.exported import sae_of, values_of
from store.session import session_factory
from store.tables import Design, DesignComparison, Sae

FORMAT = "dense-latents designs 1"


def export_comparison(engine: Engine, number: int) -> dict[str, Any]:
    """A comparison with its SAEs' numbers as plain JSON values.

    Raises:
        UserError: the store has none of this id.
    """
    with session_factory(engine)() as session:
        found = session.get(DesignComparison, number)
        if found is None:
            raise UserError(f"comparison {number}: expected one of the store; found none")
        designs = session.scalars(select(Design).where(Design.comparison_id == number).order_by(Design.place))
        return {
            "format": FORMAT,
            "sae_sha256": session.get_one(Sae, found.sae_id).sha256,
            "comparison": values_of(found, {"id", "sae_id"}) | {"finished": found.finished.isoformat()},
            "designs": [values_of(design, {"comparison_id"}) for design in designs],
        }


def import_comparison(engine: Engine, found: dict[str, Any]) -> bool:
    """Put an exported comparison into a store that has its SAE; one that is there already is left as it is.

    Returns:
        whether it was new.

    Raises:
        UserError: no comparison, or the store has no SAE with those weights.
    """
    if found.get("format") != FORMAT:
        raise UserError(f"expected a comparison with format '{FORMAT}'; found {str(found.get('format'))[:80]!r}")
    values, key = found["comparison"], found["comparison"]["key"]
    with session_factory(engine)() as session, session.begin():
        sae = sae_of(session, found["sae_sha256"], f"comparison {key[:12]}")
        if session.scalar(select(DesignComparison.id).where(DesignComparison.key == key)) is not None:
            return False
        row = DesignComparison(**values | {"sae_id": sae, "finished": datetime.fromisoformat(values["finished"])})
        session.add(row)
        session.flush()
        if not found["designs"]:
            raise UserError(f"comparison {key[:12]}: expected designs; found none")
        session.execute(insert(Design), [design | {"comparison_id": row.id} for design in found["designs"]])
    return True
