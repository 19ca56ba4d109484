"""What `analyze`, `bench` and `calibrate` are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import typer

from analysis import __version__
from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.options import (
    Above,
    Actors,
    Checked,
    ContextSize,
    Device,
    Encoding,
    Least,
    ModelName,
    ModelType,
    Parsed,
    Ray,
    TextField,
    Texts,
    Within,
)


def parse_cuts(items: list[str]) -> dict[str, float]:
    """`position_rho=0.3` and so on -> name and value.

    Raises:
        UserError: unknown name, or no number.
    """
    known = _default_thresholds()
    found = {}
    for item in items:
        name, _, text = item.partition("=")
        if name not in known:
            raise UserError(f"--cut {item}: unknown cut '{name}'; choose one of {', '.join(known)}")
        try:
            value = type(known[name])(text)
        except ValueError:
            raise UserError(f"--cut {item}: expected {name}=NUMBER, e.g. {name}={known[name]}") from None
        if not 0 < value < math.inf:
            raise UserError(f"--cut {item}: expected a number above 0")
        found[name] = value
    return found


def _default_thresholds() -> dict[str, float]:
    from analysis.classes import default_thresholds  # with torch, which a question for help must not wait for

    return default_thresholds()


def parse_detail(items: list[str]) -> dict[int, list[int]]:
    """`15:1024,7` -> {15: [1024, 7]}; several items add up.

    Raises:
        UserError: another form.
    """
    wanted: dict[int, list[int]] = {}
    for item in items:
        layer, _, indices = item.partition(":")
        try:
            wanted.setdefault(int(layer), []).extend(int(index) for index in indices.split(","))
        except ValueError:
            raise UserError(f"--detail {item}: expected LAYER:INDEX[,INDEX ...], e.g. 15:1024") from None
    return wanted


_MOST_TOKENS = 2**31
_MOST_LEVELS = 10
_NO_SAES = "As in analyze; the shipped SAEs where none is given."


@dataclass(frozen=True, kw_only=True)
class AnalyzeConfig(Checked):
    """What `analyze` was asked for."""

    saes: Annotated[
        list[str],
        typer.Option("--sae", help="SAE folder in sae-lens' format, or release:sae_id; repeat for more."),
    ]
    model: ModelName = "demo"
    corpus: Texts = "demo"
    tokens: Annotated[int, typer.Option(help="Tokens to read, special ones not counted."), Least(1)] = 100_000
    db: Annotated[
        str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL; made if missing.")
    ] = "dense-latents.db"
    dense_threshold: Annotated[float, typer.Option(help="A latent is dense above this density."), Within(0, 1)] = 0.1
    context: ContextSize = 256
    seed: Annotated[int, typer.Option(help="Of the sample of contexts and examples.")] = 0
    detail: Annotated[
        dict[int, list[int]],
        typer.Option(help="LAYER:INDEX[,INDEX ...]: further latents with examples and profiles."),
        Parsed(parse_detail),
    ] = field(default_factory=dict)
    text_field: TextField = "text"
    encoding: Encoding = ""
    classes: Annotated[
        bool,
        typer.Option("--classes/--no-classes", help="Say what each dense latent does; hold your labels against it."),
    ] = True
    class_tokens: Annotated[int, typer.Option(help="Tokens of the sample for classes and labels."), Least(1)] = 65_536
    cuts: Annotated[
        dict[str, float],
        typer.Option("--cut", help="NAME=VALUE: what a class must reach; see /methods."),
        Parsed(parse_cuts),
    ] = field(default_factory=dict)
    """Those that are not named are as the classes declare."""
    levels: Annotated[
        int,
        typer.Option(
            help="Examples from so many equal intervals of activation up to the largest, as other dashboards have them;"
            " 0: from the quarters of the firing activations."
        ),
        Least(0),
    ] = 0
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of the same run.")] = False
    contexts: Annotated[int, typer.Option(help="Contexts per batch."), Least(1)] = 8
    shard: Annotated[
        int, typer.Option(help="Batches that are added up by themselves, then to the whole."), Least(1)
    ] = 16
    checkpoint_seconds: Annotated[float, typer.Option(help="Time between checkpoints.")] = 60.0
    approximate_partners: Annotated[
        bool,
        typer.Option(
            "--approximate-partners",
            help="For hundreds of thousands of latents: partners among near directions, with what that misses.",
        ),
    ] = False
    memory: Annotated[
        float | None,
        typer.Option(help="GB the run may take; SAEs that do not fit together are read one after another."),
        Above(0),
    ] = None
    dtype: ModelType = "auto"
    device: Device = "auto"
    ray: Ray = ""
    actors: Actors = 0
    pilot_tokens: int = 8192
    """Tokens that decide which latents get detail."""
    controls: Annotated[int, Least(0)] = 32
    """Sparse latents that get the same detail as dense ones."""
    random_directions: Annotated[int, Least(1)] = 64
    """Random directions that everything is measured of as of a latent."""
    chance_directions: Annotated[int, Least(64)] = 512
    """Further ones, on a part of the sample, that chance levels are fitted to."""
    pool: Annotated[int, Least(0)] = 512
    """Sparse latents a dense signal is tried to be rebuilt from."""
    tag: str = ""
    """Stored with the run; the demo finds its own run by it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "cuts", _default_thresholds() | self.cuts)
        if self.tokens >= _MOST_TOKENS:
            raise UserError(f"--tokens {self.tokens}: expected fewer than {_MOST_TOKENS:,}: counts have 32 bits")
        if self.levels > _MOST_LEVELS:
            raise UserError(f"--levels {self.levels}: expected at most {_MOST_LEVELS}")
        if not self.saes:
            raise UserError("analyze: expected at least one --sae")
        if len(set(self.saes)) != len(self.saes):
            raise UserError("analyze: the same --sae is given twice")

    @property
    def shard_contexts(self) -> int:
        """Contexts of a shard."""
        return self.contexts * self.shard

    def key(self, model: str, corpus: str, saes: list[tuple[str, str]], dtype: str, prepend_bos: bool = True) -> str:
        """Hash of all that fixes the numbers: the same key, the same rows.

        Args:
            model, corpus: their SHA-256.
            saes: SHA-256 of the weights and of the configuration of each.
            dtype: of the model as loaded.
            prepend_bos: whether contexts begin with BOS.
        """
        parts = [__version__, model, corpus, saes, dtype, self.tokens, self.dense_threshold, self.context]
        parts += [self.contexts, self.shard, self.seed, self.pilot_tokens, sorted(self.detail.items()), self.text_field]
        parts += [self.controls, self.approximate_partners, prepend_bos, *[self.levels] * (self.levels > 0)]
        if self.classes:
            parts += [self.class_tokens, self.random_directions, self.pool, sorted(self.cuts.items())]
            parts += [self.chance_directions]
        return hash_of(parts)


@dataclass(frozen=True, kw_only=True)
class BenchConfig(AnalyzeConfig):
    """What `bench` was asked for."""

    SHOWN: ClassVar[tuple[str, ...]] = (
        "model",
        "saes",
        "corpus",
        "text_field",
        "encoding",
        "tokens",
        "classes",
        "context",
        "repeats",
        "json",
        "memory",
        "dtype",
        "device",
    )

    saes: Annotated[list[str], typer.Option("--sae", help=_NO_SAES)] = field(default_factory=list)
    tokens: Annotated[int, typer.Option(help="N: timed tokens. Memory is measured at N and at 8 N."), Least(1)] = 16_384
    classes: Annotated[bool, typer.Option("--classes", help="With classes, labels and chains.")] = False
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
    repeats: Annotated[int, typer.Option(help="Readings that the medians are of."), Least(1)] = 1
    memory: Annotated[bool, typer.Option(help="Measure memory too (two more processes).")] = True


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig(AnalyzeConfig):
    """What `calibrate` was asked for."""

    SHOWN: ClassVar[tuple[str, ...]] = (
        "model", "saes", "corpus", "text_field", "encoding", "tokens", "directions", "controls", "seed", "cuts", "json",
        "dtype", "device", "ray", "actors",
    )  # fmt: skip

    saes: Annotated[list[str], typer.Option("--sae", help=_NO_SAES)] = field(default_factory=list)
    tokens: Annotated[int, typer.Option(help="Tokens to read."), Least(1)] = 60_000
    directions: Annotated[int, typer.Option(help="Random directions tried for each SAE."), Least(0)] = 192
    controls: Annotated[int, typer.Option(help="Sparse latents tried for each SAE."), Least(0)] = 192
    seed: Annotated[int, typer.Option(help="Of sample and directions.")] = 0
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
