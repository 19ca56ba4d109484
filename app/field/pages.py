"""Which pages runs of rows have in the place of those of text."""

from __future__ import annotations

from app.field.home import field_home, field_labels, field_matrix
from app.field.report import field_report
from app.field.unit import unit_page
from app.shared.instead import instead
from store.vocabulary import FIELD


def declare() -> None:
    """Once, when the server is made."""
    instead(FIELD, "home", field_home)
    instead(FIELD, "labels", field_labels)
    instead(FIELD, "layers", field_home)
    instead(FIELD, "report", field_report)
    instead(FIELD, "sae", field_matrix)
    instead(FIELD, "latent", unit_page)
