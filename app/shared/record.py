"""Records: what queries read, and what pages and the API then show. Each is declared once.

A docstring under a field is its description in the API; `Field(exclude=True)` keeps a field out of it.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Select
from sqlalchemy.orm import Session

from store.tables import Base


class Record(BaseModel):
    """One thing of the store. It reads rows as well as objects, and never changes."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


R = TypeVar("R", bound=Record)
Key = tuple[int, int]
"""A latent: (analysis, index)."""


def finite(value: float | None) -> float | None:
    """NaN and infinities become None: JSON has no word for them."""
    return value if value is not None and math.isfinite(value) else None


def cleaned(value: Any) -> Any:
    """Evidence as it may go into JSON: SQLite would keep a NaN that no page could send."""
    if isinstance(value, dict):
        return {str(key): cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return value if _all_finite(value) else [cleaned(inner) for inner in value]
    return finite(value) if isinstance(value, float) else value


def _all_finite(values: list[Any]) -> bool:
    """Whether these are numbers of which none is to be cleaned; a sum says so far sooner than a look at each."""
    try:
        return math.isfinite(sum(values))
    except (TypeError, OverflowError):
        return False


def _number(value: Any) -> float | None:
    return finite(value) if type(value) in {int, float} else None


def mapping(value: Any) -> dict[str, Any]:
    """What the worker stored as one; empty where it is none."""
    return cleaned(value) if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[Any]:
    return [item for item in value or [] if isinstance(item, (dict, Record))]


Number = Annotated[float | None, BeforeValidator(_number)]
"""A number that may not have been measured."""
Count = Annotated[int | None, BeforeValidator(lambda value: value if type(value) is int else None)]
"""The same for a whole one."""
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]
"""Words of the store; empty where it has none."""
Items = BeforeValidator(_mappings)
"""Of a list of records that the worker stored as JSON: what is none is left out."""
Evidence = Annotated[dict[str, Any], BeforeValidator(mapping)]
"""What the worker stored as JSON."""
Moment = Annotated[datetime, AfterValidator(lambda moment: moment.replace(tzinfo=UTC))]
"""A time of the store: SQLite keeps no zone, and all who write give UTC."""
Hidden = Field(exclude=True)
"""For pages alone."""


def columns(
    record: type[Record], *tables: type[Base], without: frozenset[str] = frozenset(), **named: Any
) -> list[Any]:
    """What to select for a record: each field's own column among `named`, else the first table's of its name.

    Args:
        without: fields that come from elsewhere.

    Raises:
        StopIteration: a field that no table has.
    """
    wanted = [name for name in record.model_fields if name not in named and name not in without]
    own = {name: next(getattr(table, name) for table in tables if hasattr(table, name)) for name in wanted}
    return [column.label(name) for name, column in {**own, **named}.items()]


def read(session: Session, record: type[R], statement: Select[Any]) -> list[R]:
    """All rows of a statement that selects a record's columns."""
    return [record(**row) for row in session.execute(statement).mappings()]
