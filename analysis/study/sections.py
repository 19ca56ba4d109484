"""A section of a study's file -> values of a configuration. Which keys there are, of which type and within which
bounds, the fields of the configuration say, as they do for the command line."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from analysis.errors import UserError
from analysis.options import Checked, Parsed, Wanted, wanted_by

_C = TypeVar("_C", bound=Checked)
Values = dict[str, Any]
_EXPECTED: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    Path: "a text in quotes",
    list: "a text in quotes, or a list of them",
    dict: "a table, or a list of texts",
}


@dataclass(frozen=True)
class Section:
    """A part of the file.

    `called` is how a field's key is called where it is not as the option of the command line; `without` are fields that
    the study fills in itself.
    """

    file: Path
    title: str
    config: type[Checked]
    called: Mapping[str, str]
    without: Collection[str] = ()

    def read(self, given: Mapping[str, Any], more: Collection[str] = ()) -> Values:
        """Field -> value, of the keys that are there.

        Args:
            more: keys that belong to somebody else.

        Raises:
            UserError: an unknown key, a value of another type or out of its bounds.
        """
        keys = self.keys
        values = {}
        for key, value in given.items():
            if key in more:
                continue
            if key not in keys:
                raise UserError(unknown(self.file, key, [*keys, *more], self.title))
            wanted = keys[key]
            values[wanted.name] = typed(value, wanted, f"{self.file}: [{self.title}] {key}")
            try:
                wanted.check(values[wanted.name])
            except UserError as error:
                raise UserError(f"{self.file}: [{self.title}] {self._by_key(str(error))}") from None
        return values

    @property
    def keys(self) -> dict[str, Wanted]:
        """Key -> field."""
        return {self._key(one): one for one in wanted_by(self.config) if one.name not in self.without}

    def _key(self, wanted: Wanted) -> str:
        return self.called.get(wanted.name) or wanted.flag.removeprefix("--").replace("-", "_")

    def _by_key(self, said: str) -> str:
        """What a configuration says of its options, in the file's words."""
        for key, wanted in sorted(self.keys.items(), key=lambda pair: -len(pair[1].flag)):
            said = said.replace(wanted.flag, key)
        return said

    def made(self, config: type[_C], values: Values) -> _C:
        """The configuration.

        Raises:
            UserError: values that do not go together; the file is named.
        """
        read = {one.name: rule for one in wanted_by(config) for rule in one.rules if isinstance(rule, Parsed)}
        try:
            return config(**{name: read[name].read(value) if name in read else value for name, value in values.items()})
        except UserError as error:
            raise UserError(f"{self.file}: [{self.title}] {self._by_key(str(error))}") from None


def typed(value: Any, wanted: Wanted, place: str) -> Any:
    """A value of the field's type; of what is read from words, the words.

    Raises:
        UserError: of another type.
    """
    if any(isinstance(rule, Parsed) for rule in wanted.rules):
        return _words(value, place)
    kind = next((one for one in get_args(wanted.kind) if one is not NoneType), wanted.kind)
    kind = kind if isinstance(wanted.kind, UnionType) else wanted.kind
    if get_origin(kind) is list:
        return [each for each in checked(value, list, place) if checked(each, str, place) is not None]
    return checked(value, kind, place)


def checked(value: Any, kind: type, place: str) -> Any:
    """The value, if it is of this type; a whole number is a number, and one text a list of one.

    Raises:
        UserError: what was expected, and what was found.
    """
    if kind is list and isinstance(value, str):
        return [value]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{place}: expected {_EXPECTED[kind]}; found {json.dumps(value, default=str)}")
    return value


def _words(value: Any, place: str) -> list[str]:
    """`{shift = "category"}` as the command line has it, `shift=category`; lists `{15 = [1, 2]}` as `15:1,2`."""
    if not isinstance(value, dict):
        return [str(checked(each, str, place)) for each in checked(value, list, place)]
    return [
        f"{name}:{','.join(map(str, each))}" if isinstance(each, list) else f"{name}={each}"
        for name, each in value.items()
    ]


def unknown(file: Path, key: str, known: Collection[str], title: str = "") -> str:
    """What is said of a key that there is not: the nearest that there is."""
    near = get_close_matches(key, known, n=1)
    where = f" in [{title}]" if title else ""
    mend = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(sorted(known))}"
    return f"{file}: unknown key '{key}'{where}; {mend}"
