"""An experiment into the store: one transaction, an older one of the same key gone with the new one there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.exc import OperationalError

from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.interventions.retrain.config import RetrainConfig
from analysis.interventions.retrain.exchange import add
from analysis.interventions.retrain.finding import KEYED, NORMALISATION
from analysis.interventions.retrain.result import Report, Results
from analysis.interventions.retrain.source import Source
from analysis.interventions.subject import Subject
from analysis.process.versions import versions
from analysis.run.rows.plain import plain
from store.session import make_engine, session_factory, without_password
from store.tables import Experiment

_PATIENCE_MS = 120_000  # hours of training are worth waiting for


def replace_experiment(config: RetrainConfig, source: Source, context: int, subject: Subject, results: Results) -> int:
    """Store it. Its seconds are those of all arms' training added up, however many commands and jobs it took.

    Returns:
        the experiment's id.

    Raises:
        UserError: the database cannot be written; what was there is as it was.
    """
    settings = _settings(config, source, context, subject, results)
    recipe = {name: value for name, value in _recipe(results).items() if name != "seed"}
    row = Experiment(
        key=hash_of([settings | {"normalisation": KEYED}, recipe], sort_keys=True),
        sae_id=source.stored.sae_id,
        analysis_id=source.stored.analysis_id,
        tokens=config.tokens,
        eval_tokens=config.eval_tokens,
        dense_threshold=source.stored.dense_threshold,
        recipe=recipe,
        settings=settings,
        versions=versions(),
        summary=plain(results.summary),
        seconds=sum(report["seconds"] for reports in results.reports.values() for report in reports),
        finished=datetime.now(UTC).replace(tzinfo=None),
    )
    arms = [_arm(name, report) for name, reports in results.reports.items() for report in reports]
    try:
        with session_factory(make_engine(config.db, wait_ms=_PATIENCE_MS))() as session, session.begin():
            session.execute(delete(Experiment).where(Experiment.key == row.key))
            add(session, row, arms, _stability(source, results))
            return row.id
    except OperationalError as error:
        raise UserError(
            f"--db {without_password(config.db)}: cannot be written: {error.orig}; the arms are kept, the same command"
            " writes them without training again"
        ) from error


def _recipe(results: Results) -> dict[str, Any]:
    """Of the arms that are trained as the SAE; of AbsTopK where there are no others."""
    found: dict[str, Any] = next(iter(results.reports.values()))[0]["recipe"]
    return found


def _settings(
    config: RetrainConfig, source: Source, context: int, subject: Subject, results: Results
) -> dict[str, Any]:
    stored = source.stored
    return {
        "sae_sha256": stored.sha256,
        "model_fingerprint": stored.model_fingerprint,
        "corpus_sha256": stored.corpus_sha256,
        "model_dtype": subject.model.dtype_name,
        "device": subject.model.device.type,
        "context": context,
        "sample_seed": stored.seed,
        "tokens": config.tokens,
        "eval_tokens": config.eval_tokens,
        "dense_threshold": stored.dense_threshold,
        "dense": stored.dense,
        "sparse_latents": len(source.sparse),
        "arms": {name: len(reports) for name, reports in results.reports.items()},
        "held_out": config.held_out,
        "held_out_documents": next(iter(results.reports.values()))[0]["documents"],
        "energy": config.energy,
        "mean": config.mean,
        "found_cosine": config.found_cosine,
        "normalisation": NORMALISATION,
    }


def _arm(name: str, report: Report) -> dict[str, Any]:
    recipe = report["recipe"]
    same = (
        "removed_dimensions", "removed_variance", "n_dense", "n_dense_low", "n_dense_high", "dense_mass_share",
        "n_pairs", "signed_share", "fvu", "alive_share", "l0", "density_curve", "sha256", "seconds",
    )  # fmt: skip
    return {
        "name": name,
        "seed": recipe["seed"],
        "architecture": recipe["architecture"],
        "width": recipe["width"],
        "k": recipe["k"],
        "removed_latents": len(report["removed_latents"]),
        **{column: report[column] for column in same},
    }


def _stability(source: Source, results: Results) -> list[dict[str, Any]]:
    found = results.found
    if found is None:
        return []
    rows = zip(source.stored.dense, found.cosines.tolist(), found.found.tolist(), found.stable.tolist(), strict=True)
    return [
        {"index": index, "cosines": [round(value, 5) for value in cosines], "found": count, "stable": stable}
        for index, cosines, count, stable in rows
    ]
