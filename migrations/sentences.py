"""Sentences that older workers stored -> codes with numbers, and back: a migration's templates read and write them.

A template is a sentence with fields as `str.format` has them. {loss!m:+.4f} has the minus sign of print. What no
template reads is kept as text, and what no template writes is kept as JSON: nothing is lost either way.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

MINUS = "\u2212"
Statement = dict[str, Any]
Templates = Sequence[tuple[str, str]]
"""(code, template): the first that fits reads; the first of the code whose fields are there writes."""


def read(text: str, templates: Templates) -> Statement:
    """A sentence -> its statement."""
    for code, template in templates:
        found = fields(text, template)
        if found is not None:
            return {"code": code, **found}
    if text.startswith('{"code"'):
        try:
            return dict(json.loads(text))
        except ValueError:
            pass
    return {"code": "text", "text": text}


def write(statement: Mapping[str, Any], templates: Templates) -> str:
    """A statement -> its sentence."""
    code = statement.get("code")
    if code == "text" and set(statement) == {"code", "text"}:
        return str(statement["text"])
    for name, template in templates:
        if name == code and (text := filled(template, statement)) is not None:
            return text
    return json.dumps(statement, ensure_ascii=False)


def fields(text: str, template: str) -> dict[str, Any] | None:
    """The values in a sentence; None where it is another one."""
    pattern, specs = _pattern(template)
    match = pattern.fullmatch(text)
    return None if match is None else {name: _value(match[name], spec) for name, spec in specs.items()}


def filled(template: str, values: Mapping[str, Any]) -> str | None:
    """The sentence; None where a value is missing or of another kind."""
    try:
        return _FORMATTER.vformat(template, (), values)
    except (KeyError, TypeError, ValueError):
        return None


class _Formatter(string.Formatter):
    def convert_field(self, value: Any, conversion: str | None) -> Any:
        return _Printed(value) if conversion == "m" else value

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            raise TypeError("no value")
        if isinstance(value, _Printed):
            return format(float(value), format_spec).replace("-", MINUS)
        return format(value, format_spec)


class _Printed(float):
    """A number with the minus sign of print."""


_FORMATTER = _Formatter()


@cache
def _pattern(template: str) -> tuple[re.Pattern[str], dict[str, str]]:
    made, specs = "", {}
    for literal, name, spec, _conversion in _FORMATTER.parse(template):
        made += re.escape(literal)
        if name:
            made += f"(?P={name})" if name in specs else f"(?P<{name}>{_form(spec or '')})"
            specs[name] = spec or ""
    return re.compile(made, re.DOTALL), specs


def _form(spec: str) -> str:
    if not spec:
        return ".+?"
    number = rf"[+\-{MINUS}]?(?:[\d,]+(?:\.\d+)?|inf|nan)"
    return {"%": f"{number}%", "g": rf"[+\-{MINUS}]?[\d.]+(?:e[+\-]?\d+)?", "d": rf"[\-{MINUS}]?[\d,]+"}.get(
        spec[-1], number
    )


def _value(text: str, spec: str) -> Any:
    if not spec:
        return text
    number = text.replace(MINUS, "-").replace(",", "").rstrip("%")
    if spec[-1] == "d":
        return int(number)
    value = float(number)
    if value in (float("inf"), float("-inf")) or value != value:
        return None
    return round(value / 100, 10) if spec[-1] == "%" else value
