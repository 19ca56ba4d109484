"""What a list of latents shows, as an address says it: one model reads it, describes it, and writes it again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, model_validator

from app.classes.views import CLASSES
from app.http.errors import BadFilter
from app.latents.columns import SORTS, Order
from app.saes.queries import SaeInfo
from app.shared import cursor as cursors
from app.shared.cursor import MAX_ID, Cursor
from app.shared.language import _
from app.vocabulary import ANY, NONE
from store.vocabulary import DETAILS, REST, UNMEASURED, VERDICTS

DETAILS_ASKED = (*DETAILS, ANY, NONE)
CLASS_CHOICES = (*CLASSES, *REST, ANY, UNMEASURED)
RULED = (*VERDICTS, NONE)
SAID = (*VERDICTS, ANY, NONE)
ORDERS = ("asc", "desc")
MAX_LIMIT = 500
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FLAGS = {"true": True, "false": False, "any": None}


def _flag(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and value not in _FLAGS:
        raise BadFilter(
            _(
                "%(field_name)s '%(value)s' is none of %(flags)s",
                field_name=info.field_name,
                value=value[:60],
                flags=", ".join(_FLAGS),
            )
        )
    return _FLAGS[value] if isinstance(value, str) else value


def _layer(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and value.isdecimal() and int(value) <= MAX_ID):
        raise BadFilter(_("layer '%(value)s' is no layer's number", value=value[:60]))
    return value


def _plain(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and "\0" in value:
        raise BadFilter(_("%(field_name)s holds a NUL character; none of ours does", field_name=info.field_name))
    return value


def _within(low: float, high: float) -> BeforeValidator:
    def read(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str) and not (_NUMBER.fullmatch(value) and low <= float(value) <= high):
            raise BadFilter(
                _(
                    "%(field_name)s '%(value)s' is no number from %(low)s to %(high)s; 10 %% is 0.1",
                    field_name=info.field_name,
                    value=value[:60],
                    low=f"{low:g}",
                    high=f"{high:g}",
                )
            )
        return value

    return BeforeValidator(read)


def _one_of(name: str, known: Iterable[str]) -> BeforeValidator:
    def read(value: Any) -> Any:
        if value is not None and value not in known:
            raise BadFilter(
                _(
                    "unknown %(name)s '%(value)s'; choose one of %(known)s",
                    name=name,
                    value=value[:60],
                    known=", ".join(known),
                )
            )
        return value

    return BeforeValidator(read)


# what an address may hold; a form sends "" for an empty field
def _words(known: Iterable[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": ["", *known]})


def _numbers(low: float, high: float) -> WithJsonSchema:
    number = {"type": "number", "minimum": low, "maximum": high}
    return WithJsonSchema({"anyOf": [number, {"type": "string", "maxLength": 0}]})


def _text(longest: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "maxLength": longest, "pattern": "^[^\u0000]*$"})


Flag = Annotated[bool | None, BeforeValidator(_flag), _words(_FLAGS)]
Share = Annotated[float | None, _within(0, 1), _numbers(0, 1)]
Cosine = Annotated[float | None, _within(-1, 1), _numbers(-1, 1)]
Text = Annotated[str | None, Field(max_length=200), BeforeValidator(_plain), _text(200)]
Category = Annotated[str | None, Field(max_length=60), BeforeValidator(_plain), _text(60)]
Layer = Annotated[int | None, BeforeValidator(_layer), WithJsonSchema({"type": "string", "maxLength": 12})]
Detail = Annotated[str | None, _one_of("detail", DETAILS_ASKED), _words(DETAILS_ASKED)]
Class = Annotated[str | None, Field(max_length=200), BeforeValidator(_plain), _words(CLASS_CHOICES)]
"""A newer worker may have stored one that is not among these: held against the store where it is looked for."""
Ruled = Annotated[str | None, _one_of("verdict", RULED), _words(RULED)]
Human = Annotated[str | None, _one_of("verdict of a person, human", SAID), _words(SAID)]
Sort = Annotated[str, _one_of("sort", SORTS), _words(SORTS)]
Direction = Annotated[str | None, _one_of("order", ORDERS), _words(ORDERS)]


class LatentFilters(BaseModel):
    """Filters within one SAE; None does not filter, nor does an empty field of a form."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    dense: Flag = Field(default=None, description="true, false, or any.")
    min_density: Share = Field(default=None, description="A number from 0 to 1.")
    max_density: Share = Field(default=None, description="A number from 0 to 1.")
    min_antipodality: Cosine = Field(default=None, description="A number from -1 to 1.")
    max_antipodality: Cosine = Field(default=None, description="A number from -1 to 1.")
    min_word_share: Share = Field(default=None, description="0 to 1: at least so much of it is the word.")
    min_past_share: Share = Field(default=None, description="0 to 1: at least so much of it is its own past.")
    min_followed: Share = Field(default=None, description="0 to 1: at least so much of it follows anything.")
    max_followed: Share = Field(default=None, description="0 to 1: at most so much of it follows anything.")
    pair: Flag = Field(default=None, description="true: in an antipodal pair; false: in none; any.")
    duplicate: Flag = Field(default=None, description="true: a near-duplicate of another latent; false: of none; any.")
    borderline: Flag = Field(default=None, description="true, false, or any.")
    detail: Detail = Field(default=None, description="Why examples were kept; any: they were; none: they were not.")
    of_class: Class = Field(
        default=None,
        alias="class",
        description="A class the latent has (yes or likely); any: one at all; unmeasured: none was measured.",
    )
    alone: Flag = Field(default=None, description="true: it has exactly one class; false: several; any.")
    label: Text = Field(
        default=None, description="Name of a label of the corpus that the latent goes with (see /api/v1/labels)."
    )
    verdict: Ruled = Field(
        default=None, description="The verdict by rule; none: the rule was not applied. No person's is meant."
    )
    q: Text = Field(default=None, description="Part of a top token, without regard to the case of A to Z.")
    category: Category = Field(
        default=None,
        description="The category people gave: a class, or the key of one of the team's own; any: one; none: none.",
    )
    human: Human = Field(default=None, description="A person's verdict, not the rule's; any: one; none: none.")
    annotated: Flag = Field(default=None, description="true: somebody said something of it; false: nobody did; any.")
    note: Text = Field(default=None, description="Part of a note, without regard to the case of A to Z.")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, held: Any) -> Any:
        return {name: value for name, value in held.items() if value != ""}

    def query(self, **changed: Any) -> dict[str, Any]:
        """As it stands in an address: what differs from an address that says nothing; some of it `changed`."""
        asked = self.model_copy(update=changed).model_dump(by_alias=True, exclude_defaults=True)
        return {name: "any" if value is None else value for name, value in asked.items()}


class SaeList(LatentFilters):
    """Latents of one SAE: which, in which order, from where."""

    sort: Sort = Field(default="density", description="Latents without the value come last.")
    order: Direction = Field(
        default=None, description="asc or desc; by default the largest first, but index and layer ascend."
    )
    cursor: Annotated[str | None, Field(max_length=400)] = Field(default=None, description="`next` of the page before.")
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = Field(default=50, description="Latents a page.")

    @property
    def by(self) -> Order:
        """The sort and its direction."""
        return Order(self.sort, self.order == "desc" if self.order else Order.natural(self.sort).descending)

    @property
    def after(self) -> Cursor | None:
        """Where the page begins.

        Raises:
            BadFilter: the cursor is none of this list's.
        """
        return cursors.decode(self.cursor, self.sort, self.by.descending) if self.cursor else None

    def sorted_by(self, by: Order) -> Self:
        """The same list from its first row on, in this order."""
        order = None if by == Order.natural(by.sort) else "desc" if by.descending else "asc"
        return self.model_copy(update={"sort": by.sort, "order": order, "cursor": None})


class RunList(SaeList):
    """Latents of all SAEs of a run; dense ones unless asked otherwise."""

    dense: Flag = Field(default=True, description="true, false, or any; dense ones where it is left out.")
    sae: Text = Field(default=None, description="Slug of one SAE.")
    layer: Layer = Field(default=None, description="Number of a layer.")
    changed: Annotated[int | None, Field(ge=0, le=MAX_LIMIT)] = Field(
        default=None, description="Of how many something was just said."
    )

    def among(self, saes: Iterable[SaeInfo]) -> list[SaeInfo]:
        """The SAEs whose latents it shows."""
        return [one for one in saes if self.sae in {None, one.slug} and self.layer in {None, one.layer}]
