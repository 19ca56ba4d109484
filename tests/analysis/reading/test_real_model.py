"""The demo's real parts: every number in the store against a dense float64 recomputation from the same activations."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.config import AnalyzeConfig
from analysis.errors import UserError
from analysis.reading.demo_parts import demo_corpus, demo_model_file, demo_saes
from analysis.reading.model_loading import load_model
from analysis.run.analyze import analyze
from analysis.run.pipeline import prepare
from store.arrays import unpack
from store.session import make_engine
from store.tables import Analysis, Latent, Pair, Profile

LAYER = 28
TOKENS = 4000
Array = NDArray[np.float64]


class Truth(NamedTuple):
    """Everything about one SAE, dense and in float64, and what the store says."""

    x: Array  # [n, D]
    acts: Array  # [n, N]
    ids: NDArray[np.int64]  # [n]
    encoder: Array  # [N, D]
    decoder: Array  # [N, D]
    words: list[str]
    analysis: Analysis
    latents: list[Latent]
    pairs: list[Pair]
    profiles: dict[tuple[int, str], Profile]

    @property
    def ordinary(self) -> NDArray[np.bool_]:
        """[n]: not over six median norms, the median being the run's."""
        return np.asarray(np.linalg.norm(self.x, axis=1) <= 6 * self.analysis.median_norm)

    def column(self, name: str) -> Array:
        """A column of the latents, NaN where it is NULL."""
        return np.array([np.nan if getattr(row, name) is None else getattr(row, name) for row in self.latents], float)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    db = tmp_path_factory.mktemp("real") / "real.db"
    folder = next(folder for folder in demo_saes() if f"l{LAYER}-" in folder.name)
    config = AnalyzeConfig(saes=[str(folder)], corpus=str(demo_corpus()), tokens=TOKENS, db=str(db), pilot_tokens=1500)
    reading = prepare(config)
    analyze(config, Console(quiet=True))
    sae = reading.saes[0]
    x, ids = [], []
    for batch in reading.stream().batches():
        kept = reading.model.read(batch.ids, batch.attention, reading.hooks)[sae.hook_point]
        x.append(kept[batch.mask])
        ids.append(batch.ids[batch.mask])
    flat = torch.cat(x)
    assert sae.encoder is not None
    with Session(make_engine(db)) as session:
        return Truth(
            flat.double().numpy(),
            sae.encode(flat).double().numpy(),
            torch.cat(ids).numpy(),
            sae.encoder.double().numpy(),
            sae.decoder.double().numpy(),
            reading.model.words(),
            session.scalars(select(Analysis)).one(),
            list(session.scalars(select(Latent).order_by(Latent.index))),
            list(session.scalars(select(Pair))),
            {(row.index, row.name): row for row in session.scalars(select(Profile))},
        )


def test_densities(truth: Truth) -> None:
    expected = (truth.acts != 0).mean(0)
    assert len(truth.acts) == TOKENS
    np.testing.assert_allclose(truth.column("density"), expected, atol=1e-7)
    assert truth.analysis.n_dense == (expected > 0.1).sum() > 10
    assert truth.analysis.l0 == pytest.approx((truth.acts != 0).sum(1).mean())


def test_moments(truth: Truth) -> None:
    acts = truth.acts[truth.ordinary]
    checked = 0
    for latent, row in zip(acts.T, truth.latents, strict=True):
        on = latent[latent != 0]
        if not len(on):
            assert row.mean is None
            continue
        assert row.mean == pytest.approx(on.mean(), rel=1e-6)
        assert row.std == pytest.approx(on.std(), rel=1e-5, abs=1e-6)
        if row.skewness is not None and len(on) > 10:
            expected = ((on - on.mean()) ** 3).mean() / on.std() ** 3
            assert row.skewness == pytest.approx(expected, rel=1e-4, abs=1e-6)
            checked += 1
    assert checked > 300


def test_largest_activations_and_mass(truth: Truth) -> None:
    fired = np.asarray(truth.acts.any(0))
    np.testing.assert_allclose(truth.column("max")[fired], truth.acts.max(0)[fired], rtol=1e-6)
    assert all(row.max is None for row, on in zip(truth.latents, fired.tolist(), strict=True) if not on)
    np.testing.assert_allclose(truth.column("mass_share"), truth.acts.sum(0) / truth.acts.sum(), rtol=1e-5, atol=1e-12)


def test_histograms(truth: Truth) -> None:
    for index in np.flatnonzero(truth.acts.any(0)):
        row = truth.profiles[int(index), "histogram"]
        assert row.values is not None
        on = truth.acts[:, index][truth.acts[:, index] != 0]
        edges = np.array(row.data["edges"])
        found, expected = np.cumsum(unpack(row.values)), np.cumsum(np.histogram(on, edges * (1 + 1e-9))[0])
        assert found[-1] == len(on)
        assert np.abs(found - expected).max() <= 1  # an activation may lie on an edge to the last digit


def test_antipodality_against_all_pairs(truth: Truth) -> None:
    unit_e = truth.encoder / np.linalg.norm(truth.encoder, axis=1, keepdims=True)
    unit_d = truth.decoder / np.linalg.norm(truth.decoder, axis=1, keepdims=True)
    product = (unit_e @ unit_e.T) * (unit_d @ unit_d.T)
    np.fill_diagonal(product, -np.inf)
    np.testing.assert_allclose(truth.column("antipodality"), product.max(1), atol=1e-6)
    best = product.argmax(1)
    clear = np.sort(product, axis=1)[:, -2] < product.max(1) - 1e-6
    assert (truth.column("partner")[clear] == best[clear]).all()


def test_top_tokens(truth: Truth) -> None:
    occurrences = Counter(truth.ids.tolist())
    densest = np.argsort(-truth.column("density"))[:40]
    for index in (*densest, *range(0, len(truth.latents), 200)):
        acts = truth.acts[:, index]
        mass: dict[int, float] = dict.fromkeys(occurrences, 0.0)
        for token, value in zip(truth.ids.tolist(), acts, strict=True):
            mass[token] += value
        for name, score in (
            ("top_tokens_mass", mass),
            ("top_tokens", {t: m / occurrences[t] for t, m in mass.items() if occurrences[t] >= 5}),
        ):
            expected = sorted((value for value in score.values() if value > 0), reverse=True)
            row = truth.profiles.get((int(index), name))
            items: list[dict[str, Any]] = [] if row is None else row.data["items"]
            assert len(items) == min(len(expected), 20 if truth.latents[index].detail else 10)
            for item, value in zip(items, expected, strict=False):
                assert score[item["id"]] == pytest.approx(value, rel=1e-6)
                assert item["count"] == occurrences[item["id"]]
                assert item["token"] == truth.words[item["id"]]
                assert item["share"] == pytest.approx(mass[item["id"]] / acts.sum(), rel=1e-3)


def test_pairs_as_one_signal(truth: Truth) -> None:
    x, acts = truth.x[truth.ordinary], truth.acts[truth.ordinary]
    assert len(truth.pairs) > 3
    for row in truth.pairs:
        i, j = row.positive, row.negative
        norms = np.linalg.norm(truth.decoder, axis=1)
        u = truth.decoder[i] / norms[i] - truth.decoder[j] / norms[j]
        p = x @ (u / np.linalg.norm(u))
        signals = (acts[:, i] * norms[i] - acts[:, j] * norms[j], acts[:, i], acts[:, j])
        if not all(signal.std() for signal in signals):
            continue
        joint, *single = (np.corrcoef(signal, p)[0, 1] for signal in signals)
        assert row.correlation == pytest.approx(joint, abs=1e-5)
        assert row.r2 == pytest.approx(joint**2, abs=1e-5)
        assert row.r2_single == pytest.approx(max(value**2 for value in single), abs=1e-5)
        on = truth.acts[:, [i, j]] != 0
        assert row.coverage == pytest.approx(on.any(1).mean(), abs=1e-7)
        assert row.cofiring == pytest.approx(on.all(1).mean(), abs=1e-7)


def test_shipped_saes_have_hash_and_report_and_fit_the_repository() -> None:
    folders = demo_saes()
    assert len(folders) >= 6
    assert all((folder / "sha256.txt").exists() and (folder / "training_report.json").exists() for folder in folders)
    assert sum(path.stat().st_size for folder in folders for path in folder.iterdir()) < 45e6


def test_code_beside_a_gguf_file_is_never_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "model.gguf").symlink_to(demo_model_file())
    (tmp_path / "evil.py").write_text(f"open({str(canary)!r}, 'w').close()\n")
    auto = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M", "AutoTokenizer": [None, "evil.T"]}
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    with pytest.raises(UserError, match=r"needs code of its own \(auto_map\), which is never run"):
        load_model(str(tmp_path / "model.gguf"))
    assert not canary.exists()
