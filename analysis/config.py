"""What a command was asked for: one dataclass per command, checked as a whole."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace

from analysis import __version__
from analysis.errors import UserError
from analysis.hashing import hash_of


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


@dataclass(frozen=True)
class AnalyzeConfig:
    """What `analyze` was asked for."""

    model: str
    """Local folder, .gguf file, hub id or `demo`."""
    saes: list[str]
    """SAE folders in sae-lens' format, or release:sae_id."""
    corpus: str
    """.jsonl, .txt, gzipped or not, or a folder of those."""
    tokens: int
    """Counted tokens to read; fewer if the text ends."""
    db: str = "dense-latents.db"
    """SQLite path or database URL."""
    dense_threshold: float = 0.1
    """A latent is dense above this density."""
    context: int = 256
    """Tokens per context, BOS included."""
    contexts: int = 8
    """Contexts per batch."""
    seed: int = 0
    """Of the sample of contexts and examples."""
    pilot_tokens: int = 8192
    """Tokens that decide which latents get detail."""
    detail: dict[int, list[int]] = field(default_factory=dict)
    """Layer -> further latents that get examples and profiles."""
    text_field: str = "text"
    """Column of a .jsonl that holds the text."""
    dtype: str = "auto"
    """Of the model; SAEs always encode in float32."""
    device: str = "auto"
    """auto, cpu or cuda."""
    resume: bool = False
    """Go on from the last checkpoint of the same run."""
    checkpoint_seconds: float = 60.0
    """Time between checkpoints."""
    classes: bool = True
    """Say what each dense latent does, and hold the corpus' own labels against it."""
    class_tokens: int = 65_536
    """Tokens of the sample that classes and labels are measured on; the whole text where it is no larger."""
    controls: int = 32
    """Sparse latents that get the same detail as dense ones."""
    random_directions: int = 64
    """Random directions whose largest score is the chance level."""
    pool: int = 512
    """Sparse latents a dense signal is tried to be rebuilt from."""
    cuts: Thresholds = field(default_factory=Thresholds)
    """Of the classes."""
    tag: str = ""
    """Stored with the run; the demo finds its own run by it."""

    def __post_init__(self) -> None:
        if isinstance(self.cuts, dict):  # as it comes out of JSON
            object.__setattr__(self, "cuts", Thresholds(**self.cuts))
        if not self.saes:
            raise UserError("analyze: expected at least one --sae")
        if len(set(self.saes)) != len(self.saes):
            raise UserError("analyze: the same --sae is given twice")
        if self.tokens < 1:
            raise UserError(f"--tokens {self.tokens}: expected a positive number")
        if not 0 < self.dense_threshold < 1:
            raise UserError(f"--dense-threshold {self.dense_threshold}: expected a share between 0 and 1")
        if self.contexts < 1:
            raise UserError(f"--contexts {self.contexts}: expected a positive number")
        for name, least in (("class_tokens", 1), ("controls", 0), ("random_directions", 1), ("pool", 0)):
            if getattr(self, name) < least:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: expected at least {least}")
        if self.context < 8:
            raise UserError(f"--context {self.context}: expected at least 8 tokens")

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
