"""The same weights have one identity, whichever file, registry or dtype they came in; annotations stay with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.reading.model_loading import load_model
from analysis.reading.sae import load_sae
from analysis.run.entities import model_row, sae_row
from store.identity import current
from store.session import make_engine
from store.tables import Annotation, Model, Sae
from tests.analysis.conftest import Parts
from tests.analysis.tiny_models import save_tiny


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose weights are numbers that bfloat16 has, too."""
    folder = save_tiny("llama", tmp_path_factory.mktemp("models") / "tiny")
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: value.bfloat16().float() for name, value in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    return folder


def copied(saved: Path, to: Path) -> Path:
    return Path(shutil.copytree(saved, to))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_model_is_the_same_in_every_dtype_it_runs_in(saved: Path, dtype: str) -> None:
    assert load_model(str(saved), dtype=dtype).fingerprint == load_model(str(saved), dtype="float32").fingerprint


def test_a_model_saved_in_shards_and_in_a_shorter_dtype_is_the_same(saved: Path, tmp_path: Path) -> None:
    folder = copied(saved, tmp_path / "shards")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    for part, mine in (("a", names[::2]), ("b", names[1::2])):
        tensors = {name: weights[name].bfloat16().contiguous() for name in mine}
        save_file(tensors, folder / f"{part}.safetensors", metadata={"format": "pt"})
    where = {name: f"{'a' if number % 2 == 0 else 'b'}.safetensors" for number, name in enumerate(names)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    assert load_model(str(folder), dtype="float32").fingerprint == load_model(str(saved), dtype="float32").fingerprint


@pytest.mark.parametrize("what", ["weights", "configuration", "tokenizer"])
def test_another_model_is_another_one(saved: Path, tmp_path: Path, what: str) -> None:
    folder = copied(saved, tmp_path / "other")
    if what == "weights":
        weights = load_file(folder / "model.safetensors")
        next(iter(weights.values())).view(-1)[0] += 1
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        path = folder / ("config.json" if what == "configuration" else "tokenizer.json")
        content = json.loads(path.read_text())
        if what == "configuration":
            content["rms_norm_eps"] = 0.5
        else:
            content["added_tokens"][0]["lstrip"] = not content["added_tokens"][0]["lstrip"]
        path.write_text(json.dumps(content))
    assert load_model(str(folder), dtype="float32").fingerprint != load_model(str(saved), dtype="float32").fingerprint


def test_an_sae_is_the_same_in_another_file(parts: Parts, tmp_path: Path) -> None:
    """Its weights saved again, in another order and with other metadata: another file, the same SAE."""
    folder = copied(parts.saes[0], tmp_path / "again")
    weights = load_file(folder / "sae_weights.safetensors")
    (folder / "sha256.txt").unlink(missing_ok=True)
    save_file(dict(reversed(weights.items())), folder / "sae_weights.safetensors", metadata={"by": "somebody"})
    one, other = load_sae(str(parts.saes[0])), load_sae(str(folder))
    assert one.sha256 == other.sha256
    assert one.former != other.former


def test_an_sae_that_an_older_version_stored_keeps_its_annotations(parts: Parts, tmp_path: Path) -> None:
    """It went by the hash of its file; now its identity is that of its numbers, and the old name leads there."""
    from datetime import datetime

    from migrations.runner import upgrade
    from store.tables.team import ALONE

    upgrade(str(tmp_path / "old.db"))
    sae = load_sae(str(parts.saes[0]))
    (old,) = sae.former
    with Session(make_engine(tmp_path / "old.db")) as session, session.begin():
        model = Model(
            slug="tiny",
            name="tiny",
            fingerprint="1" * 64,
            source="x",
            family="llama",
            n_layers=2,
            d_model=8,
            vocab_size=9,
        )
        session.add(model)
        session.flush()
        row = sae_row(session, model, sae)
        row.sha256 = old
        session.add(
            Annotation(
                sae_sha256=old, index=3, other=ALONE, version=1, latest=True, verdict="keep", note="mine", author="Ada",
                created=datetime(2026, 11, 30),
            )
        )  # fmt: skip
        session.flush()
        again = sae_row(session, model, sae)
        assert again.id == row.id
        assert again.sha256 == sae.sha256
        assert session.scalars(select(Annotation.sae_sha256)).all() == [sae.sha256]
        assert current(session, old) == sae.sha256
        assert len(session.scalars(select(Sae)).all()) == 1


def test_a_model_that_an_older_version_stored_is_known(saved: Path, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from migrations.runner import upgrade

    upgrade(str(tmp_path / "old.db"))
    model = load_model(str(saved), dtype="float32")
    reading = SimpleNamespace(model=model)
    with Session(make_engine(tmp_path / "old.db")) as session, session.begin():
        row = model_row(session, reading)  # type: ignore[arg-type]
        (row.fingerprint,) = model.former
        session.flush()
        again = model_row(session, reading)  # type: ignore[arg-type]
        assert (again.id, again.fingerprint) == (row.id, model.fingerprint)


def test_what_is_not_a_number_of_the_model_does_not_count(saved: Path, tmp_path: Path) -> None:
    folder = copied(saved, tmp_path / "resaved")
    config = json.loads((folder / "config.json").read_text())
    config |= {"transformers_version": "9.9", "torch_dtype": "bfloat16", "_name_or_path": "/somewhere/else"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "notes.md").write_text("mine")
    assert load_model(str(folder), dtype="float32").fingerprint == load_model(str(saved), dtype="float32").fingerprint
    assert torch.get_default_dtype() == torch.float32
