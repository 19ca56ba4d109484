"""Ablation end to end on a model whose truths are built in: what moves entropy, what moves words, what does nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.config import AnalyzeConfig
from analysis.errors import UserError
from analysis.interventions.ablate.command import ablate
from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.ablate.measure import Ablation
from analysis.interventions.ablate.variants import Totals, Wanted, variants
from analysis.interventions.subject import Subject, open_subject
from analysis.reading import hook_points
from analysis.reading.sae import load_sae
from analysis.run.analyze import analyze
from store.session import make_engine
from store.tables import Effect, Intervention, Latent
from tests.analysis.conftest import Parts
from tests.analysis.interventions.test_tail import plain_changes
from tests.analysis.tiny_models import D_MODEL, N_LAYERS, VOCAB, tiny, tiny_tokenizer
from tests.plain_ablation import compare
from tests.planted import sae_folder
from tests.stored_words import sentences

torch.set_num_threads(1)

QUIET = Console(quiet=True)
LAYER = N_LAYERS - 1
NULL, LOGIT, IDLE, MIRROR = 0, 1, 2, 3  # latents of the planted SAE; 3 is the mirror image of 1
LATENTS = 8


def planted_model(folder: Path) -> Path:
    """A Llama that all but passes its embedding on, whose coordinate 0 no word reads and coordinate 1 all words do.

    Both coordinates change sign and size from word to word, so that an SAE has something to say of them.
    """
    model: Any = tiny("llama")
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for block in hook_points.blocks(model):
            for parameter in block.parameters():
                parameter.mul_(0.05)
        table = model.get_input_embeddings().weight
        table.mul_(2.0)
        table[:, 0] = 6.0 * torch.randn(VOCAB, generator=random)
        table[:, 1] = 2.0 * torch.randn(VOCAB, generator=random)
        head = model.get_output_embeddings().weight
        head.mul_(4.0)
        head[:, 0] = 0.0
        head[:, 1] = 3.0 * torch.randn(VOCAB, generator=random)
        model.model.norm.weight.fill_(1.0)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def planted_sae(folder: Path, layer: int) -> Path:
    """JumpReLU without thresholds: one latent a side of each coordinate, and one whose decoder row is a hair."""
    rows = torch.nn.functional.normalize(torch.randn(LATENTS, D_MODEL, generator=torch.Generator().manual_seed(1)))
    for latent, (coordinate, sign) in {NULL: (0, 1), LOGIT: (1, 1), IDLE: (2, 1), MIRROR: (1, -1)}.items():
        rows[latent] = 0
        rows[latent, coordinate] = sign
    decoder = rows.clone()
    decoder[IDLE] *= 1e-4
    bias = torch.zeros(LATENTS)
    bias[MIRROR + 1 :] = -4.0  # the rest is sparse
    return sae_folder(folder, rows, decoder, bias, hook=f"blocks.{layer}.hook_resid_post")


class World:
    """The planted parts, analysed; and what ablation said of them."""

    def __init__(self, base: Path, corpus: Path, layer: int = LAYER) -> None:
        self.db, self.layer = str(base / "store.db"), layer
        model, sae = planted_model(base / "model"), planted_sae(base / "sae", layer)
        config = AnalyzeConfig(
            model=str(model),
            saes=[str(sae)],
            corpus=str(corpus),
            tokens=6000,
            db=self.db,
            context=48,
            pilot_tokens=1500,
            classes=False,
        )
        analyze(config, QUIET)
        self.config = AblateConfig(sae=str(layer), db=self.db, tokens=3000, controls=24, sets=1, dtype="float32")
        ablate(self.config, QUIET)

    def effects(self) -> list[Effect]:
        """All rows, in their order."""
        with Session(make_engine(self.db, read_only=True)) as session:
            return list(session.scalars(select(Effect).order_by(Effect.number)))

    def own(self, latent: int) -> Effect:
        """One latent's row."""
        return next(e for e in self.effects() if (e.subject, e.what, e.index) == ("latent", "own", latent))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, parts: Parts, request: pytest.FixtureRequest) -> Iterator[World]:
    cache = tmp_path_factory.mktemp("cache")
    patch = pytest.MonkeyPatch()
    patch.setenv("DENSE_LATENTS_CACHE", str(cache))
    yield World(tmp_path_factory.mktemp("planted"), parts.corpus)
    assert not list((cache / "ablations").glob("*/clean/*"))  # nothing is left behind
    patch.undo()


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory, parts: Parts, world: World) -> World:
    """The same at the first block, so that two blocks run again."""
    return World(tmp_path_factory.mktemp("early"), parts.corpus, layer=0)


def test_no_sentence_is_stored(world: World) -> None:
    assert sentences(make_engine(world.db)) == []


def test_what_no_word_reads_moves_the_entropy_through_the_norm(world: World) -> None:
    effect = world.own(NULL)
    assert abs(effect.entropy) > 0.05
    assert effect.mediated is not None
    assert effect.mediated > 0.95
    assert effect.direct_entropy == pytest.approx(0.0, abs=1e-3)
    assert effect.control["regulates_entropy"]


def test_what_words_read_is_no_regulator_of_entropy(world: World) -> None:
    effect = world.own(LOGIT)
    assert effect.kl > 0.05
    assert effect.mediated is not None
    assert effect.mediated < 0.5
    assert not effect.control["regulates_entropy"]


def test_an_unused_latent_is_equivalent_to_nothing_and_a_needed_one_is_not(world: World) -> None:
    assert world.own(IDLE).equivalent is True
    assert abs(world.own(IDLE).loss) < 1e-4
    assert world.own(LOGIT).equivalent is False


def test_every_dense_latent_and_pair_has_its_controls(world: World) -> None:
    with Session(make_engine(world.db, read_only=True)) as session:
        dense = set(session.scalars(select(Latent.index).where(Latent.is_dense)))
    assert {NULL, LOGIT, IDLE, MIRROR} <= dense
    own = [e for e in world.effects() if e.what == "own"]
    assert dense <= {e.index for e in own if e.subject == "latent"}
    assert [(e.index, e.other) for e in own if e.subject == "pair"] in ([(LOGIT, MIRROR)], [(MIRROR, LOGIT)])
    for effect in own:
        if effect.index in (NULL, LOGIT, MIRROR):  # of the idle one's length there are only its own
            assert effect.control["loss"]["n"] >= 19
    random = [e for e in world.effects() if e.what == "random" and e.index == NULL and e.subject == "latent"]
    assert len(random) == 24
    assert all(e.norm == pytest.approx(world.own(NULL).norm, rel=1e-4) for e in random)
    assert all(e.direct_entropy is None and e.mediated is None for e in random)


def test_the_dense_set_does_more_than_the_same_set_turned(world: World) -> None:
    sets = {e.what: e for e in world.effects() if e.subject == "set"}
    assert {NULL, LOGIT, MIRROR} <= set(sets["own"].latents)
    assert sets["random"].norm == pytest.approx(sets["own"].norm, rel=1e-4)
    assert sets["own"].kl > sets["random"].kl


def test_sparse_latents_that_do_not_reach_are_taken_once(world: World) -> None:
    subject = _subject(world)
    decoder, latents = subject.sae.decoder, len(subject.sae.decoder)
    dense = len(subject.stored.dense)
    each = torch.ones(latents, dtype=torch.float64)
    joint = 1e6 * torch.eye(dense, dtype=torch.float64)
    made = variants(subject.stored, decoder, Totals(each, 100, each, each, joint, 100), Wanted(0, 3, 0))
    assert [v.what for v in made if v.subject == "set"] == ["own", "random", "random", "random", "variance"]


def test_intervals_hold_the_value(world: World) -> None:
    for effect in world.effects():
        for name in ("loss", "entropy", "kl", "top1", "rank"):
            low, value, high = (getattr(effect, name + end) for end in ("_low", "", "_high"))
            assert low <= value <= high


def test_the_store_says_on_how_much_text(world: World) -> None:
    with Session(make_engine(world.db, read_only=True)) as session:
        found = session.scalars(select(Intervention)).one()
    assert 2800 < found.tokens < 3000  # each context's last token has no next one
    assert found.documents > 8
    assert found.settings["epsilon"] == 0.002
    assert found.summary["clean_loss"] > 0


def _subject(world: World) -> Subject:
    return open_subject(world.db, str(world.layer), dtype="float32")


@pytest.mark.parametrize("which", ["world", "early"])
def test_the_numbers_are_those_of_a_slow_way(which: str, request: pytest.FixtureRequest) -> None:
    """One context at a time, the whole model, torch's own hooks, and means summed by hand."""
    world: World = request.getfixturevalue(which)
    subject = _subject(world)
    batches = list(subject.stream(world.config.tokens, 1).batches())
    acts = [_acts(subject, batch) for batch in batches]
    mean = torch.cat([part[batch.mask] for part, batch in zip(acts, batches, strict=True)]).double().mean(0)
    hook = subject.stored.hook_point
    subject.model.module.double()  # the slow way is the more exact one, too
    total: dict[int, torch.Tensor] = {}
    tokens = 0
    for batch, part in zip(batches, acts, strict=True):
        measured = batch.mask[:, :-1] & batch.mask[:, 1:]
        tokens += int(measured.sum())
        for latent in (NULL, LOGIT, IDLE):
            row = subject.sae.decoder[latent].double()
            change = -((part[..., latent].double() - mean[latent]) * batch.mask)[..., None] * row
            found = plain_changes(subject.model, hook, batch.ids, batch.attention, change)
            sums = torch.stack([values[0][measured].double().sum() for values in found])
            total[latent] = total.get(latent, 0) + sums
    for latent, sums in total.items():
        loss, entropy, kl, top1, rank, direct_loss, direct_entropy = (sums / tokens).tolist()
        effect = world.own(latent)
        small = 5e-7  # float32, averaged over 3,000 tokens
        assert effect.loss == pytest.approx(loss, rel=1e-5, abs=small)
        assert effect.entropy == pytest.approx(entropy, rel=1e-5, abs=small)
        assert effect.kl == pytest.approx(kl, rel=1e-5, abs=small)
        assert effect.top1 == pytest.approx(top1, abs=1e-3)
        assert effect.rank == pytest.approx(rank, rel=1e-5, abs=1e-4)
        assert effect.direct_loss == pytest.approx(direct_loss, rel=1e-5, abs=small)
        assert effect.direct_entropy == pytest.approx(direct_entropy, rel=1e-5, abs=small)


def _acts(subject: Subject, batch: Any) -> torch.Tensor:
    x = subject.model.read(batch.ids, batch.attention, [subject.stored.hook_point])[subject.stored.hook_point]
    return subject.sae.encode(x.flatten(0, 1)).reshape(*x.shape[:2], -1)


def test_a_second_measurement_takes_the_place_of_the_first(world: World) -> None:
    before = [(e.number, e.loss) for e in world.effects()]
    ablate(world.config, QUIET)
    assert [(e.number, e.loss) for e in world.effects()] == before
    with Session(make_engine(world.db, read_only=True)) as session:
        assert len(session.scalars(select(Intervention)).all()) == 1


def test_stopped_midway_it_goes_on_to_the_same_numbers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [(e.number, e.loss, e.kl_high, e.norm) for e in world.effects()]
    whole = Ablation.add

    def stop_at_the_ninth(self: Ablation, number: int, *rest: Any) -> None:
        if number == 9:
            raise KeyboardInterrupt
        whole(self, number, *rest)

    often = AblateConfig(**{**world.config.__dict__, "checkpoint_seconds": 0.0})
    monkeypatch.setattr(Ablation, "add", stop_at_the_ninth)
    with pytest.raises(KeyboardInterrupt):
        ablate(often, QUIET)
    done: list[int] = []

    def note(self: Ablation, number: int, *rest: Any) -> None:
        done.append(number)
        whole(self, number, *rest)

    monkeypatch.setattr(Ablation, "add", note)
    ablate(often, QUIET)
    assert done[0] == 9
    assert [(e.number, e.loss, e.kl_high, e.norm) for e in world.effects()] == before


@pytest.mark.long  # Ray begins anew, or many processes do
def test_stopped_midway_actors_go_on_to_the_same_numbers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    before = [(e.number, e.loss, e.kl_high, e.norm) for e in world.effects()]
    whole = Ablation.add

    def stop_at_the_ninth(self: Ablation, number: int, *rest: Any) -> None:
        if number == 9:
            raise KeyboardInterrupt
        whole(self, number, *rest)

    monkeypatch.setattr(Ablation, "add", stop_at_the_ninth)
    with pytest.raises(KeyboardInterrupt):
        ablate(replace(world.config, checkpoint_seconds=0.0), QUIET)
    ablate(replace(world.config, ray="here", actors=2), QUIET)
    assert [(e.number, e.loss, e.kl_high, e.norm) for e in world.effects()] == before


def test_another_layer_is_named_with_what_there_is(world: World) -> None:
    with pytest.raises(UserError, match=rf"--sae 17: is no SAE of run 1; choose one of model/l{LAYER}-resid"):
        ablate(AblateConfig(sae="17", db=world.db), QUIET)


def test_no_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="found no file"):
        ablate(AblateConfig(sae="1", db=str(tmp_path / "none.db")), QUIET)


def test_weights_that_changed_since_are_refused(world: World, tmp_path: Path) -> None:
    other = sae_folder(tmp_path / "other", torch.eye(D_MODEL), torch.eye(D_MODEL))
    with pytest.raises(UserError, match="expected what the run was made with"):
        open_subject(world.db, str(LAYER), weights=str(other))


def test_the_plain_way_is_compared_on_the_same_batches(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    compare(world.db, str(LAYER), 400, 2)
    found = json.loads(capsys.readouterr().out)
    assert found["latents"] >= 4
    assert found["ratio"] > 1  # no block and no product with the unembedding, against all of it
    assert max(found["largest_difference"].values()) < 2e-6


def test_an_sae_that_scales_its_output_by_the_token_is_refused(world: World, tmp_path: Path) -> None:
    subject = _subject(world)
    rows = subject.sae.decoder
    folder = sae_folder(tmp_path / "scaled", rows, rows, normalize_activations="layer_norm", kind="Standard")
    scaled = replace(subject, sae=load_sae(str(folder)))
    with pytest.raises(UserError, match=r"scales its output by the token \(normalize_activations: layer_norm\)"):
        Ablation(scaled, world.config, tmp_path).read(lambda _tokens: None)


def test_an_sae_of_very_large_activations_is_not_refused(world: World, tmp_path: Path) -> None:
    """Gemma 3 has activations of 99,000: a change by 1 there is lost in float32, which is no scaling of the output."""
    subject = _subject(world)
    subject.sae.module.b_dec.data.fill_(99_000.0)
    Ablation(subject, world.config, tmp_path).read(lambda _tokens: None)
