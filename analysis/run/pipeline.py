"""The loop: text -> model -> SAEs -> accumulators -> rows. One forward pass for all layers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from analysis.config import AnalyzeConfig
from analysis.errors import UserError
from analysis.process.checkpoint import Checkpoints
from analysis.process.interrupts import gentle_stop
from analysis.process.loading import loading
from analysis.process.progress import Progress
from analysis.reading.batches import TokenBatch
from analysis.reading.chat import Chat
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus
from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from analysis.reading.sae import LoadedSae, check_fits, expanded, load_sae
from analysis.reading.sections import cut
from analysis.run.panel import Panel
from analysis.run.pilot import NUMBERS, Draw, Pilot, make_plan
from analysis.run.rows.examples import title_of
from analysis.run.rows.plain import plain
from analysis.run.totals import Counts, Totals
from analysis.run.weights import partners_of
from analysis.statistics.geometry import Partners
from analysis.statistics.plan import PairPlan, Plan, Settings
from store.session import database_url, sqlite_path

HookActivations = dict[str, Tensor]  # hook point -> [n, D] float32, the counted tokens of a batch
STRIP_TOKENS = 1024


@dataclass
class Reading:
    """Everything loaded and checked, before the model runs."""

    config: AnalyzeConfig
    corpus: Corpus
    model: LanguageModel
    saes: list[LoadedSae]
    key: str

    @property
    def hooks(self) -> list[str]:
        """Hook points, each once."""
        return list(dict.fromkeys(hook for sae in self.saes for hook in sae.hooks))

    @property
    def settings(self) -> Settings:
        """Sizes for the accumulators."""
        config = self.config
        tokens = config.class_tokens if config.classes else 0
        size = config.context, config.contexts, self.model.vocab_size
        return Settings(*size, config.seed, tokens, config.dense_threshold, config.chance_directions, config.levels)

    @property
    def draw(self) -> Draw:
        """What the plans are asked to draw."""
        config = self.config
        if not config.classes:
            return Draw(config.controls, seed=config.seed, intervals=config.levels)
        return Draw(config.controls, config.random_directions, config.pool, config.seed, config.levels)

    def read(self, batch: TokenBatch) -> HookActivations:
        """One forward pass: hook point -> [n, D] of the batch's counted tokens."""
        found = self.model.read(batch.ids, batch.attention, self.hooks)
        place = torch.nonzero(batch.mask.flatten()).flatten().to(self.model.device)
        counted = {hook: whole.flatten(0, 1)[place] for hook, whole in found.items()}
        # a sum is finite where all are: one number of each hook point waits for the device, not all of them
        for (hook, x), total in zip(
            counted.items(), torch.stack([x.sum() for x in counted.values()]).tolist(), strict=True
        ):
            if not math.isfinite(total) and not bool(torch.isfinite(x).all()):
                raise UserError(
                    f"{hook}: expected finite activations; found NaN or infinity with the model in"
                    f" {self.model.dtype_name}: try --dtype bfloat16 or --dtype float32"
                )
        return counted

    def stream(self) -> ContextStream:
        """The text as batches."""
        return ContextStream(
            self.corpus,
            self.model.tokenizer,
            bos=self.model.bos_id,
            special=self.model.special_ids,
            context=self.config.context,
            batch=self.config.contexts,
            tokens=self.config.tokens,
            seed=self.config.seed,
        )


@dataclass
class Result:
    """What the stream gave; `write` turns it into rows."""

    reading: Reading
    panels: list[Panel]
    geometry: list[Partners]
    counts: dict[str, int]
    strip: dict[str, Any] | None
    strip_acts: list[Tensor]
    seconds: float


@loading()
def prepare(config: AnalyzeConfig) -> Reading:
    """Load and check everything; SAEs and corpus first, since they fail fastest.

    Raises:
        UserError: whatever is wrong with the input, named.
    """
    saes = [load_sae(source) for source in expanded(config.saes)]
    check_detail(config, saes)
    check_apart(saes)
    corpus = Corpus(config.corpus, config.text_field, Chat(config.model), config.encoding)
    check_agree(saes)
    model = load_model(
        config.model,
        dtype=config.dtype,
        device=config.device,
        centred=saes[0].centred,
        prepend_bos=saes[0].prepend_bos,
    )
    for sae in saes:
        check_fits(sae, model.width, model.n_layers)
    check_context(config, model)
    saes = sorted(saes, key=lambda sae: (sae.layer, sae.hook_point, sae.sha256))
    if model.device.type != "cpu":
        saes = [load_sae(sae.source, device=str(model.device)) for sae in saes]
    identities = [(sae.sha256, sae.settings) for sae in saes]
    key = config.key(model.fingerprint, corpus.sha256, identities, model.dtype_name, saes[0].prepend_bos)
    return Reading(config, corpus, model, saes, key)


class Run:
    """The state of one run: plan, totals, counts, and how to save and restore them."""

    def __init__(self, reading: Reading, checkpoints: Checkpoints, console: Console | None = None) -> None:
        self.reading, self.checkpoints = reading, checkpoints
        self.geometry = [
            partners_of(sae, console or Console(quiet=True), reading.config.approximate_partners)
            for sae in reading.saes
        ]
        self.totals: Totals | None = None
        self.counts = Counts()
        self.seconds_before = 0.0
        self._started = time.monotonic()
        if reading.config.resume and checkpoints.exists():
            self._restore()

    @property
    def panels(self) -> list[Panel]:
        """One an SAE; none before there is a plan."""
        return self.totals.panels if self.totals else []

    @property
    def tokens(self) -> int:
        """Counted so far."""
        return self.counts.numbers["tokens"]

    def stream(self, progress: Progress) -> None:
        """Pilot, then every batch, with a checkpoint now and then."""
        last = time.monotonic()
        with gentle_stop() as stopping:
            for batch, activations in self.batches():
                self.update(batch, activations)
                progress(int(batch.mask.sum()))
                late = time.monotonic() - last > self.reading.config.checkpoint_seconds
                if late or stopping():
                    self.save()
                    last = time.monotonic()
                if stopping():
                    raise KeyboardInterrupt
        self.settle()
        self.save()  # what was read is safe, should the writing fail

    def settle(self) -> None:
        """The text is at its end: so is its last shard.

        Raises:
            UserError: nothing of it counts.
        """
        if self.totals is None or not self.tokens:
            raise UserError(f"{self.reading.corpus.path}: expected text; found no token that counts")
        self.totals.settle()

    def save(self) -> None:
        """Write a checkpoint."""
        totals = self.totals
        assert totals is not None  # there is none before the first batch
        note = self.counts.note() | {"seconds": self.seconds_before + time.monotonic() - self._started}
        parts = enumerate(totals.panels)
        self.checkpoints.save(note, (_plan_tensors(panel.plan) | totals.state_dict(place) for place, panel in parts))

    def _restore(self) -> None:
        note = self.checkpoints.note()
        self.counts, self.seconds_before = Counts.of(note), note["seconds"]
        plans = []
        for sae, saved in zip(self.reading.saes, self.checkpoints.parts(), strict=True):
            plans.append(_plan_from({name: tensor.to(sae.decoder.device, copy=True) for name, tensor in saved.items()}))
        self.begin(plans)
        assert self.totals is not None
        for place, saved in enumerate(self.checkpoints.parts()):
            self.totals.load_state_dict(place, saved)

    def batches(self) -> Iterator[tuple[TokenBatch, HookActivations]]:
        """Batches with their activations; makes the plan from the first ones, which are kept and given first."""
        source = self._live()
        if self.totals is None:
            yield from self._pilot(source)
        yield from source

    def _live(self) -> Iterator[tuple[TokenBatch, HookActivations]]:
        for batch in self.reading.stream().batches(skip=self.counts.cursor):
            yield batch, self.reading.read(batch)

    def _pilot(
        self, source: Iterator[tuple[TokenBatch, HookActivations]]
    ) -> Iterator[tuple[TokenBatch, HookActivations]]:
        pilot = []
        tokens = 0
        for item in source:
            pilot.append(item)
            tokens += int(item[0].mask.sum())
            if tokens >= self.reading.config.pilot_tokens:
                break
        if tokens:
            self._plan([activations for _batch, activations in pilot])
            yield from pilot

    def make_plan(self) -> None:
        """Read the first batches for the plan alone: they are counted by who reads them again."""
        next(self.batches(), None)
        if self.totals is None:
            self.settle()  # which says that there is no text

    def begin(self, plans: list[Plan]) -> None:
        """Empty totals, of one plan an SAE."""
        settings = self.reading.settings
        panels = [Panel(sae, plan, settings) for sae, plan in zip(self.reading.saes, plans, strict=True)]
        self.totals = Totals(panels, self.reading.config.shard_contexts)

    def _plan(self, pilot: list[HookActivations]) -> None:
        plans = []
        for sae, geometry in zip(self.reading.saes, self.geometry, strict=True):
            x, target = (torch.cat([each[hook] for each in pilot]) for hook in (sae.hook_point, sae.hook_out))
            asked = _asked(self.reading.config, sae)
            plan = make_plan(
                sae,
                geometry,
                Pilot(x, sae.fire, max(64, NUMBERS // sae.n_latents), target),
                self.reading.config.dense_threshold,
                asked,
                self.reading.draw,
            )
            plans.append(plan)
        self.begin(plans)

    def update(self, batch: TokenBatch, activations: HookActivations) -> None:
        """One batch into every SAE's panel."""
        assert self.totals is not None  # `batches` made it
        self.totals.update(batch, activations)
        self.counts.update(batch)


def check_place(db: str) -> None:
    """Refuse a database file that cannot be, before anything is loaded.

    Raises:
        UserError: a folder, or a folder that is not there.
    """
    path = sqlite_path(database_url(db))
    if path is None:
        return
    if path.is_dir():
        raise UserError(f"--db {path}: expected a file; found a folder")
    if not path.resolve().parent.is_dir():
        raise UserError(f"--db {path}: expected a file in a folder that is there; found no {path.parent}")


def check_context(config: AnalyzeConfig, model: LanguageModel) -> None:
    """Refuse contexts longer than the model has positions.

    Raises:
        UserError: both numbers.
    """
    longest = getattr(model.config, "max_position_embeddings", None)
    if longest is not None and config.context > longest:
        raise UserError(f"--context {config.context}: {model.name} has positions for {longest} tokens")


def check_agree(saes: list[LoadedSae]) -> None:
    """Refuse SAEs that one forward pass cannot serve.

    Raises:
        UserError: some of each kind.
    """
    centred = {sae.centred: sae.source for sae in saes}
    bos = {sae.prepend_bos: sae.source for sae in saes}
    for what, sources in (
        ("activations with centred writing weights", centred),
        ("contexts that begin with BOS (prepend_bos)", bos),
    ):
        if len(sources) > 1:
            raise UserError(
                f"the SAEs disagree about {what}: {sources[True]} was trained on such, {sources[False]} was not;"
                " analyze them in separate runs"
            )


def check_apart(saes: list[LoadedSae]) -> None:
    """Refuse the same SAE under two names.

    Raises:
        UserError: both sources.
    """
    seen: dict[str, str] = {}
    for sae in saes:
        if sae.sha256 in seen:
            raise UserError(f"--sae {sae.source}: the same weights as {seen[sae.sha256]}; give each SAE once")
        seen[sae.sha256] = sae.source


def check_detail(config: AnalyzeConfig, saes: list[LoadedSae]) -> None:
    """Refuse a --detail that names what is not there.

    Raises:
        UserError: a layer without an SAE, or an index its SAE does not have.
    """
    layers = sorted({sae.layer for sae in saes})
    for layer, wanted in config.detail.items():
        if layer not in layers:
            raise UserError(
                f"--detail {layer}:...: no --sae reads layer {layer}; they read {', '.join(map(str, layers))}"
            )
        for sae in (sae for sae in saes if sae.layer == layer):
            for index in wanted:
                if not 0 <= index < sae.n_latents:
                    raise UserError(f"--detail {layer}:{index}: {sae.source} has latents 0 to {sae.n_latents - 1}")


def _asked(config: AnalyzeConfig, sae: LoadedSae) -> Tensor:
    wanted = sorted(set(config.detail.get(sae.layer, [])))
    return torch.tensor(wanted, dtype=torch.int64, device=sae.decoder.device)


def strip_of(reading: Reading, plans: list[Plan]) -> tuple[dict[str, Any] | None, list[Tensor]]:
    """One document from its start, and the activations [tokens, m] of each SAE's detail latents on it, on the CPU."""
    stream = reading.stream()
    tokenised = stream.whole_document(STRIP_TOKENS)
    if tokenised is None:
        return None, []
    batch = stream.collate(stream.contexts_of(tokenised, STRIP_TOKENS))
    activations = reading.model.read(batch.ids, batch.attention, reading.hooks)
    mask = batch.mask.to(reading.model.device)
    document, shown = tokenised.document, batch.mask
    strip = {
        "document": title_of(document.name, document.labels),
        "labels": plain(document.labels),
        "tokens": cut(document.text, batch.begin[shown].tolist(), batch.end[shown].tolist()),
    }
    found = (
        sae.encode_some(activations[sae.hook_point][mask], plan.latents)
        for sae, plan in zip(reading.saes, plans, strict=True)
    )
    return strip, [acts.cpu() for acts in found]


def _plan_tensors(plan: Plan) -> dict[str, Tensor]:
    flat = {f"plan/{name}": tensor for name, tensor in plan._asdict().items() if name != "pairs"}
    named = flat | {f"pairs/{name}": tensor for name, tensor in plan.pairs._asdict().items()}
    return {name: tensor.clone() for name, tensor in named.items()}  # some are one tensor under two names


def _plan_from(tensors: dict[str, Tensor]) -> Plan:
    pairs = PairPlan(**{name: tensors[f"pairs/{name}"] for name in PairPlan._fields})
    return Plan(**{name: tensors[f"plan/{name}"] for name in Plan._fields if name != "pairs"}, pairs=pairs)
