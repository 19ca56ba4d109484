"""Every value the worker stores, with its label, for table heads, tooltips and /methods."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from analysis.classes import STATISTICS as CLASSES
from analysis.interventions.ablate.rows import STATISTICS as EFFECTS
from analysis.interventions.retrain.statistics import STATISTICS as RETRAINING
from analysis.interventions.steer.statistics import STATISTICS as STEERING
from analysis.labels import STATISTICS as LABELS
from analysis.statistics import STATISTICS
from analysis.statistics.chains import STATISTICS as CHAINS
from analysis.statistics.geometry import STATISTICS as GEOMETRY
from analysis.verdict.statistics import STATISTICS as VERDICTS
from store.tables import Statistic

DECLARED = (*STATISTICS, *GEOMETRY, *CHAINS, *CLASSES, *LABELS, *EFFECTS, *STEERING, *RETRAINING, *VERDICTS)


def declare(session: Session) -> None:
    """Put this version's declarations in the place of what the store has; the caller commits."""
    session.execute(delete(Statistic))
    rows = [asdict(statistic) | {"position": place} for place, statistic in enumerate(DECLARED)]
    session.execute(insert(Statistic), rows)
