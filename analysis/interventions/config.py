"""What all commands on an analysed SAE are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from analysis.options import Checked, Db, Device

if TYPE_CHECKING:
    from analysis.interventions.subject import Subject


@dataclass(frozen=True, kw_only=True)
class SubjectConfig(Checked):
    """Which SAE of which store, and where its parts are now, should they have moved."""

    LAST: ClassVar[tuple[str, ...]] = ("model", "weights", "corpus", "dtype", "device", "checkpoint_seconds")

    sae: Annotated[str, typer.Option(help="Slug of an analysed SAE, or its layer.")]
    db: Db = "dense-latents.db"
    run: Annotated[int | None, typer.Option(help="Id of the run; the newest complete one without it.")] = None
    model: Annotated[str | None, typer.Option(help="Where the model is now, should it have moved.")] = None
    weights: Annotated[str | None, typer.Option(help="Where the SAE is now, should it have moved.")] = None
    corpus: Annotated[str | None, typer.Option(help="Where the text is now, should it have moved.")] = None
    dtype: Annotated[
        str,
        typer.Option(
            help="Of the model: run (as in the run), auto, float32, bfloat16 or float16. Rounding in bfloat16 adds some"
            " 0.0004 nats to every KL, which no amount of text takes away; float32 does not."
        ),
    ] = "run"
    device: Device = "auto"

    def open(self) -> Subject:
        """Look it up and load all that belongs to it.

        Raises:
            UserError: as `open_subject`.
        """
        from analysis.interventions.subject import open_subject

        moved = {name: getattr(self, name) for name in ("model", "weights", "corpus", "dtype", "device")}
        return open_subject(self.db, self.sae, run=self.run, **moved)
