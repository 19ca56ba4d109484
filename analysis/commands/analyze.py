"""`analyze` has two kinds of input: texts for a language model, and rows of somebody's own activations."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Annotated, Any

import typer

from analysis.config import AnalyzeConfig
from analysis.errors import UserError
from analysis.field.config import FieldConfig
from analysis.options import Checked, wanted_by

_SAES = "SAE folder in sae-lens' format, or release:sae_id; repeat for more. Needed for texts."


@dataclass(frozen=True, kw_only=True)
class AnalyzeOptions(AnalyzeConfig, FieldConfig):
    """All that `analyze` can be asked for; `chosen` says for which kind."""

    saes: Annotated[list[str], typer.Option("--sae", help=_SAES)] = field(default_factory=list)
    activations: Annotated[
        list[str],
        typer.Option(
            help="In place of model and texts: a matrix [rows, units] (.npy, .npz, .safetensors, .parquet), a folder of"
            " them, or layer=path; repeat for more."
        ),
    ] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Nothing is checked before it is known which kind it is."""

    @property
    def chosen(self) -> AnalyzeConfig | FieldConfig:
        """The configuration of the kind that was asked for.

        Raises:
            UserError: what belongs to the other kind was given, too; or a value out of its bounds.
        """
        kind, other = (FieldConfig, AnalyzeConfig) if self.activations else (AnalyzeConfig, FieldConfig)
        own = {each.name for each in fields(kind)}
        for wanted in wanted_by(other):
            if wanted.name not in own and getattr(self, wanted.name) != _default(AnalyzeOptions, wanted.name):
                here = "--activations" if self.activations else "texts; give --activations MATRIX"
                raise UserError(f"analyze: {wanted.flag} does not go with {here}")
        return kind(**{name: getattr(self, name) for name in own})


def _default(config: type[Checked], name: str) -> Any:
    found = next(each for each in fields(config) if each.name == name)
    return found.default if found.default_factory is MISSING else found.default_factory()
