"""What `analyze --activations` was asked for. No torch: `--help` comes at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.options import Checked, Device, Encoding, Least, Parsed, Within

KINDS = ("number", "category", "boolean", "text", "none")
ROLES = ("id", "group", "order", "text", "image", "x", "y")


def parse_columns(items: list[str]) -> dict[str, str]:
    """`shift=category` and so on -> column and kind.

    Raises:
        UserError: another form, or a kind that there is not.
    """
    found = {}
    for item in items:
        name, _, kind = item.rpartition("=")
        if not name or kind not in KINDS:
            raise UserError(f"--column {item}: expected NAME=KIND with one of {', '.join(KINDS)}")
        found[name] = kind
    return found


@dataclass(frozen=True, kw_only=True)
class FieldConfig(Checked):
    """A matrix of activations, a table of the same rows, and what each column of the table is for."""

    activations: Annotated[
        list[str],
        typer.Option(
            help="Instead of a model and texts: a matrix [rows, units] (.npy, .npz, .safetensors, .parquet), a folder"
            " of them, or layer=path; repeat for more layers."
        ),
    ]
    table: Annotated[
        str | None, typer.Option(help="Table with a row for each of the matrix (.csv, .tsv, .jsonl, .parquet).")
    ] = None
    saes: list[str] = field(default_factory=list)
    id: Annotated[str | None, typer.Option(help="Column of the table that names the rows, to join by.")] = None
    group: Annotated[
        str | None,
        typer.Option(
            help="Column of the table with the unit of intervals, permutation and hold-out: machine, patient, image ..."
        ),
    ] = None
    order: Annotated[str | None, typer.Option(help="Column of the table with the order of rows: time ...")] = None
    text: Annotated[str | None, typer.Option(help="Column of the table with a text to show.")] = None
    image: Annotated[str | None, typer.Option(help="Column of the table with the path of an image to show.")] = None
    x: Annotated[str | None, typer.Option("--x", help="Column of the table with a place's first coordinate.")] = None
    y: Annotated[str | None, typer.Option("--y", help="Column of the table with a place's second coordinate.")] = None
    columns: Annotated[
        dict[str, str],
        typer.Option("--column", help=f"NAME=KIND: what a column of the table is ({', '.join(KINDS)})."),
        Parsed(parse_columns),
    ] = field(default_factory=dict)
    name: Annotated[str, typer.Option(help="What the network is called on the pages; the matrix' name without it.")] = (
        ""
    )
    on_above: Annotated[
        float | None, typer.Option(help="A unit is on above this value; without it, where it is not 0.")
    ] = None
    train: Annotated[
        str, typer.Option(help="Train an SAE on each matrix first: batchtopk, topk, abstopk or jumprelu.")
    ] = ""
    head: Annotated[
        str,
        typer.Option(
            help="Weights of what reads the matrix (.npy, .npz, .safetensors): [units, classes] or [units, 1], and a"
            " bias."
        ),
    ] = ""
    head_label: Annotated[str, typer.Option(help="With --head: the column of the table that it predicts.")] = ""
    bottleneck: Annotated[
        int, typer.Option(help="With --train: rank of a linear part beside the SAE; 0: none."), Least(0)
    ] = 0
    db: str = "dense-latents.db"
    dense_threshold: Annotated[float, Within(0, 1)] = 0.1
    seed: int = 0
    encoding: Encoding = ""
    device: Device = "auto"
    sample: Annotated[int, Least(64)] = 60_000
    """Rows, at most, that labels are held against."""
    controls: Annotated[int, Least(0)] = 32
    """Sparse units that get the same detail as dense ones."""
    tag: str = ""
    """Stored with the run; the demo finds its own run by it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        roles = self.roles
        twice = {name for name in roles.values() if list(roles.values()).count(name) > 1}
        if twice:
            raise UserError(f"analyze: the column {sorted(twice)[0]} is given two parts; a column has one")
        if self.table is None and (roles or self.columns):
            raise UserError("analyze: expected --table FILE with the columns that were named; found none")
        if self.train and self.train not in ("batchtopk", "topk", "abstopk", "jumprelu"):
            raise UserError(f"--train {self.train}: expected batchtopk, topk, abstopk or jumprelu")
        if self.train and self.saes:
            raise UserError("analyze: expected --sae or --train; found both")
        if bool(self.head) != bool(self.head_label):
            raise UserError("analyze: expected --head and --head-label together")
        if self.head and len(self.activations) > 1:
            raise UserError("analyze: expected one matrix with --head, the one that it reads; found several")
        if (self.x is None) != (self.y is None):
            raise UserError("analyze: expected --x and --y together")

    @property
    def roles(self) -> dict[str, str]:
        """Part -> name of the column that has it."""
        given = {role: getattr(self, role) for role in ROLES}
        return {role: name for role, name in given.items() if name is not None}

    def settings(self) -> dict[str, Any]:
        """All that fixes the numbers."""
        names = ("dense_threshold", "seed", "sample", "controls", "on_above", "columns")
        head = {"head": self.head, "head_label": self.head_label} if self.head else {}
        return {name: getattr(self, name) for name in names} | {"roles": self.roles} | head

    def run_key(self, version: str, matrices: list[str], table: str, saes: list[str]) -> str:
        """Hash that names the run: runs of one key have the same numbers."""
        return hash_of(["field", version, matrices, table, saes, self.settings()], sort_keys=True)
