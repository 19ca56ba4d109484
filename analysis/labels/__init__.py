"""Labels of the user's own: which columns of the corpus go with which signals (docs/methods.md §12)."""

from analysis.labels.associate import Association, associate
from analysis.labels.columns import LabelColumn, label_columns
from analysis.labels.conditional import conditional_values
from analysis.labels.statistics import STATISTICS

__all__ = ["STATISTICS", "Association", "LabelColumn", "associate", "conditional_values", "label_columns"]
