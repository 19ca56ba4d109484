"""What was measured before for the demo's SAEs takes hours, so it is shipped; the demo's store takes it in."""

from __future__ import annotations

from pathlib import Path

from analysis.interventions import exchange
from analysis.interventions.retrain import exchange as experiments
from store.session import make_engine

DATA = Path(__file__).resolve().parents[2] / "data"


def take_in(db: str) -> int:
    """Experiments and interventions of the shipped SAEs into a store that has them; how many were new. No torch."""
    engine = make_engine(db)
    try:
        new = experiments.import_folder(engine, DATA / "experiments")
        return new + exchange.import_folder(engine, DATA / "interventions")
    finally:
        engine.dispose()
