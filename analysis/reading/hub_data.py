"""A data set of the hub as a corpus: the files of one split, fetched and checked like all that comes from there.

Which files those are, `datasets` tells, of a folder with the repository's names, its card and nothing else in them: its
own rules for subsets and splits hold, and nothing is asked of the hub but a list. Reading is ours (`formats`).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from analysis.errors import UserError
from analysis.reading import formats
from analysis.reading.hub import DATA, fetched_files, listed
from analysis.reading.sae_files import PICKLES

_SOURCE = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?(?::(?P<subset>[^/:@]+))?")
_CARD = "README.md"
_MOST = 20_000_000_000  # bytes: all of a split is fetched before it is read
SPLIT = "train"
"""The split that is read; of a data set without it, its only or first one."""


@dataclass(frozen=True)
class HubData:
    """Files of a data set, here by now."""

    name: str
    """`owner/name@revision:subset`: what gives the same again."""
    title: str
    """The same with the beginning of the revision."""
    files: list[Path]
    passed_over: dict[str, str]
    """What it has besides -> why it is not read."""


def is_hub_data(source: str) -> bool:
    """Whether this may be a data set of the hub: nothing of that name is here, and it is no name of a file."""
    named = formats.is_known(Path(source)) or source.startswith((".", "/", "~"))
    return not named and not Path(source).exists() and _SOURCE.fullmatch(source) is not None


def hub_data(source: str) -> HubData:
    """The split `train` of a data set, or its only or first one.

    Args:
        source: `owner/name`, `owner/name:subset`; either with `@revision` before the colon.

    Raises:
        UserError: no such data set, subset or answer; one that needs a script, or whose texts are pickles or of a kind
            that is not read; one too large to be fetched whole.
    """
    match = _SOURCE.fullmatch(source)
    assert match is not None
    repository, revision, subset = match.groups()
    try:
        sizes = listed(repository, DATA, revision)
    except UserError as error:
        raise UserError(
            f"--corpus {source}: expected a file, a folder or a data set of the hub that can be reached; {error}"
        ) from error
    _refuse_script(source, repository, sizes)
    _refuse_pickles_alone(source, list(sizes))
    card = None
    if _CARD in sizes:
        card = fetched_files(repository, [_CARD], revision, DATA) / _CARD
        revision = card.parent.name  # what comes after it is of the same state
    split, names = _split(source, subset, sizes, card)
    _refuse_kinds(source, names)
    _refuse_large(source, split, sum(sizes[name] or 0 for name in names))
    folder = fetched_files(repository, names, revision, DATA)
    others = [name for name in sizes if formats.is_known(Path(name)) and name not in {*names, _CARD}]
    tail = f":{subset}" if subset else ""
    return HubData(
        f"{repository}@{folder.name}{tail}",
        f"{repository}@{folder.name[:12]}{tail}",
        [folder / name for name in names],
        dict.fromkeys(others, f"not of the split '{split}'{f' of {subset}' if subset else ''}"),
    )


def _refuse_script(source: str, repository: str, names: Iterable[str]) -> None:
    script = f"{repository.split('/')[1]}.py"
    if script in names:
        raise UserError(
            f"--corpus {source}: expected tables or texts; found a data set that is made by a script of its own"
            f" ({script}), which is never run"
        )


def _refuse_pickles_alone(source: str, names: list[str]) -> None:
    """Of a data set of them, `datasets` would only say that it has no files."""
    if not any(formats.is_known(Path(name)) for name in names if name != _CARD):
        _refuse_kinds(source, [name for name in names if name.lower().endswith(PICKLES)])


def _split(source: str, subset: str | None, names: Iterable[str], card: Path | None) -> tuple[str, list[str]]:
    """Name of the split, and its files in order."""
    with tempfile.TemporaryDirectory() as base:
        root = Path(base, "data")
        for name in names:
            place = root / PurePosixPath(name)
            if not place.resolve().is_relative_to(root.resolve()):
                raise UserError(f"--corpus {source}: expected names of files; found '{name}'")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        if card is not None:
            (root / _CARD).write_bytes(card.read_bytes())
        splits = _resolved(source, subset, root, Path(base, "cache"))
        split = SPLIT if SPLIT in splits else next(iter(splits))
        found = [Path(file).resolve().relative_to(root.resolve()).as_posix() for file in splits[split]]
    return split, found


def _resolved(source: str, subset: str | None, root: Path, cache: Path) -> dict[str, list[str]]:
    """Split -> files, as `datasets` resolves a folder."""
    from datasets import load_dataset_builder

    try:
        builder: Any = load_dataset_builder(str(root), name=subset, cache_dir=str(cache))
        found = {str(split): [str(file) for file in files] for split, files in builder.config.data_files.items()}
    except Exception as error:  # datasets raises many kinds
        told, missing, _ = " ".join(str(error).replace(str(root), source).split()).partition(" Example of usage")
        told += f"; name one, as in {source}:SUBSET" if missing else ""
        raise UserError(f"--corpus {source}: expected a data set that `datasets` can read; found: {told}") from error
    if not any(found.values()):
        raise UserError(f"--corpus {source}: expected files with texts; found none")
    return found


def _refuse_kinds(source: str, names: list[str]) -> None:
    for name in names:
        if name.lower().endswith(PICKLES):
            raise UserError(f"--corpus {source}: found {name}, a pickle (refused: it can run code)")
        if not formats.is_known(Path(name)):
            raise UserError(f"--corpus {source}: expected files ending in {formats.KINDS}; found {name}")


def _refuse_large(source: str, split: str, size: int) -> None:
    if size > _MOST:
        raise UserError(
            f"--corpus {source}: expected at most {_MOST // 10**9} GB, since all is fetched; found"
            f" {size / 1e9:,.0f} GB in the split '{split}': name a subset ({source.split(':')[0]}:SUBSET), or fetch"
            " some of its files and give their folder"
        )
