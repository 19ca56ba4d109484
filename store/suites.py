"""Suites: which analyses belong side by side, whichever run, process or machine made them.

A suite is one model, one corpus and the settings that make numbers comparable. `Run.suite` is a hash of these. It is
made of what a run's row says of itself, so it can be made of runs that an older version stored (migration 0017).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

OF_THE_READING = ("tokens", "dense_threshold", "context", "contexts", "seed", "pilot_tokens", "controls")
"""Settings that decide which text is read and what is measured of it. How many contexts a batch has is one of them:
the pilot is whole batches."""
OF_THE_CLASSES = ("class_tokens", "random_directions", "pool", "cuts", "chance_directions")
"""Settings without meaning where no classes were asked for."""


def suite_key(model: str, corpus: str, settings: Mapping[str, Any], versions: Mapping[str, Any]) -> str:
    """Hex SHA-256 that the runs of a suite share.

    Left out on purpose: which SAEs were read, and of which latents more was kept (`--detail`), since both differ from
    layer to layer; whether the partners of a wide SAE are looked for among near directions alone; where the run was
    made, by which device, and how often it was saved; the last part of the version.

    Args:
        model: its fingerprint.
        corpus: SHA-256 of its records.
        settings, versions: as the run's row has them.
    """
    release = ".".join(str(versions.get("dense-latents", "")).split(".")[:2])
    parts: list[Any] = [model, corpus, release, settings.get("model_dtype"), settings.get("prepend_bos", True)]
    parts += [settings.get(name) for name in OF_THE_READING]
    if settings.get("classes"):
        parts += [settings.get(name) for name in OF_THE_CLASSES]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
