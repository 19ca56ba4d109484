"""What a study will cost, from configurations and the heads of files; by the same rules as `inspect`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analysis.config import AnalyzeConfig
from analysis.errors import UserError
from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.retrain.config import RetrainConfig
from analysis.options import Checked, wanted_by
from analysis.process.cache import cache_folder
from analysis.study.config import ABLATE, ANALYSE, REPORT, RETRAIN, TRAIN, VERDICTS, StudyConfig, matrix_path
from analysis.study.sections import Values
from analysis.study.words import digits, many
from analysis.training.config import TrainConfig

_GB, _MB = 1e9, 1e6
_HEAD = 8


def cost_of(step: str, config: StudyConfig) -> str:
    """In words; empty where it is next to nothing."""
    made: dict[str, Callable[[StudyConfig], str]] = {
        TRAIN: _train,
        ANALYSE: _texts if config.texts else _rows,
        ABLATE: _ablate,
        RETRAIN: _retrain,
        VERDICTS: lambda _config: "the rule, on what is stored: seconds",
        REPORT: lambda config: f"{config.report_path.name}: a second",
    }
    return made[step](config)


def _value(config: type[Checked], values: Values, name: str) -> Any:
    """As it was asked for, or as the configuration has it."""
    assert any(one.name == name for one in wanted_by(config))
    return values.get(name, getattr(config, name, None))


def _train(config: StudyConfig) -> str:
    values = config.train or {}
    steps, width, tokens = (_value(TrainConfig, values, name) for name in ("train_tokens", "width", "tokens"))
    return (
        f"{many(len(values['hooks']), 'SAE')} of {width:,} latents, {steps:,} token-steps each, on {tokens:,} tokens"
        " read once; hours on a CPU for the usual sizes"
    )


def _ablate(config: StudyConfig) -> str:
    tokens = _value(AblateConfig, config.ablate or {}, "tokens")
    return f"{tokens:,} tokens of each SAE, read once for every dense latent, pair and control: mostly the longest step"


def _retrain(config: StudyConfig) -> str:
    values = config.retrain or {}
    steps, tokens = (_value(RetrainConfig, values, name) for name in ("train_tokens", "tokens"))
    made = config.retrain_config(["0"], 1)
    arms = sum(made.seeds_of(arm) for arm in made.arms)
    return f"{many(arms, 'SAE')} trained for each SAE, {steps:,} token-steps each, on {tokens:,} tokens: hours"


def _texts(config: StudyConfig) -> str:
    tokens = _value(AnalyzeConfig, config.subject, "tokens")
    if config.train is not None:
        return f"{tokens:,} tokens; memory and time are known once the SAEs are trained"
    known = list(_inspected(config, tokens))
    words = f"{many(len(config.subject['saes']), 'SAE')}, {tokens:,} tokens"
    if not known or any(one is None for one in known):
        return f"{words}; memory and time are not known before the model is there"
    sae = sum(one[0] for one in known if one)
    model, seconds = (max(one[place] for one in known if one) for place in (1, 2))
    from analysis.run.inspect import duration

    return (
        f"{words}: about {duration(seconds)} on an idle machine, and {_size_of(sae + model)} for model and"
        " SAEs, sums besides"
    )


def _size_of(number: float) -> str:
    return f"{digits(number / _GB)} GB" if number > _GB / 10 else f"{digits(number / _MB)} MB"


def _inspected(config: StudyConfig, tokens: int) -> Iterator[tuple[float, float, float] | None]:
    """Bytes of the SAE, bytes of the model, seconds; None where nothing tells. Nothing is fetched."""
    from analysis.reading.demo_parts import MEMBER
    from analysis.reading.sae import expanded
    from analysis.run.inspect import TOKENS, inspected

    model = config.subject.get("model", "demo")
    if model == "demo" and not (cache_folder() / "models" / Path(MEMBER).name).exists():
        yield None
        return
    if model != "demo" and not Path(model).exists():
        yield None
        return
    for source in expanded(config.subject["saes"]):
        try:
            found = inspected(source, model) if Path(source).exists() else None
        except UserError:
            found = None
        if found is None or not (found.bytes_sae and found.bytes_model and found.seconds):
            yield None
        else:
            yield float(found.bytes_sae), float(found.bytes_model), found.seconds * tokens / TOKENS


def _rows(config: StudyConfig) -> str:
    found = []
    for source in config.subject["activations"]:
        path = matrix_path(source)
        paths = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
        found += [_size(one) for one in paths if not one.name.startswith(".")]
    trained = config.subject.get("train")
    return "; ".join(found) + (f"; an SAE ({trained}) is trained on each: minutes" if trained else "")


def _size(path: Path) -> str:
    """`hidden.npy: 49,097 rows x 64 units`, from the file's head; of other kinds how large it is."""
    shape = _shape(path)
    if shape is None or len(shape) != 2:
        return f"{path.name}: {_size_of(path.stat().st_size)}"
    rows, units = shape
    return f"{path.name}: {rows:,} rows x {units:,} units = {rows * units:,} numbers"


def _shape(path: Path) -> list[int] | None:
    try:
        if path.suffix == ".npy":
            import numpy as np

            return list(np.load(path, mmap_mode="r", allow_pickle=False).shape)
        if path.suffix == ".safetensors":
            with path.open("rb") as stream:
                head = json.loads(stream.read(int.from_bytes(stream.read(_HEAD), "little")))
            shapes = [value["shape"] for name, value in head.items() if name != "__metadata__"]
            return list(shapes[0]) if len(shapes) == 1 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the analysis says what is wrong with it
    return None
