"""What `train-sae` was asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from analysis.errors import UserError
from analysis.options import Checked, ContextSize, Device, Encoding, Least, ModelName, TextField, Texts, Within

ARCHITECTURES = ("batchtopk", "topk", "jumprelu", "abstopk")
LEARNED, PRINCIPAL, RANDOM = "learned", "principal", "random"
BOTTLENECKS = (LEARNED, PRINCIPAL, RANDOM)
_FREQUENCY = ("frequency_penalty", "frequency_above")


@dataclass(frozen=True)
class Recipe(Checked):
    """All that fixes an SAE's training, stored in its report."""

    # sae-lens' classes of those names
    architecture: Annotated[str, typer.Option(help="batchtopk, topk, jumprelu or abstopk.")] = "batchtopk"
    width: Annotated[int, typer.Option(help="Number of latents.")] = 2304
    # the mean, for batchtopk
    k: Annotated[float, typer.Option(help="Latents on per token; unused by jumprelu.")] = 32
    l0_coefficient: Annotated[float, typer.Option(help="Weight of the sparsity loss; jumprelu only.")] = 1.0
    # falls to zero over the last fifth of the steps
    learning_rate: Annotated[float, typer.Option(help="Peak of Adam's rate.")] = 2e-3
    batch: Annotated[int, typer.Option(help="Tokens per training step.")] = 2048
    # the cached tokens are read as often as that needs
    train_tokens: Annotated[int, typer.Option(help="Token-steps in all.")] = 15_000_000
    seed: Annotated[int, typer.Option(help="Of weights, data order and sample.")] = 0
    bottleneck: Annotated[
        int, typer.Option(help="Rank of a linear part beside the SAE, which reads what that leaves; 0: none."), Least(0)
    ] = 0
    # the other kinds are its controls
    bottleneck_kind: Annotated[
        str, typer.Option(help="learned, principal (top principal components, fixed) or random (fixed).")
    ] = LEARNED
    frequency_penalty: Annotated[
        float,
        typer.Option(help="Weight of a penalty on frequent latents, quadratic in frequency."),
        Least(0),
    ] = 0.0
    frequency_above: Annotated[
        float, typer.Option(help="Frequency from which that penalty is steeper than one on L0."), Within(0, 1)
    ] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.architecture not in ARCHITECTURES:
            raise UserError(f"unknown architecture '{self.architecture}'; choose one of {', '.join(ARCHITECTURES)}")
        if not 0 < self.k < self.width:
            raise UserError(f"--k {self.k}: expected more than 0 and less than the width, {self.width}")
        if self.train_tokens < self.batch:
            raise UserError(f"--train-tokens {self.train_tokens}: expected at least one batch, {self.batch}")
        if self.bottleneck_kind not in BOTTLENECKS:
            raise UserError(f"--bottleneck-kind {self.bottleneck_kind}: expected one of {', '.join(BOTTLENECKS)}")

    def stated(self) -> dict[str, Any]:
        """As it is stored and hashed: what older recipes did not have is left out where it is not asked for."""
        since = {"bottleneck": ("bottleneck", "bottleneck_kind"), "frequency_penalty": _FREQUENCY}
        unasked = {name for option, names in since.items() if not getattr(self, option) for name in names}
        return {name: value for name, value in asdict(self).items() if name not in unasked}


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Recipe):
    """SAEs of one recipe, one for each hook point."""

    LAST: ClassVar[tuple[str, ...]] = ("tokens", "context", "held_out", "jobs", "seed", "device")

    hooks: Annotated[
        list[str], typer.Option("--hook", help="Hook point, e.g. blocks.7.hook_resid_post; repeat for more.")
    ]
    # named after its hook point
    out: Annotated[Path, typer.Option(help="Each SAE gets a folder in here.")]
    model: ModelName = "demo"
    corpus: Texts = "demo"
    text_field: TextField = "text"
    encoding: Encoding = ""
    # cached on disk, 2 bytes (4 where float16 cannot hold them) x d_model a token and hook point
    tokens: Annotated[int, typer.Option(help="Different tokens to read and cache."), Least(1)] = 600_000
    context: ContextSize = 256
    held_out: Annotated[float, typer.Option(help="Share of documents kept for the report."), Within(0, 0.9)] = 0.1
    # each on its share of the cores
    jobs: Annotated[int, typer.Option(help="SAEs trained at the same time."), Least(1)] = 1
    device: Device = "auto"
    report_tokens: int = 20_000
    """Held-out tokens the report is measured on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hooks:
            raise UserError("train-sae: expected at least one --hook, e.g. blocks.7.hook_resid_post")

    @property
    def recipe(self) -> Recipe:
        """How each is trained."""
        return Recipe(**{each.name: getattr(self, each.name) for each in fields(Recipe)})
