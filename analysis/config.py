"""What `analyze`, `bench` and `calibrate` are asked for."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, ClassVar

import typer

from analysis import __version__
from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.options import Checked, ContextSize, Device, Least, ModelName, ModelType, Parsed, Texts, Within


@dataclass(frozen=True)
class Thresholds:
    """What a latent must reach to be given a class; set before anything was measured, never tuned to find more."""

    documents: int = 64
    """With fewer, no label of position, context binding or content words: slow noise looks like an effect."""
    position_rho: float = 0.4
    """|Spearman| of the signal with the distance from a boundary (reported about the paper)."""
    position_partial: float = 0.2
    """The same with the other two distances held fixed."""
    content_auc: float = 0.75
    """AUC of content words against the rest (reported about the paper)."""
    content_types_auc: float = 0.625
    """The same with one vote for each token type: half the way from chance to the cut."""
    content_firing_auc: float = 0.55
    """The same of firing itself, (TPR + TNR) / 2: a sparse latent's direction may lean on content, its firing not."""
    component_cos: float = 0.75
    """|cosine| with the first principal component (reported about the paper)."""
    component_ratio: float = 1.2
    """Variance of the first component over that of the second; below, the first is not a direction of its own."""
    component_stability: float = 0.9
    """|cosine| of the first component of one half of the documents with that of the other."""
    null_alpha: float = 0.2
    """Share of a decoder direction's length in the quietest directions of the unembedding (reported, for d = 2304)."""
    null_chance: float = 3.0
    """Times what a random direction has there by chance; the larger of both cuts holds."""
    null_directions: int = 10
    """How many of the quietest directions."""
    alphabet_share: float = 0.9
    """Share of the 100 most promoted (or suppressed) tokens with one first letter (reported about the paper)."""
    alphabet_depth: float = 0.8
    """Only layers beyond this share of the depth are labelled."""
    binding_half_life: float = 16.0
    """Tokens after which the autocorrelation, token noise apart, has fallen to half."""
    binding_within: float = 0.65
    """AUC, within a document, of telling a stretch's pole from its words."""
    binding_across: float = 0.6
    """The same over documents must stay below: above, it is a fixed concept."""
    q: float = 0.05
    """False discovery rate (Benjamini-Hochberg) of the classes that make a test."""


def parse_cuts(items: list[str]) -> Thresholds:
    """`position_rho=0.3` and so on -> the cuts with these changed.

    Raises:
        UserError: unknown name, or no number.
    """
    cuts = Thresholds()
    known = {each.name: type(getattr(cuts, each.name)) for each in fields(Thresholds)}
    for item in items:
        name, _, text = item.partition("=")
        if name not in known:
            raise UserError(f"--cut {item}: unknown cut '{name}'; choose one of {', '.join(known)}")
        try:
            value = known[name](text)
        except ValueError:
            raise UserError(f"--cut {item}: expected {name}=NUMBER, e.g. {name}={getattr(cuts, name)}") from None
        if not 0 < value < math.inf:
            raise UserError(f"--cut {item}: expected a number above 0")
        cuts = replace(cuts, **{name: value})
    return cuts


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
    text_field: Annotated[str, typer.Option(help="Column of a .jsonl that holds the text.")] = "text"
    classes: Annotated[
        bool,
        typer.Option("--classes/--no-classes", help="Say what each dense latent does; hold your labels against it."),
    ] = True
    class_tokens: Annotated[int, typer.Option(help="Tokens of the sample for classes and labels."), Least(1)] = 65_536
    cuts: Annotated[
        Thresholds, typer.Option("--cut", help="NAME=VALUE: what a class must reach; see /methods."), Parsed(parse_cuts)
    ] = field(default_factory=Thresholds)
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of the same run.")] = False
    contexts: Annotated[int, typer.Option(help="Contexts per batch."), Least(1)] = 8
    checkpoint_seconds: Annotated[float, typer.Option(help="Time between checkpoints.")] = 60.0
    dtype: ModelType = "auto"
    device: Device = "auto"
    pilot_tokens: int = 8192
    """Tokens that decide which latents get detail."""
    controls: Annotated[int, Least(0)] = 32
    """Sparse latents that get the same detail as dense ones."""
    random_directions: Annotated[int, Least(1)] = 64
    """Random directions whose largest score is the chance level."""
    pool: Annotated[int, Least(0)] = 512
    """Sparse latents a dense signal is tried to be rebuilt from."""
    tag: str = ""
    """Stored with the run; the demo finds its own run by it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.cuts, dict):  # as it comes out of JSON
            object.__setattr__(self, "cuts", Thresholds(**self.cuts))
        if not self.saes:
            raise UserError("analyze: expected at least one --sae")
        if len(set(self.saes)) != len(self.saes):
            raise UserError("analyze: the same --sae is given twice")

    def key(self, model: str, corpus: str, saes: list[tuple[str, str]], dtype: str) -> str:
        """Hash of all that fixes the numbers: the same key, the same rows.

        Args:
            model, corpus: their SHA-256.
            saes: SHA-256 of the weights and of the configuration of each.
            dtype: of the model as loaded.
        """
        parts = [__version__, model, corpus, saes, dtype, self.tokens, self.dense_threshold, self.context]
        parts += [self.contexts, self.seed, self.pilot_tokens, sorted(self.detail.items()), self.text_field]
        parts += [self.controls]
        if self.classes:
            parts += [self.class_tokens, self.random_directions, self.pool, asdict(self.cuts)]
        return hash_of(parts)


@dataclass(frozen=True, kw_only=True)
class BenchConfig(AnalyzeConfig):
    """What `bench` was asked for."""

    SHOWN: ClassVar[tuple[str, ...]] = (
        "model",
        "saes",
        "corpus",
        "tokens",
        "classes",
        "context",
        "json",
        "memory",
        "dtype",
        "device",
    )

    saes: Annotated[list[str], typer.Option("--sae", help=_NO_SAES)] = field(default_factory=list)
    tokens: Annotated[int, typer.Option(help="N: timed tokens. Memory is measured at N and at 8 N."), Least(1)] = 16_384
    classes: Annotated[bool, typer.Option("--classes", help="With classes, labels and chains.")] = False
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
    memory: Annotated[bool, typer.Option(help="Measure memory too (two more processes).")] = True


@dataclass(frozen=True, kw_only=True)
class CalibrateConfig(AnalyzeConfig):
    """What `calibrate` was asked for."""

    SHOWN: ClassVar[tuple[str, ...]] = (
        "model", "saes", "corpus", "tokens", "directions", "controls", "seed", "cuts", "json", "dtype", "device",
    )  # fmt: skip

    saes: Annotated[list[str], typer.Option("--sae", help=_NO_SAES)] = field(default_factory=list)
    tokens: Annotated[int, typer.Option(help="Tokens to read."), Least(1)] = 60_000
    directions: Annotated[int, typer.Option(help="Random directions tried for each SAE."), Least(0)] = 192
    controls: Annotated[int, typer.Option(help="Sparse latents tried for each SAE."), Least(0)] = 192
    seed: Annotated[int, typer.Option(help="Of sample and directions.")] = 0
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
