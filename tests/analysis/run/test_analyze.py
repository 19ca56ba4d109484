"""The worker from text to rows, with a tiny model and real files."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file, save_file
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.run.analyze import analyze
from app.shared.reasons import why
from store.arrays import unpack
from store.digest import digest
from store.session import make_engine
from store.tables import Analysis, Corpus, Example, Latent, Pair, Profile, Run, Sae, SearchText, Statistic
from tests.analysis.conftest import Parts

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(cache))


@pytest.fixture(scope="module")
def store(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """One finished run."""
    db = tmp_path_factory.mktemp("store") / "run.db"
    analyze(parts.config(db, detail={0: [7]}), QUIET)
    return make_engine(db)


def rows(store: Engine, table: type, layer: int) -> list:  # type: ignore[type-arg]
    with Session(store) as session:
        analysis = session.scalar(select(Analysis.id).join(Sae, Sae.id == Analysis.sae_id).where(Sae.layer == layer))
        keys = table.__table__.primary_key  # type: ignore[attr-defined]
        column = table.analysis_id if hasattr(table, "analysis_id") else table.id  # type: ignore[attr-defined]
        return list(session.scalars(select(table).where(column == analysis).order_by(*keys)))


def test_a_run_knows_what_it_read(store: Engine, parts: Parts) -> None:
    with Session(store) as session:
        run = session.scalars(select(Run)).one()
        assert (run.status, run.tokens, run.context, run.dense_threshold, run.seed) == ("complete", 6000, 48, 0.1, 0)
        assert run.masks is not None
        assert run.masks["bos"] >= 6000 // 47  # one for each context
        assert run.masked_tokens == sum(run.masks.values()) < run.tokens // 10  # padding is no token
        assert 64 < run.documents <= 90
        assert set(run.versions) >= {"python", "torch", "transformers", "sae-lens", "dense-latents"}
        assert session.scalars(select(Corpus)).one().documents == 90
        assert [sae.slug for sae in session.scalars(select(Sae).order_by(Sae.layer))] == [
            "tiny-llama/l0-resid",
            "tiny-llama/l2-resid",
        ]


@pytest.mark.parametrize("layer", [0, 2])
def test_every_latent_has_a_row(store: Engine, layer: int) -> None:
    latents = rows(store, Latent, layer)
    assert [latent.index for latent in latents] == list(range(24))
    for latent in latents:
        assert latent.density_low <= latent.density <= latent.density_high


def test_densities_add_up_to_l0(store: Engine) -> None:
    with Session(store) as session:
        for analysis in session.scalars(select(Analysis)):
            total = session.scalar(select(func.sum(Latent.density)).where(Latent.analysis_id == analysis.id))
            assert total == pytest.approx(analysis.l0, rel=1e-5)
            assert 0 < analysis.l0 <= 6


def test_planted_pairs_and_duplicates_are_told_apart(store: Engine) -> None:
    latents = rows(store, Latent, 0)
    assert [(latents[i].partner, latents[i].is_pair) for i in (0, 1, 2, 3)] == [
        (1, True),
        (0, True),
        (3, True),
        (2, True),
    ]
    assert (latents[4].duplicate_of, latents[5].duplicate_of, latents[4].is_pair) == (5, 4, False)
    pairs = {(pair.positive, pair.negative): pair for pair in rows(store, Pair, 0) if pair.is_pair}
    assert {frozenset(pair) for pair in pairs} == {frozenset((0, 1)), frozenset((2, 3))}
    for (positive, negative), pair in pairs.items():
        assert latents[positive].density >= latents[negative].density
        assert pair.cofiring == 0
        assert pair.coverage + pair.dead_zone == pytest.approx(1)


def test_a_dead_latent_says_why_it_has_no_values(store: Engine) -> None:
    dead = rows(store, Latent, 0)[23]
    assert (dead.density, dead.mean, dead.max, dead.quantiles) == (0, None, None, None)
    assert {"mean", "std", "skewness", "max", "quantiles"} <= set(dead.reasons)
    assert all(why(dead.reasons, name) for name in dead.reasons)
    assert dead.reasons["max"] == {"code": "silent"}


def test_histograms_hold_every_firing_token(store: Engine) -> None:
    latents = rows(store, Latent, 0)
    for profile in rows(store, Profile, 0):
        if profile.name == "histogram":
            counts, edges = unpack(profile.values), profile.data["edges"]
            assert len(edges) == len(counts) + 1
            assert edges == sorted(edges)
            assert sum(counts) == round(latents[profile.index].density * 6000)


def test_detail_is_kept_for_dense_latents_their_partners_controls_and_who_was_asked_for(store: Engine) -> None:
    latents = rows(store, Latent, 0)
    shown = {example.index for example in rows(store, Example, 0)}
    detailed = {latent.index for latent in latents if latent.detail}
    assert shown == detailed
    assert all(latent.detail for latent in latents if latent.is_dense)
    assert latents[7].detail is not None
    names = {profile.name for profile in rows(store, Profile, 0) if profile.index == 0}
    assert names == {
        "histogram", "top_tokens", "top_tokens_mass", "promoted", "suppressed", "strip",
        "position_context", "position_paragraph", "position_sentence", "follows", "follows_with_1", "logits",
        "together", "apart",
    }  # fmt: skip


def test_examples_show_the_activation_they_are_about(store: Engine) -> None:
    latents = rows(store, Latent, 0)
    for example in rows(store, Example, 0):
        acts = unpack(example.activations)
        assert len(acts) == len(example.tokens) <= 64
        value = acts[example.focus]
        assert (value == 0) == (example.kind == "off")
        if example.kind == "top" and example.rank == 0:
            assert value == pytest.approx(latents[example.index].max, rel=1e-5)
        assert example.document.startswith("Log ")
        assert set(example.labels) == {"title", "year"}


def test_every_statistic_has_words_and_every_shown_value_a_statistic(store: Engine) -> None:
    with Session(store) as session:
        known = {statistic.name: statistic for statistic in session.scalars(select(Statistic))}
    assert all(s.definition and s.title and s.source and s.grade in "PRO" for s in known.values())
    shown = {"density", "mean", "std", "skewness", "max", "mass_share", "antipodality", "cos_enc", "cos_dec", "partner",
             "mutual", "is_pair", "duplicate_of", "duplicate_score", "mirror", "mirror_score", "cos_bias",
             "decoder_norm", "quantiles", "borderline", "is_dense",
             "r2", "r2_single", "correlation", "joint_1d", "coverage", "dead_zone", "cofiring", "cofiring_ratio",
             "l0", "fvu", "histogram", "top_tokens", "top_tokens_mass", "promoted", "suppressed", "examples",
             "position_context", "position_paragraph", "position_sentence"}  # fmt: skip
    assert shown <= set(known)


def test_a_run_can_be_searched_once_it_is_written(store: Engine) -> None:
    with Session(store) as session:
        held = session.execute(select(SearchText.analysis_id, SearchText.kind).distinct()).all()
        analyses = session.scalars(select(Analysis.id)).all()
    assert {tuple(row) for row in held} == {
        (one, kind) for one in analyses for kind in ("token", "promoted", "context")
    }


def test_no_json_in_the_store_holds_a_nan(store: Engine) -> None:
    places = [("latent", "quantiles"), ("latent", "reasons"), ("profile", "data"), ("pair", "histogram")]
    places += [("analysis", "density_curve"), ("run", "settings"), ("example", "labels")]
    with store.connect() as connection:
        for table, column in places:
            for (found,) in connection.execute(text(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")):
                json.loads(found, parse_constant=pytest.fail)


def test_the_same_run_again_is_found_and_not_repeated(store: Engine, parts: Parts) -> None:
    again = analyze(parts.config(Path(str(store.url.database)), detail={0: [7]}), QUIET)
    with Session(store) as session:
        assert session.scalars(select(Run.id)).all() == [again]


def test_two_runs_of_one_key_have_one_digest_and_another_seed_another(parts: Parts, tmp_path: Path) -> None:
    digests = []
    for number, seed in enumerate((0, 0, 1)):
        db = tmp_path / f"{number}.db"
        run = analyze(parts.config(db, seed=seed, tokens=3000), QUIET)
        digests.append(digest(make_engine(db), run))
    assert digests[0] == digests[1] != digests[2]


def test_one_pass_for_all_layers_gives_the_rows_of_one_pass_for_each(parts: Parts, tmp_path: Path) -> None:
    analyze(parts.config(tmp_path / "all.db"), QUIET)
    analyze(parts.config(tmp_path / "one.db", saes=[str(parts.saes[1])]), QUIET)
    both, alone = (rows(make_engine(tmp_path / name), Latent, 2) for name in ("all.db", "one.db"))
    assert [(a.density, a.mean, a.max, a.top_tokens) for a in both] == [
        (a.density, a.mean, a.max, a.top_tokens) for a in alone
    ]


def test_a_second_run_adds_to_the_store(parts: Parts, tmp_path: Path) -> None:
    db = tmp_path / "two.db"
    first, second = (analyze(parts.config(db, seed=seed, tokens=2000), QUIET) for seed in (0, 1))
    with Session(make_engine(db)) as session:
        assert first != second
        assert session.scalar(select(func.count(Sae.id))) == 2
        assert session.scalar(select(func.count(Analysis.id))) == 4


def test_a_text_shorter_than_asked_is_read_to_its_end(parts: Parts, tmp_path: Path) -> None:
    db = tmp_path / "short.db"
    path = tmp_path / "one.txt"
    path.write_text("The cat sat on the mat. " * 20)
    analyze(parts.config(db, corpus=str(path)), QUIET)
    with Session(make_engine(db)) as session:
        run = session.scalars(select(Run)).one()
        assert 50 < run.tokens < 1000
        assert run.documents == 1
        latent = session.scalars(select(Latent).where(Latent.density > 0)).first()
        assert latent is not None
        assert latent.density_low is None
        assert "interval" in why(latent.reasons, "density_low")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"saes": []}, ["--sae"]),
        ({"tokens": 0}, ["--tokens 0"]),
        ({"dense_threshold": 1.5}, ["--dense-threshold 1.5", "between 0 and 1"]),
        ({"corpus": "/nowhere.jsonl"}, ["/nowhere.jsonl", "no such file"]),
        ({"saes": ["/nowhere"]}, ["/nowhere", "folder in sae-lens' format"]),
        ({"detail": {0: [24]}}, ["--detail 0:24", "0 to 23"]),
        ({"detail": {1: [3]}}, ["--detail", "layer 1", "0, 2"]),
        ({"dtype": "float8"}, ["float8", "bfloat16"]),
        ({"context": 4}, ["--context 4", "at least 8"]),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(
    parts: Parts, tmp_path: Path, change: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(UserError) as caught:
        analyze(parts.config(tmp_path / "none.db", **change), QUIET)
    assert all(word in str(caught.value) for word in words)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(parts: Parts, tmp_path: Path) -> None:
    db = tmp_path / "notes.txt"
    db.write_text("my notes, which must not be lost" * 40)
    with pytest.raises(UserError, match=r"notes.txt.*expected a SQLite database"):
        analyze(parts.config(db), QUIET)
    assert db.read_text().startswith("my notes")


def test_the_same_sae_under_two_names_is_refused_before_anything_runs(parts: Parts, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(parts.saes[0], copy)
    with pytest.raises(UserError, match=r"copy.*same weights as|same weights as.*copy"):
        analyze(parts.config(tmp_path / "none.db", saes=[str(parts.saes[0]), str(copy)]), QUIET)
    assert not (tmp_path / "none.db").exists()


def test_known_weights_with_another_configuration_are_refused(parts: Parts, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(parts.saes[0], copy)
    config = json.loads((copy / "cfg.json").read_text())
    (copy / "cfg.json").write_text(json.dumps(config | {"k": 3}))
    analyze(parts.config(tmp_path / "run.db", saes=[str(parts.saes[0])], tokens=1000), QUIET)
    with pytest.raises(UserError, match=r"another cfg\.json"):
        analyze(parts.config(tmp_path / "run.db", saes=[str(copy)], tokens=1000), QUIET)


def test_a_model_that_gives_nan_is_named_with_its_hook_and_a_way_out(parts: Parts, tmp_path: Path) -> None:
    model = tmp_path / "broken"
    shutil.copytree(parts.model, model)
    weights = load_file(model / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][0, 0] = float("nan")
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"blocks\.2\.hook_resid_post.*--dtype"):
        analyze(parts.config(tmp_path / "run.db", model=str(model)), QUIET)


def test_a_worker_waits_for_another_that_is_writing(parts: Parts, tmp_path: Path) -> None:
    db = tmp_path / "busy.db"
    analyze(parts.config(db, tokens=1000), QUIET)
    writer = make_engine(db).connect()
    writer.execute(text("UPDATE run SET seconds = seconds"))
    timer = threading.Timer(7, writer.close)
    timer.start()
    try:
        assert analyze(parts.config(db, tokens=1000, seed=5), QUIET) == 2
    finally:
        timer.join()
