"""Whether an SAE fits what it was read on: the same judgement for the console and for every page, made of what the
store has, so that stores of older versions show it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store.vocabulary import Statement

FITS, NOTE, MISFIT = "fits", "note", "misfit"
"""What a measurement says: as it should be; worth knowing; the SAE may not be for this."""

L0_TIMES = 2.0
"""An L0 beyond this many times what was trained, either way, is another SAE's."""
FVU_TIMES, FVU_MORE = 2.0, 0.05
"""An FVU beyond this many times the training report's, and by more than this, is another text's or model's."""
FVU_MOST = 0.4
"""Without a report: more of the variance unexplained than any SAE that is in use leaves."""
FVU_USELESS = 1.0
"""The mean would rebuild as much."""
MASSIVE_MOST = 0.01
"""Share of massive tokens beyond which what is left out of the linear measures is no exception."""

_SIZES = r"i?q\d(?:[-_][a-z0-9]{1,2})*|bf16|f16|fp16|f32|fp32|fp8|int[48]|[48]-?bit|awq|gptq|bnb|gguf|ggml|hf"
_STORED_AS = re.compile(rf"[-_.](?:{_SIZES})(?=[-_.]|$)")
_TUNED = frozenset({"it", "instruct", "chat", "sft", "dpo", "rlhf", "assistant"})
_UNTUNED = frozenset({"base", "pt"})
_VERSION = re.compile(r"v\d+(\.\d+)*")
_SAME_AS = {"gpt2-small": "gpt2"}
"""Two names of one model that no rule shows."""


@dataclass(frozen=True)
class Read:
    """An SAE, and what one run saw of it."""

    details: Mapping[str, Any]
    """sae-lens' configuration and metadata."""
    training: Mapping[str, Any] | None
    """The training report beside the weights."""
    source: str
    model: str
    """What the model is called that was read."""
    model_source: str
    fingerprint: str
    """The model's identity."""
    bos: bool | None = None
    """Whether a BOS token stood before each context; None: nobody knows."""


@dataclass(frozen=True)
class Seen:
    """What was measured."""

    l0: float
    fvu: float | None
    massive_share: float
    recall: Mapping[str, Any] | None = None
    """What an approximate partner search found of what an exact one does, on a sample; None where it was exact."""


def fit(read: Read, seen: Seen) -> list[Statement]:
    """One statement each of model, BOS where the SAE says something of it, L0, FVU, massive tokens, and partners where
    the search was approximate: `of`, `code`, `level`, and its numbers."""
    measured = [_fit_l0(read, seen.l0), _fit_fvu(read, seen.fvu), _fit_massive(seen.massive_share)]
    return [fit_model(read), *fit_bos(read), *measured, *_fit_partners(seen.recall)]


def fit_bos(read: Read) -> list[Statement]:
    """Whether contexts began as in its training; nothing where that is not known."""
    trained = _about(read.details).get("prepend_bos")
    if read.bos is None or not isinstance(trained, bool):
        return []
    code = "bos_same" if trained == read.bos else "bos_more" if read.bos else "bos_less"
    return [
        {
            "of": "bos",
            "code": code,
            "level": FITS if trained == read.bos else NOTE,
            "found": read.bos,
            "expected": trained,
        }
    ]


def fit_model(read: Read) -> Statement:
    """Whether the SAE says that it was made for this model."""
    about = _about(read.details)
    made_for = str(about.get("model_name") or "")
    told = {"of": "model", "found": read.model, "expected": made_for}
    if not made_for:
        return {**told, "code": "model_unnamed", "level": NOTE, "expected": None}
    if about.get("model_fingerprint") == read.fingerprint:
        return {**told, "code": "model_same", "level": FITS}
    found = {same_model(made_for, name) for name in (read.model, read.model_source)}
    code = next(code for code in ("same", "copy", "tuned", "version", "other") if code in found)
    return {**told, "code": f"model_{code}", "level": {"same": FITS, "other": MISFIT}.get(code, NOTE)}


def same_model(one: str, other: str) -> str:
    """How two names of models go together: same; copy (another organisation's of that name); tuned (one is a base
    model, the other is tuned); version (only one says which); other."""
    owner, name = _owner(one)
    its_owner, its_name = _owner(other)
    (core, tuned, version), (its_core, its_tuned, its_version) = _known(name), _known(its_name)
    if not core or core != its_core or (version and its_version and version != its_version):
        return "other"
    if tuned != its_tuned:
        return "tuned"
    if version != its_version:
        return "version"
    return "copy" if owner and its_owner and owner != its_owner else "same"


def _owner(name: str) -> tuple[str, str]:
    """Organisation and repository of a hub id; of a path only its last part says anything."""
    parts = [part for part in re.split(r"[/\\]", name.strip().lower()) if part]
    if len(parts) == 2 and name[:1] not in "./~\\":
        return parts[0], parts[1]
    return "", parts[-1] if parts else ""


def _known(name: str) -> tuple[str, bool, str]:
    """What a name says beside how the weights are stored: the model, whether it is tuned, its version."""
    plain = name
    while (shorter := _STORED_AS.sub("", plain)) != plain:
        plain = shorter
    parts = re.split(r"[-_]", _SAME_AS.get(plain, plain))
    parts = parts[1:] if parts[:1] == ["meta"] and len(parts) > 1 else parts
    version = next((part for part in parts if _VERSION.fullmatch(part)), "")
    core = [part for part in parts if part not in _TUNED | _UNTUNED and part != version]
    return re.sub(r"[^a-z0-9]", "", "".join(core)), bool(_TUNED & set(parts)), version


def expected_l0(read: Read) -> tuple[float | None, str]:
    """How many latents should fire on a token, and what says so: `k`, `l0` (the configuration's) or `report`."""
    about, report = _about(read.details), read.training or {}
    trained = about.get("training_architecture_details") or {}
    recipe = report.get("recipe") or {}
    sparse = "topk" in str(recipe.get("architecture") or "")
    named = re.search(r"(?:average_)?l0_(\d+)", read.source)
    for value, by in (
        (read.details.get("k"), "k"),
        ((about.get("activation_fn_kwargs") or {}).get("k"), "k"),
        (trained.get("k"), "k"),
        (recipe.get("k") if sparse else None, "k"),
        (about.get("l0"), "l0"),
        (about.get("average_l0"), "l0"),
        (named and float(named[1]), "l0"),
        ((report.get("held_out") or {}).get("l0"), "report"),
    ):
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value), by
    return None, ""


def _fit_l0(read: Read, found: float) -> Statement:
    expected, by = expected_l0(read)
    told: Statement = {"of": "l0", "found": found, "expected": expected, "by": by}
    if expected is None:
        return {**told, "code": "l0_unknown", "level": NOTE}
    times = found / expected
    if times > L0_TIMES:
        return {**told, "code": "l0_more", "level": MISFIT, "times": times}
    if times * L0_TIMES < 1:
        return {**told, "code": "l0_fewer", "level": MISFIT, "times": times}
    return {**told, "code": "l0_near", "level": FITS}


def _fit_fvu(read: Read, found: float | None) -> Statement:
    value = ((read.training or {}).get("held_out") or {}).get("fvu")
    expected = float(value) if isinstance(value, int | float) else None
    told: Statement = {"of": "fvu", "found": found, "expected": expected}
    if found is None:
        return {**told, "code": "fvu_unknown", "level": NOTE}
    if found > FVU_USELESS:
        return {**told, "code": "fvu_useless", "level": MISFIT}
    if expected is not None and found > max(FVU_TIMES * expected, expected + FVU_MORE):
        return {**told, "code": "fvu_worse", "level": MISFIT, "times": found / expected if expected else None}
    if found > FVU_MOST:
        return {**told, "code": "fvu_high", "level": MISFIT, "most": FVU_MOST}
    return {**told, "code": "fvu_low" if expected is None else "fvu_near", "level": FITS, "most": FVU_MOST}


def _fit_massive(share: float) -> Statement:
    many = share > MASSIVE_MOST
    told: Statement = {"of": "massive", "found": share, "expected": MASSIVE_MOST}
    return {**told, "code": "massive_many" if many else "massive_few", "level": MISFIT if many else FITS}


def _fit_partners(recall: Mapping[str, Any] | None) -> list[Statement]:
    if recall is None:
        return []
    told: Statement = {"of": "partners", "level": NOTE, "sampled": recall["sampled"], "expected": None}
    for least, found, of in recall["mirror"]:
        if of:
            return [{**told, "code": "partners_index", "found": found / of, "hit": found, "of_all": of, "least": least}]
    return [{**told, "code": "partners_none", "found": None}]


def _about(details: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata, beside or within the configuration."""
    return {**details, **(details.get("metadata") or {})}
