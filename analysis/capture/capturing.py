"""Take what named modules give while the user's own loop runs the model.

A forward of the model counts as a whole or not at all: what its modules gave is kept aside until the model has given
its result, held to one another, and only then written. The cost: one forward's rows are in memory twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from analysis.capture import forwards
from analysis.capture.forwards import Forward
from analysis.capture.names import Pick, choose, folder_of
from analysis.capture.pooling import CHANNELS, POOLS, Layout, first_tensor, layout, pooled
from analysis.capture.stored import Shards, prepare
from analysis.errors import UserError

SHARD_BYTES = 64 * 2**20
_DTYPES = {"float32": torch.float32, "float16": torch.float16}
_WHERE = ("output", "input")


@dataclass(frozen=True)
class Settings:
    """How to take activations; `capture` says what each is."""

    pool: str
    where: str
    channels: str | Mapping[str, str] | None
    dtype: str
    call: int | None
    shard_bytes: int

    def __post_init__(self) -> None:
        of_modules = self.channels.values() if isinstance(self.channels, Mapping) else [self.channels]
        for name, value, choices in (
            ("pool", self.pool, POOLS),
            ("where", self.where, _WHERE),
            ("dtype", self.dtype, tuple(_DTYPES)),
            *(("channels", one, (None, *CHANNELS)) for one in of_modules),
        ):
            if value not in choices:
                raise UserError(f"capture: unknown {name} {value!r}; choose one of {', '.join(filter(None, choices))}")
        if self.shard_bytes < 1:
            raise UserError(f"capture: expected shard_bytes of at least 1; found {self.shard_bytes}")

    def channels_of(self, name: str) -> str | None:
        """What was said of a module."""
        return self.channels.get(name) if isinstance(self.channels, Mapping) else self.channels


def capture(
    model: nn.Module,
    modules: str | Iterable[str] | Mapping[str, Pick | None],
    folder: str | Path,
    *,
    pool: str = "mean",
    where: str = "output",
    channels: str | Mapping[str, str] | None = None,
    dtype: str = "float32",
    call: int | None = None,
    overwrite: bool = False,
    shard_bytes: int = SHARD_BYTES,
) -> Capture:
    """A context manager; within it, each forward of the model adds its rows to the folder.

    Args:
        model: any module, on any device, in any mode.
        modules: names of `model.named_modules()`, or patterns (`blocks.*.mlp`: a `*` is one part between dots); or name
            -> a function of what the module gave (of the tuple it got, for `input`) that returns `[batch, ...]`.
        folder: a new or empty one.
        pool: over the positions of an example: `mean`, `max`, `last`; `each` writes a row for every position.
        where: the module's `output` or its `input`; of several tensors the first.
        channels: where the features are, `first` after the batch or `last`, for all or by module name. Left out, it is
            `first` for convolutions and batch norms, which is logged, and `last` for `[batch, position, feature]`.
        dtype: of the files, `float32` or `float16`.
        call: of a module that runs several times in a forward, which one counts, from 0; -1 is the last.
        overwrite: whether an earlier capture in that folder is removed.
        shard_bytes: memory for rows; when it is full, a shard of each module is written.

    Raises:
        UserError: here or at a forward, what does not fit; nothing of that forward is written then.
    """
    settings = Settings(pool, where, channels, dtype, call, shard_bytes)
    return Capture(model, choose(model, modules), Path(folder), settings, overwrite)


@dataclass
class _Module:
    """One that is captured.

    Args:
        pick: the user's own function.
        shape: of its first tensor.
        layout: how that is read.
    """

    name: str
    module: nn.Module
    pick: Pick | None
    shape: tuple[int, ...] = ()
    layout: Layout | None = None

    def tensor(self, given: Any) -> Tensor:
        """What to take of what it gave."""
        found = first_tensor(given) if self.pick is None else self.pick(given)
        if not isinstance(found, Tensor):
            hint = "no tensor" if self.pick is None else f"{type(found).__name__} of its function"
            raise UserError(f"module {self.name!r} gave {hint} in {type(given).__name__}; expected a tensor")
        if found.dim() == 0 or found.is_complex() or found.layout != torch.strided:
            raise UserError(
                f"module {self.name!r} gave {list(found.shape)} {found.dtype} {found.layout}; expected a dense tensor "
                "of real numbers with a batch dimension"
            )
        return found

    def note(self) -> dict[str, Any]:
        """What `capture.json` says of it."""
        read = self.layout
        return {
            "folder": folder_of(self.name),
            "class": type(self.module).__name__,
            "shape": list(self.shape),
            "read_as": read.words(self.shape) if read else None,
            "channels": read.channels if read else None,
            "channels_guessed": read.guessed if read else None,
            "function": self.pick is not None,
            "training": self.module.training,
        }


@dataclass
class Capture:
    """What `capture` returns; `rows` says what the next forward's rows are.

    Args:
        model: that runs.
        picks: module name -> a function of the user's, or none.
        folder: to write to.
        settings: how.
        overwrite: whether an earlier capture there goes.
    """

    model: nn.Module
    picks: Mapping[str, Pick | None]
    folder: Path
    settings: Settings
    overwrite: bool = False
    examples: int = field(default=0, init=False)
    """Rows of the batches so far."""
    forwards: int = field(default=0, init=False)
    _begun: int = field(default=0, init=False)
    _torn: bool = field(default=False, init=False)
    _outside: int = field(default=0, init=False)
    _widths: dict[str, int] = field(default_factory=dict, init=False)
    _columns: list[str] | None = field(default=None, init=False)
    _given: dict[str, Any] = field(default_factory=dict, init=False)
    _forward: Forward | None = field(default=None, init=False)
    _hooks: list[Any] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        found = dict(self.model.named_modules(remove_duplicate=False))
        self._modules = {name: _Module(name, found[name], pick) for name, pick in self.picks.items()}

    def __enter__(self) -> Capture:
        prepare(self.folder, self.overwrite)
        folders = {name: folder_of(name) for name in self._modules}
        self._shards = Shards(self.folder, folders, self.settings.dtype, self.settings.shard_bytes)
        self._shards.begin(self._note())
        try:
            self._hook()
        except BaseException:
            self._unhook()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unhook()
        self._shards.end(self._note(), complete=kind is None and self.forwards > 0 and not self._torn)
        if kind is None and not self.forwards:
            raise UserError(self._never_ran())

    def rows(self, **columns: Any) -> None:
        """Columns of the next forward's rows: a list, array or tensor with a value an example, or one value for all.

        Raises:
            UserError: a name that the capture has itself; no value that fits in a table.
        """
        forwards.check_names(columns)
        self._given |= {name: forwards.column(name, values) for name, values in columns.items()}

    def _hook(self) -> None:
        self._hooks.append(self.model.register_forward_pre_hook(self._begin))
        for one in self._modules.values():
            if self.settings.where == "input":
                self._hooks.append(one.module.register_forward_pre_hook(self._getter(one), with_kwargs=True))
            else:
                self._hooks.append(one.module.register_forward_hook(self._taker(one)))
        # after those of the modules, of which the model itself may be one
        self._hooks.append(self.model.register_forward_hook(self._end))

    def _unhook(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _taker(self, one: _Module) -> Any:
        def hook(_module: nn.Module, _given: Any, output: Any) -> None:
            self._take(one, output)

        return hook

    def _getter(self, one: _Module) -> Any:
        def hook(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            self._take(one, (*given, *named.values()))

        return hook

    def _begin(self, _model: nn.Module, _given: Any) -> None:
        self._begun += 1
        self._forward, self._given = Forward(self._given), {}  # what a forward that raised left is dropped

    @torch.no_grad()
    def _take(self, one: _Module, given: Any) -> None:
        if self._forward is None:
            self._outside += 1  # a part of the model called by itself, or run again by checkpointing
            return
        tensor, settings = one.tensor(given), self.settings
        shape = tuple(tensor.shape)
        if one.layout is None or len(one.shape) != len(shape):
            self._read(one, shape)
        assert one.layout is not None
        taken = pooled(tensor, one.layout.channels, settings.pool, _DTYPES[settings.dtype])
        forwards.check_range(one.name, tensor, settings.dtype, taken, self.examples, self._forward)
        self._forward.calls.setdefault(one.name, []).append(taken)

    def _read(self, one: _Module, shape: tuple[int, ...]) -> None:
        # what the user's own function gives has no layout that the module's kind tells
        module, model = (one.module, self.model) if one.pick is None else (nn.Identity(), nn.Identity())
        one.layout = layout(one.name, module, model, shape, self.settings.channels_of(one.name))
        one.shape = shape
        if one.layout.guessed and one.layout.channels == "first":
            said = f'{one.name}: {list(shape)} is read as {one.layout.words(shape)}; channels="last" says otherwise'
            forwards.log.warning(said)

    def _end(self, _model: nn.Module, _given: Any, _output: Any) -> None:
        forward, self._forward = self._forward, None
        if forward is None:  # the model calls itself, and the inner forward was the whole
            return
        taken = forward.one_of_each(self._modules, self.settings.call)
        forward.check_widths(taken, self._widths)
        columns, lines = forward.table(taken, self.settings.pool, self.examples)
        if self._columns not in (None, columns):
            raise UserError(forwards.other_columns(self._columns or [], columns))
        self._columns = columns
        self._widths = {name: one.values.shape[1] for name, one in taken.items()}
        self.examples += next(iter(taken.values())).examples
        self.forwards += 1
        torn = self._torn
        self._torn = True  # unless all of it is written
        self._shards.add({name: one.values.numpy() for name, one in taken.items()}, lines, self._note())
        self._torn = torn

    def _note(self) -> dict[str, Any]:
        return {
            "examples": self.examples,
            "forwards": self.forwards,
            "forwards_dropped": self._begun - self.forwards,
            "calls_outside_forward": self._outside,
            "columns": self._columns or [],
            "pool": self.settings.pool,
            "where": self.settings.where,
            "dtype": self.settings.dtype,
            "model": type(self.model).__name__,
            "torch": torch.__version__,
            "modules": {name: one.note() | {"width": self._widths.get(name)} for name, one in self._modules.items()},
        }

    def _never_ran(self) -> str:
        if self._outside:
            return (
                f"the modules ran {self._outside} times, but never within model(...); call the model itself, or give "
                "capture the part that is called"
            )
        return "no forward of the model ran within the capture; call model(batch) there"
