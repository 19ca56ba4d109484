"""What was measured before for the demo's SAEs takes hours, so it is shipped; the demo's store takes it in.

Export it: python -m analysis.interventions.shipped --db STORE --sae LAYER --kind ablate
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.interventions import exchange
from analysis.interventions.designs import exchange as designs
from analysis.interventions.exported import take_folder
from analysis.interventions.retrain import exchange as experiments
from store.session import make_engine

FORMATS = {experiments.FORMAT: experiments.import_experiment, designs.FORMAT: designs.import_comparison}
DATA = Path(__file__).resolve().parents[2] / "data"


def take_in(db: str) -> int:
    """What was measured of the shipped SAEs into a store that has them; how many were new. No torch."""
    engine = make_engine(db)
    try:
        new = take_folder(engine, DATA / "experiments", FORMATS, known=True)
        return new + exchange.import_folder(engine, DATA / "interventions")
    finally:
        engine.dispose()


def export(
    db: Annotated[str, typer.Option(help="Store with the intervention.")],
    sae: Annotated[str, typer.Option(help="Slug, or layer.")],
    kind: Annotated[str, typer.Option(help="ablate or steer.")] = "ablate",
    out: Annotated[Path, typer.Option(help="Folder.")] = DATA / "interventions",
) -> None:
    """Write one intervention of a store as a file that `take_in` reads."""
    from analysis.interventions.subject import look_up

    stored = look_up(db, sae)
    path = out / f"{kind}-{stored.slug.rsplit('/', 1)[-1]}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    exchange.save_intervention(path, exchange.export_intervention(make_engine(db), stored.analysis_id, kind))
    typer.echo(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    typer.run(export)
