"""Labels of rows that are no text: which columns of a table go with which units (docs/methods.md §18)."""

from analysis.field.labels.associate import associate
from analysis.field.labels.columns import FieldColumn
from analysis.field.labels.position import MapProfile, OrderProfile, map_profile, order_profile
from analysis.field.labels.predict import ColumnSet, Later, Power, predict
from analysis.field.labels.statements import FieldAssociation

__all__ = [
    "ColumnSet",
    "FieldAssociation",
    "FieldColumn",
    "Later",
    "MapProfile",
    "OrderProfile",
    "Power",
    "associate",
    "map_profile",
    "order_profile",
    "predict",
]
