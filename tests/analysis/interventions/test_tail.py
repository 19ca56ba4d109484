"""Only the rest of the model runs, and gives what the whole one would: every family, every kind of hook point."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analysis.interventions.readout import Asked, Changes, LowRank, Outputs, Readout
from analysis.interventions.tail import Tail
from analysis.reading import hook_points
from analysis.reading.model import LanguageModel
from tests.analysis.tiny_models import D_MODEL, FAMILIES, N_LAYERS, PAD, PLACES, VOCAB, hooks_of, tiny, tiny_tokenizer

torch.set_num_threads(1)

VERSIONS = 2


@cache
def exact(family: str) -> LanguageModel:
    """A tiny model in float64; the norms of most families compute in float32 all the same."""
    module: Any = tiny(family).double()
    if hasattr(module.config, "_experts_implementation"):
        module.config._experts_implementation = "eager"  # the grouped product takes no float64
    return LanguageModel(module, tiny_tokenizer(), name=family, source="test", fingerprint="00")


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two contexts, one shorter."""
    ids = torch.randint(3, VOCAB, (2, 12), generator=torch.Generator().manual_seed(seed))
    attention = torch.ones(2, 12, dtype=torch.bool)
    attention[1, 8:] = False
    ids[1, 8:] = PAD
    return ids, attention


def changes_like(x: Tensor, versions: int = VERSIONS) -> Tensor:
    """Large ones, none of them on the first token (of a seed that leaves no token between two experts)."""
    made = torch.randn(versions, *x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    made[:, :, 0] = 0
    return made


def plain_logits(
    model: LanguageModel, hook: str, ids: Tensor, attention: Tensor, change: Tensor | None, norm: Any = None
) -> Tensor:
    """The slow way: the whole model, one change, torch's own hooks, a log_softmax."""
    handles = []
    if change is not None:
        site = hook_points.resolve(model.module, hook)
        simple = site.side != "normalised" and not hook.endswith("hook_resid_mid")
        handles.append(_added(site, change) if simple else hook_points.on_write(model.module, hook, change.__add__))
    if norm is not None:
        handles.append(hook_points.final_norm(model.module).register_forward_hook(norm))
    try:
        with torch.no_grad():
            logits = model.module(input_ids=ids, attention_mask=attention, use_cache=False).logits
    finally:
        for handle in handles:
            handle.remove()
    found: Tensor = logits.log_softmax(-1)
    return found


def _added(site: hook_points.HookSite, change: Tensor) -> Any:
    if site.side == "input":

        def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (args[0] + change, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": kwargs["hidden_states"] + change}

        return site.module.register_forward_pre_hook(before, with_kwargs=True)

    def after(_module: nn.Module, _args: Any, output: Any) -> Any:
        return (output[0] + change, *output[1:]) if isinstance(output, tuple) else output + change

    return site.module.register_forward_hook(after)


def frozen_norm(model: LanguageModel, clean_input: Tensor) -> Callable[[nn.Module, Any, Any], Tensor]:
    """The final norm written out, dividing by what the clean input would be divided by."""
    gain = hook_points.final_gain(model.module).to(clean_input)
    layer_norm = hook_points.has_layer_norm(model.module)
    module: Any = hook_points.final_norm(model.module)

    def norm(_module: nn.Module, args: Any, _output: Any) -> Tensor:
        x: Tensor = args[0]
        if layer_norm:
            scale = (clean_input.var(-1, unbiased=False, keepdim=True) + module.eps).sqrt()
            shifted: Tensor = (x - x.mean(-1, keepdim=True)) / scale * gain + module.bias
            return shifted
        eps: float = module.variance_epsilon if hasattr(module, "variance_epsilon") else module.eps
        return x / (clean_input.square().mean(-1, keepdim=True) + eps).sqrt() * gain

    return norm


def plain_changes(model: LanguageModel, hook: str, ids: Tensor, attention: Tensor, change: Tensor) -> Changes:
    """All numbers of one change [B, T, D], [1, B, T - 1] each."""
    final: list[Tensor] = []
    handle = hook_points.final_norm(model.module).register_forward_pre_hook(lambda _m, args: final.append(args[0]))
    clean = plain_logits(model, hook, ids, attention, None)[:, :-1]
    handle.remove()
    total = plain_logits(model, hook, ids, attention, change)[:, :-1]
    direct = plain_logits(model, hook, ids, attention, change, frozen_norm(model, final[0]))[:, :-1]
    right = ids[:, 1:, None]

    def loss(logp: Tensor) -> Tensor:
        return -logp.gather(-1, right)[..., 0]

    def entropy(logp: Tensor) -> Tensor:
        return -(logp.exp() * logp).sum(-1)

    def rank(logp: Tensor) -> Tensor:
        return ((logp > logp.gather(-1, right)).sum(-1) + 1).double().log2()

    found = (
        loss(total) - loss(clean),
        entropy(total) - entropy(clean),
        (clean.exp() * (clean - total)).sum(-1),
        (clean.argmax(-1) != total.argmax(-1)).double(),
        rank(total) - rank(clean),
        loss(direct) - loss(clean),
        entropy(direct) - entropy(clean),
    )
    return Changes(*(part[None] for part in found))


@pytest.mark.parametrize("place", ["hook_embed", *PLACES])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_number_is_that_of_the_whole_model(family: str, place: str) -> None:
    model = exact(family)
    readout = Readout(model)
    ids, attention = batch()
    measured = attention[:, :-1] & attention[:, 1:]
    for hook in (hook for hook in hooks_of(family) if hook.endswith(place)):
        tail = Tail(model, hook)
        clean = tail.clean(ids, attention)
        change = changes_like(clean.x)
        after = tail.run(ids, attention, clean.entry, change)
        targets = ids[:, 1:][measured]
        asked = [Asked(after[:, :, :-1][:, measured])]
        outputs, (found,) = readout.compare(clean.final[:, :-1][measured], asked, targets)
        for version in range(VERSIONS):
            plain = plain_changes(model, hook, ids, attention, change[version])
            for name in Changes._fields:
                mine, theirs = getattr(found, name)[version], getattr(plain, name)[0][measured]
                torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6, msg=f"{hook} {name}")
        reference = plain_logits(model, hook, ids, attention, None)[:, :-1]
        torch.testing.assert_close(outputs.loss, -reference.gather(-1, ids[:, 1:, None])[..., 0][measured])
        torch.testing.assert_close(outputs.entropy, -(reference.exp() * reference).sum(-1)[measured])


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_after_the_last_block_few_directions_give_the_same(family: str) -> None:
    model = exact(family)
    readout = Readout(model)
    ids, attention = batch()
    final = Tail(model, f"blocks.{N_LAYERS - 1}.hook_resid_post").clean(ids, attention).final.flatten(0, 1)
    random = torch.Generator().manual_seed(2)
    low = LowRank(
        torch.randn(4, len(final), 2, dtype=torch.float64, generator=random),
        torch.randn(4, 2, final.shape[1], dtype=torch.float64, generator=random),
    )
    targets = ids.flatten()
    _, (few, whole) = readout.compare(final, [Asked(low), Asked(final + low.dense())], targets)
    for name in Changes._fields:
        torch.testing.assert_close(getattr(few, name), getattr(whole, name), rtol=1e-9, atol=1e-11)


def test_what_is_measured_together_is_what_is_measured_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clean model is read out once for all, in a memory that each few tokens take over."""
    monkeypatch.setattr("analysis.interventions.readout._TOKENS", 5)
    model = exact("gpt2")
    readout = Readout(model)
    final = torch.randn(12, D_MODEL, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(12)
    asked = [Asked(changes_like(final) + final, direct=False), Asked(changes_like(final)[:1] + 2 * final)]
    outputs, found = readout.compare(final, asked, targets)
    for one, together in zip(asked, found, strict=True):
        clean, (alone,) = readout.compare(final, [one], targets)
        for name in Changes._fields:
            torch.testing.assert_close(getattr(together, name), getattr(alone, name), equal_nan=True)
        for name in Outputs._fields:
            torch.testing.assert_close(getattr(outputs, name), getattr(clean, name))


def test_no_change_changes_nothing() -> None:
    model = exact("llama")
    ids, attention = batch()
    tail = Tail(model, "blocks.1.hook_resid_post")
    clean = tail.clean(ids, attention)
    after = tail.run(ids, attention, clean.entry, torch.zeros(1, *clean.entry.shape))
    _, (found,) = Readout(model).compare(clean.final[0], [Asked(after[:, 0])], ids[0])
    for name in Changes._fields:
        assert float(getattr(found, name).abs().max()) < 1e-12, name


def test_the_model_is_left_as_it_was() -> None:
    model = exact("llama")
    ids, attention = batch()
    before = plain_logits(model, "blocks.1.hook_resid_post", ids, attention, None)
    tail = Tail(model, "blocks.1.hook_resid_post")
    clean = tail.clean(ids, attention)
    tail.run(ids, attention, clean.entry, changes_like(clean.entry))
    assert torch.equal(before, plain_logits(model, "blocks.1.hook_resid_post", ids, attention, None))


def test_a_change_of_the_scale_alone_is_all_mediated() -> None:
    """Along the residual stream itself only the norm's scale changes, so a frozen scale sees it and a norm does not."""
    model = exact("llama")
    ids, attention = batch()
    tail = Tail(model, f"blocks.{N_LAYERS - 1}.hook_resid_post")
    clean = tail.clean(ids, attention)
    longer = tail.run(ids, attention, clean.entry, clean.entry[None].clone())
    _, (found,) = Readout(model).compare(clean.final[0], [Asked(longer[:, 0])], ids[0])
    assert float(found.entropy.abs().max()) < 1e-4  # the norm's epsilon
    assert float(found.direct_entropy.abs().min()) > 1e-2
