"""A data set of the hub as a corpus: its split's files alone, of one revision; scripts and pickles refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import constants
from huggingface_hub.utils._http import close_session

from analysis.errors import UserError
from analysis.reading import hub
from analysis.reading.documents import Corpus
from analysis.reading.hub_data import is_hub_data
from tests.hub import OTHER_BYTES, REVISION, Hub

PLAIN, SUBSETS, SCRIPT, PICKLE, MANY_PICKLES, MIXED, ODD, EMPTY = (
    f"someone/{name}" for name in ("plain", "subsets", "script", "pickled", "pickles", "mixed", "odd", "empty")
)
CARD = """---
configs:
- config_name: letters
  data_files:
  - split: train
    path: letters/*.parquet
- config_name: notes
  data_files:
  - split: test
    path: notes/test.csv
  - split: validation
    path: notes/validation.csv
---
# Two subsets
"""


def table(path: Path, *texts: str) -> None:
    """A row a text, with a label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table({"text": list(texts), "size": list(map(len, texts))}), path)


def lines(path: Path, *texts: str) -> None:
    """The same as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


def repositories(base: Path) -> dict[str, Path]:
    """`owner/name` -> its folder."""
    made = {
        name: base / name.split("/")[1] for name in (PLAIN, SUBSETS, SCRIPT, PICKLE, MANY_PICKLES, MIXED, ODD, EMPTY)
    }
    table(made[PLAIN] / "data" / "train-00000-of-00002.parquet", "one text", "another text")
    table(made[PLAIN] / "data" / "train-00001-of-00002.parquet", "the third")
    table(made[PLAIN] / "data" / "test-00000-of-00001.parquet", "of the test split")
    (made[PLAIN] / "README.md").write_text("# Plain\n\nWhat it is.\n")
    table(made[SUBSETS] / "letters" / "a.parquet", "a letter")
    for split in ("test", "validation"):
        (made[SUBSETS] / "notes").mkdir(exist_ok=True)
        (made[SUBSETS] / "notes" / f"{split}.csv").write_text(f"text,who\na note of {split},Ada\n")
    (made[SUBSETS] / "README.md").write_text(CARD)
    lines(made[SCRIPT] / "train.jsonl", "a text")
    (made[SCRIPT] / "script.py").write_text("raise SystemExit('ran')\n")
    made[PICKLE].mkdir()
    (made[PICKLE] / "train.pkl").write_bytes(b"\x80\x04 a pickle")
    made[MANY_PICKLES].mkdir()
    (made[MANY_PICKLES] / "a.pkl").write_bytes(b"\x80\x04 a pickle")
    (made[MANY_PICKLES] / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: a.pkl\n---\n")
    lines(made[MIXED] / "train.jsonl", "a text")
    (made[MIXED] / "vectors.pkl").write_bytes(b"\x80\x04 a pickle")
    (made[MIXED] / "LICENSE").write_text("Anything goes.")
    made[ODD].mkdir()
    (made[ODD] / "train.xml").write_text("<a/>")
    made[EMPTY].mkdir()
    (made[EMPTY] / "README.md").write_text("# Empty\n")
    return made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with these data sets."""
    with Hub(repositories(tmp_path_factory.mktemp("sets"))).running() as running:
        yield running


@pytest.fixture(autouse=True)
def _asked_alone(served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only this hub is asked, and nothing is in the cache."""
    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", served.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    forget()
    yield
    forget()


def forget() -> None:
    """As in a new process."""
    close_session()  # a connection that is open is answered on, even where nobody listens any more
    hub.listed.cache_clear()
    hub.why_silent.cache_clear()


def texts(corpus: Corpus) -> list[str]:
    return [document.text for document in corpus.documents()]


def test_the_training_split_is_read_and_its_revision_is_known(served: Hub) -> None:
    corpus = Corpus(PLAIN)
    assert texts(corpus) == ["one text", "another text", "the third"]
    assert next(document.labels for document in corpus.documents()) == {"size": 8}
    assert corpus.source == f"{PLAIN}@{REVISION}"
    assert corpus.name == f"{PLAIN}@{REVISION[:12]}"
    assert corpus.report.passed_over == {"data/test-00000-of-00001.parquet": "not of the split 'train'"}
    assert not any(name.endswith("test-00000-of-00001.parquet") for name in served.fetched())
    assert Corpus(corpus.source).sha256 == corpus.sha256  # what is stored gives the same again


def test_a_subset_is_named_after_a_colon(served: Hub) -> None:
    assert texts(Corpus(f"{SUBSETS}:letters")) == ["a letter"]
    corpus = Corpus(f"{SUBSETS}:notes")  # no training split: its first one
    assert texts(corpus) == ["a note of test"]
    assert corpus.source == f"{SUBSETS}@{REVISION}:notes"
    assert corpus.report.passed_over["notes/validation.csv"] == "not of the split 'test' of notes"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (SUBSETS, rf"Config name is missing\..*'letters', 'notes'\]; name one, as in {SUBSETS}:SUBSET$"),
        (f"{SUBSETS}:nothing", r"BuilderConfig 'nothing' not found.*'letters', 'notes'"),
        (SCRIPT, r"made by a script of its own \(script\.py\), which is never run"),
        (PICKLE, r"found train\.pkl, a pickle \(refused: it can run code\)"),
        (MANY_PICKLES, r"found a\.pkl, a pickle \(refused: it can run code\)"),
        (ODD, r"expected files ending in \.jsonl.*; found train\.xml"),
        (EMPTY, "expected a data set that `datasets` can read; found"),
        ("someone/nothing", "a file, a folder or a data set of the hub that can be reached; .*no such repository"),
        (f"{PLAIN}@nowhere", "a file, a folder or a data set of the hub that can be reached"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_one_line(served: Hub, source: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as told:
        Corpus(source)
    assert str(told.value).startswith(f"--corpus {source}: ")
    assert "\n" not in str(told.value)
    assert not any(name.endswith((".pkl", ".py", ".xml")) for name in served.fetched())


def test_a_pickle_beside_its_texts_is_never_fetched(served: Hub) -> None:
    assert texts(Corpus(MIXED)) == ["a text"]
    assert not any(name.endswith(".pkl") for name in served.fetched())


def test_one_too_large_is_refused_before_it_is_fetched(served: Hub) -> None:
    served.sizes[PLAIN, "data/train-00000-of-00002.parquet"] = 300_000_000_000
    served.asked.clear()
    try:
        with pytest.raises(UserError, match="expected at most 20 GB, since all is fetched; found 300 GB in the split"):
            Corpus(PLAIN)
    finally:
        served.sizes.clear()
    assert not any(name.endswith(".parquet") for name in served.fetched())


def test_a_damaged_download_is_refused(served: Hub) -> None:
    name = "letters/a.parquet"
    served.faults[SUBSETS, name] = OTHER_BYTES
    try:
        with pytest.raises(UserError, match=rf"{SUBSETS}: {name}: .*the download was damaged and is deleted"):
            Corpus(f"{SUBSETS}:letters")
    finally:
        served.faults.clear()


def test_without_a_hub_what_was_fetched_is_read_and_the_rest_is_one_line(served: Hub) -> None:
    before = Corpus(PLAIN)
    forget()
    with served.gone():
        assert Corpus(PLAIN).sha256 == Corpus(before.source).sha256 == before.sha256
        with pytest.raises(UserError, match=f"{SUBSETS}: expected an answer of {served.url}; found .*no copy") as told:
            Corpus(f"{SUBSETS}:letters")
    assert "\n" not in str(told.value)


def test_what_is_here_or_is_named_as_a_file_is_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert [is_hub_data(name) for name in ("a/b", "./a/c", "a/c.jsonl", "a/c.txt.gz", "a", "/a/b", "a/b/c")] == [
        False
    ] * 7
    assert [is_hub_data(name) for name in ("a/c", "a/c-d.e:sub set", "a/c@main", "a/c@0123:en")] == [True] * 4
    with pytest.raises(UserError, match=r"a/c\.jsonl: no such file or folder"):
        Corpus("a/c.jsonl")
