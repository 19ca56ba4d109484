"""Files of the Hugging Face hub, or of what HF_ENDPOINT names: fetched into the hub's cache, and checked.

What is fetched is held to the hash that the hub gives, which its client leaves unchecked; a file that does not fit is
taken out of the cache. Only a fresh file is: hashing costs about a second a GB. Whatever goes wrong is one line that
names repository and file. A hub that does not answer is found out once, in seconds, and the cache is used then; the
client would try every file for half a minute.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils._http import get_session
from huggingface_hub.utils._validators import validate_repo_id

from analysis.errors import UserError
from analysis.hashing import sha256_file

CONFIG, INDEX, WEIGHTS = "config.json", "model.safetensors.index.json", "model.safetensors"
_BESIDE = (
    "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "chat_template.jinja", INDEX,
)  # fmt: skip
_PATIENCE = 5.0  # seconds for a first answer
MODEL, DATA = "model", "dataset"
"""Kinds of repositories, as the hub calls them."""


class NoSuchFile(EntryNotFoundError, UserError):  # noqa: N818 -- reads as it is raised
    """A repository without this file. sae-lens asks for some that need not be there, and catches the first kind."""


def fetch(
    repo_id: str,
    filename: str,
    subfolder: str | None = None,
    revision: str | None = None,
    repo_type: str | None = None,
    **_: Any,
) -> str:
    """Where a file of a repository lies, now that it is here; the arguments are those of `hf_hub_download`.

    Raises:
        NoSuchFile: the repository has none, or the hub does not answer and it was never fetched.
        UserError: anything else.
    """
    name = f"{subfolder}/{filename}" if subfolder else filename
    _check_name(repo_id)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it logs each try; what comes of them is said once
    silent = why_silent()
    where: dict[str, Any] = {"repo_type": repo_type, "revision": revision}
    before = try_to_load_from_cache(repo_id, name, **where)
    try:
        path: str = hf_hub_download(repo_id, name, **where, local_files_only=silent is not None)
    except LocalEntryNotFoundError as error:
        raise NoSuchFile(
            f"{repo_id}: {name}: expected an answer of {constants.ENDPOINT}; found {silent or _why(error)}, and no"
            " copy of it here"
        ) from error
    except EntryNotFoundError as error:
        raise NoSuchFile(f"{repo_id}: {name}: expected this file in the repository; found no such file") from error
    except Exception as error:  # the hub's client raises many kinds
        raise UserError(f"{repo_id}: {name}: expected a whole file; found {_why(error)}") from error
    if path != before:
        _check(Path(path), repo_id, name)
    return path


def model_folder(repository: str) -> Path:
    """The folder of the cache with all that a model is loaded from: fetched where missing, of one revision.

    Raises:
        UserError: no such repository, no safetensors weights in it, or a download that failed.
    """
    names = listing(repository)
    folder = _together(repository, [CONFIG, *(name for name in _BESIDE if name in names)])
    return _together(repository, _weights(repository, folder, names), folder.name)


def fetched_folder(repository: str, inside: str, names: Collection[str]) -> Path:
    """A folder of a repository, with those of these files that it has; `.` is the repository itself.

    Only these are fetched, so no pickle and no code is.

    Raises:
        UserError: no such repository or folder, or a download that failed.
    """
    there = listing(repository)
    prefix = "" if inside in ("", ".") else f"{inside.strip('/')}/"
    found = [name for name in there if name.startswith(prefix) and name.removeprefix(prefix) in names]
    if not found:
        some = ", ".join([name for name in there if name.startswith(prefix)][:6] or there[:6])
        raise UserError(f"{repository}: expected a folder '{inside}' with an SAE; found {some or 'no files'}")
    return _together(repository, found) / prefix


def listing(repository: str) -> list[str]:
    """The files of a model's or an SAE's repository.

    Raises:
        UserError: as `listed`.
    """
    return list(listed(repository))


@cache
def listed(repository: str, kind: str = MODEL, revision: str | None = None) -> dict[str, int | None]:
    """The files of a repository and their bytes, if known; of one that cannot be asked, those that were fetched.

    Raises:
        UserError: no such repository, or no answer and nothing here.
    """
    _check_name(repository)
    if (silent := why_silent()) is not None:
        return _here(repository, kind, revision, silent)
    try:
        found: Any = HfApi().repo_info(repository, repo_type=kind, revision=revision, files_metadata=kind == DATA)
    except Exception as error:  # the hub's client raises many kinds
        raise UserError(f"{repository}: expected a list of its files; found {_why(error)}") from error
    return {each.rfilename: each.size for each in found.siblings or []}


def _here(repository: str, kind: str, revision: str | None, silent: str) -> dict[str, int | None]:
    """What the cache has of it."""
    base = Path(constants.HF_HUB_CACHE) / f"{kind}s--{repository.replace('/', '--')}"
    reference = base / "refs" / (revision or "main")
    state = reference.read_text().strip() if reference.exists() else revision or ""
    folder = base / "snapshots" / state
    if not state or not folder.is_dir():
        raise UserError(
            f"{repository}: expected an answer of {constants.ENDPOINT}; found {silent}, and no copy of it here"
        )
    return {path.relative_to(folder).as_posix(): None for path in folder.rglob("*") if path.is_file()}


def fetched_files(repository: str, names: list[str], revision: str | None, kind: str) -> Path:
    """The folder of the cache with these files, all of one state of the repository, whose name is the folder's.

    Raises:
        UserError: a download that failed.
    """
    return _together(repository, names, revision, kind)


@contextmanager
def fetching() -> Iterator[None]:
    """Within it sae-lens fetches by `fetch`: all its loaders of the hub call one function."""
    import sae_lens.loading.pretrained_sae_loaders as loaders

    theirs = loaders.hf_hub_download
    loaders.hf_hub_download = fetch
    try:
        yield
    finally:
        loaders.hf_hub_download = theirs


@cache
def why_silent() -> str | None:
    """Why the hub cannot be asked; None where it answers, whatever it says. Asked once."""
    try:
        get_session().head(constants.ENDPOINT, timeout=_PATIENCE)
    except Exception as error:  # the hub's client raises many kinds
        return _why(error)
    return None


def _together(repository: str, names: list[str], revision: str | None = None, kind: str = MODEL) -> Path:
    """The folder of the cache with these files of one revision, the newest without one."""
    folder = Path()
    for name in names:  # the first by the branch, which the client notes for when the hub does not answer
        path = Path(fetch(repository, name, revision=revision, repo_type=kind))
        folder = path.parents[name.count("/")]
        revision = folder.name
    return folder


def _weights(repository: str, folder: Path, names: list[str]) -> list[str]:
    """One file or its shards, as transformers chooses them."""
    if WEIGHTS in names:
        return [WEIGHTS]
    if INDEX in names:
        return sorted(set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values()))
    if why_silent() is not None:  # the download was broken off before its weights
        return [WEIGHTS]
    some = ", ".join(sorted(name for name in names if "/" not in name)[:8])
    raise UserError(f"{repository}: expected {WEIGHTS} or its shards (pickled weights are refused); found {some}")


def _check(path: Path, repository: str, name: str) -> None:
    """The hub's tag of a file names its blob: the SHA-256 of what is large, git's SHA-1 of the rest."""
    if not path.is_symlink():
        return  # a cache without links does not keep the tag
    blob = path.parent / os.readlink(path)
    expected = blob.name
    if re.fullmatch("[0-9a-f]{64}", expected):
        found = sha256_file(path)
    elif re.fullmatch("[0-9a-f]{40}", expected):
        data = path.read_bytes()
        found = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    else:
        return
    if found != expected:
        path.unlink()
        blob.unlink()
        raise UserError(
            f"{repository}: {name}: expected the hash {expected[:16]}... that the hub gives; found {found[:16]}...: the"
            " download was damaged and is deleted; repeat the command"
        )


def _check_name(repository: str) -> None:
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UserError(f"{repository}: expected a repository of the hub, owner/name; found no such name") from error


def _why(error: BaseException) -> str:
    """What the hub's client says, in a line."""
    if isinstance(error, GatedRepoError):
        return "a repository with terms: accept them on its page, then log in (`hf auth login`)"
    if isinstance(error, RepositoryNotFoundError):
        return "no such repository, or a private one (`hf auth login`)"
    if isinstance(error, HfHubHTTPError):
        return f"status {error.response.status_code}"
    while error.__cause__ is not None:
        error = error.__cause__
        if isinstance(error, HfHubHTTPError):
            return _why(error)
    first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
