"""A process that writes a wide SAE of made-up latents, as a worker does: python -m tests.store.wide_writer DB N."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from store import arrays
from store.alive import this_process
from store.search import write_index
from store.session import make_engine, reading_engine
from store.tables import Analysis, Latent, Profile, Run
from store.writing import WRITING, Row, Writer


def latents(count: int) -> Iterator[Row]:
    """Rows with a value in every column."""
    numbers = dict.fromkeys(("density_low", "density_high", "mean", "std", "skewness", "max", "mass_share"), 0.5)
    numbers |= dict.fromkeys(("antipodality", "cos_enc", "cos_dec", "cos_bias", "decoder_norm"), 0.1)
    numbers |= {"duplicate_score": 0.1, "mirror_score": 0.1}
    plain = {"borderline": False, "mutual": False, "is_pair": False, "detail": None, "duplicate_of": None}
    for index in range(count):
        yield {
            **numbers, **plain, "index": index, "density": (index % 997) / 1000, "is_dense": index % 997 > 900,
            "partner": 1, "mirror": 2, "quantiles": {"0.5": 1.0}, "spark": [1] * 24, "reasons": {},
            "top_tokens": [f"t{index % 5000}", f"u{index % 3000}"],
        }  # fmt: skip


def profiles(count: int) -> Iterator[Row]:
    """A histogram each, and tokens of some."""
    values = arrays.pack([float(n) for n in range(200)], "f4")
    for index in range(count):
        yield {"index": index, "name": "histogram", "data": {"edges": [0, 1]}, "values": values}
        if index % 10 == 0:
            items = {"items": [{"token": f"t{index}", "share": 0.1}]}
            yield {"index": index, "name": "top_tokens", "data": items, "values": None}


def main(db: str, count: int) -> None:
    """Write it; the run is never completed."""
    engine = make_engine(db, wait_ms=120_000)
    with this_process() as process, reading_engine(engine) as readers:
        writer = Writer(engine, process)

        def begin(session: Session) -> tuple[int, int]:
            run = _again(session.get_one(Run, 2), status=WRITING, key="e" * 64, writer=process.stamp())
            session.add(run)
            session.flush()
            analysis = _again(session.get_one(Analysis, 11), run_id=run.id)
            session.add(analysis)
            session.flush()
            return run.id, analysis.id

        writer.run, own = writer.transaction(begin)
        writer.insert(Latent, (row | {"analysis_id": own} for row in latents(count)))
        writer.insert(Profile, (row | {"analysis_id": own} for row in profiles(count)))
        write_index(writer, readers, own)


def _again(row: Any, **changed: Any) -> Any:
    values = {column.name: getattr(row, column.name) for column in row.__table__.c if column.name != "id"}
    return type(row)(**values | changed)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
