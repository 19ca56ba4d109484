"""Why a value is not there, in words: of latents and pairs by the name of the value, of labels for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from app.shared.language import N_
from app.shared.statements import Sentences, said
from store.vocabulary import Statement

REASONS: Sentences = {
    "few_groups": N_("the text read lies in fewer than two of the 64 document groups, so no interval can be given"),
    "no_directions": N_("needs an encoder and a decoder direction, and another latent"),
    "no_mirror": N_("no other latent has both cosines negative"),
    "no_copy": N_("no other latent has both cosines positive"),
    "no_bias": N_("the SAE has no decoder bias, or it is zero"),
    "silent": N_("never fired on this text"),
    "silent_on_ordinary": N_("never fired on an ordinary token of this text"),
    "rare_or_constant": N_("fired too rarely, or always with the same activation"),
    "all_silent": N_("no latent of this SAE fired on this text"),
    "not_divided": N_("classes were not measured, on fewer than 20 documents, or it fired on too few tokens of them"),
    "one_flat": N_("one of the signals does not vary over the ordinary tokens of this text"),
    "one_silent": N_("one of the two never fired on this text"),
}
"""Of the values of a latent, by the code that its statistic declares as `missing`, and of a pair."""


def why(reasons: Mapping[str, Any] | None, name: str) -> str:
    """Of a latent's or pair's value, from `reasons` of its row; empty where none is stored."""
    held = (reasons or {}).get(name)
    return reason_said(held) if isinstance(held, dict) else str(held or "")


def whys(reasons: Mapping[str, Any] | None) -> dict[str, str]:
    """Of all values that have one."""
    return {str(name): why(reasons, name) for name in reasons or {}}


Reasons = Annotated[dict[str, str], BeforeValidator(whys)]
"""By the name of the value, as the API says them."""


def reason_said(statement: Statement) -> str:
    """In words."""
    return said(statement, REASONS)
