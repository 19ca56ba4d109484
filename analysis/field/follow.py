"""What the units of one matrix follow: labels, the order of the rows, and their places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.field.labels.associate import FieldAssociation, FieldColumn, associate, label_facts
from analysis.field.labels.positions import map_profile, order_profile
from analysis.field.labels.predict import Power, predict
from analysis.field.measure import Measured, activations
from analysis.field.reading import ORDER, Field
from analysis.field.table import Column
from analysis.run.rows.plain import Row, number, plain
from analysis.statistics.density import Density
from store.arrays import pack

MOST_PREDICTED = 20_000
"""Rows that labels are predicted from."""
MOST_COLUMNS = 2_048


class Found(NamedTuple):
    """What one matrix has to do with the table."""

    labels: list[Row]
    latents: list[int]
    associations: list[list[FieldAssociation]]
    """One for each detail unit, of each label."""
    profiles: list[Row]
    power: dict[str, list[Row]]

    def rows(self, labels: list[int]) -> Iterator[Row]:
        """Rows of `Association`, without the analysis."""
        for label, column in zip(labels, self.associations, strict=True):
            for index, found in zip(self.latents, column, strict=False):  # none at all of a column that was refused
                yield found.row() | {"index": index, "label_id": label}
