"""What a label and a signal have to do with each other, in a sentence."""

from __future__ import annotations

from app.shared.statements import said
from store.vocabulary import Statement


def association_said(statement: Statement) -> str:
    """In words."""
    return said(statement, {})
