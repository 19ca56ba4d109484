"""A comparison into the store: one transaction, an older one of the same key gone with the new one there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.exc import OperationalError

from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.interventions.activations import SplitText
from analysis.interventions.designs.config import PLAIN, DesignsConfig
from analysis.interventions.designs.result import Comparison, Trained
from analysis.process.versions import versions
from analysis.run.rows.plain import plain
from store.session import make_engine, session_factory, without_password
from store.tables import Design, DesignComparison

_PATIENCE_MS = 120_000  # hours of training are worth waiting for
_SAME = (
    "n_dense", "n_dense_low", "n_dense_high", "fvu", "fvu_low", "fvu_high", "n_pairs", "alive_share", "l0",
    "dense_mass_share", "signed_share", "density_curve", "seconds",
)  # fmt: skip
_LOSSES = (
    "loss_recovered", "loss_recovered_low", "loss_recovered_high", "loss_clean", "loss_spliced", "loss_zeroed",
    "loss_without",
)  # fmt: skip


def replace_comparison(config: DesignsConfig, text: SplitText, found: Comparison) -> int:
    """Store it.

    Returns:
        the comparison's id.

    Raises:
        UserError: the database cannot be written; what was there is as it was.
    """
    stored = text.subject.stored
    settings = _settings(config, text, found)
    recipe = next(each.report["recipe"] for each in found.trained if each.plan.kind == PLAIN)
    recipe = {name: value for name, value in recipe.items() if name != "seed"}
    row = DesignComparison(
        key=hash_of([settings, recipe], sort_keys=True),
        sae_id=stored.sae_id,
        tokens=config.tokens,
        eval_tokens=config.eval_tokens,
        loss_tokens=config.loss_tokens,
        dense_threshold=stored.dense_threshold,
        recipe=recipe,
        settings=settings,
        versions=versions(),
        summary=plain(found.summary),
        seconds=sum(each.report["seconds"] for each in found.trained),
        finished=datetime.now(UTC).replace(tzinfo=None),
    )
    designs = [
        _design(place, each, sha) for place, (each, sha) in enumerate(zip(found.trained, found.identities, strict=True))
    ]
    try:
        with session_factory(make_engine(config.db, wait_ms=_PATIENCE_MS))() as session, session.begin():
            session.execute(delete(DesignComparison).where(DesignComparison.key == row.key))
            session.add(row)
            session.flush()
            session.execute(insert(Design), [design | {"comparison_id": row.id} for design in designs])
            return row.id
    except OperationalError as error:
        raise UserError(
            f"--db {without_password(config.db)}: cannot be written: {error.orig}; the SAEs are kept, the same command"
            " writes them without training again"
        ) from error


def _settings(config: DesignsConfig, text: SplitText, found: Comparison) -> dict[str, Any]:
    subject = text.subject
    return {
        "sae_sha256": subject.stored.sha256,
        "model_fingerprint": subject.stored.model_fingerprint,
        "corpus_sha256": subject.stored.corpus_sha256,
        "model_dtype": subject.model.dtype_name,
        "device": subject.model.device.type,
        "context": text.context,
        "sample_seed": subject.stored.seed,
        "tokens": config.tokens,
        "eval_tokens": config.eval_tokens,
        "loss_tokens": config.loss_tokens,
        "dense_threshold": subject.stored.dense_threshold,
        "designs": sorted({each.plan.name for each in found.trained}),
        "seeds": config.seeds,
        **({} if config.control_seeds is None else {"control_seeds": config.control_seeds}),
        "frequency_penalty": config.frequency_penalty,
        "held_out": config.held_out,
        "energy": config.energy,
    }


def _design(place: int, each: Trained, sha256: str) -> dict[str, Any]:
    plan, report = each.plan, each.report
    return {
        "name": plan.name,
        "seed": plan.seed,
        "place": place,
        "kind": plan.kind,
        "rank": plan.rank,
        "counted": plan.counted,
        "architecture": plan.recipe.architecture,
        "width": plan.recipe.width,
        "k": plan.recipe.k,
        "sha256": sha256,
        **{column: report[column] for column in _SAME},
        **{column: report.get(column) for column in _LOSSES},
    }
