"""What all tables share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """All tables of the store."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}
