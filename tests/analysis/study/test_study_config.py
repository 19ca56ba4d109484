"""A study's file: what is refused, word for word, and what becomes of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.errors import UserError
from analysis.study.config import read_study
from analysis.study.plan import make_plan
from tests.analysis.study.conftest import ROWS

TEXTS = 'name = "a"\n[texts]\nsae = "x:y"\n'


def refused(folder: Path, text: str) -> str:
    path = folder / "s.toml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_study(path)
    said = str(error.value)
    assert said.count("\n") == 0
    assert said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROWS.replace("order", "ordr"), "unknown key 'ordr' in [activations]; did you mean 'order'?"),
        (ROWS.replace("[attention]", "[atention]"), "unknown key 'atention'; did you mean 'attention'?"),
        (ROWS.replace("drift", "zzz"), "unknown key 'zzz' in [attention]; choose one of drift, lost"),
        (ROWS.replace("ablate", "ablait"), "unknown key 'ablait' in [steps]; did you mean 'ablate'?"),
        (ROWS.replace("drift = 0.1", "drift = 2"),
         "[attention] drift 2.0: expected a share above 0, at most 1"),
        (ROWS.replace("lost = true", 'lost = "yes"'), '[attention] lost: expected true or false; found "yes"'),
        (ROWS.replace('"machine"', "3"), "[activations] group: expected a text in quotes; found 3"),
        (ROWS.replace('name = "line 3"', ""), 'expected name = "..."; found none'),
        (ROWS.replace('"line 3"', '"../x"'),
         "name: expected a name that files can have, of at most 80 letters; found '../x'"),
        (ROWS.replace('matrix = "hidden.npy"', ""), '[activations]: expected matrix = "..."; found none'),
        (ROWS.replace('order = "time"', 'order = "machine"'),
         "[activations] analyze: the column machine is given two parts; a column has one"),
        (ROWS.replace('order = "time"', 'train = "foo"'),
         "[activations] train foo: expected batchtopk, topk, abstopk or jumprelu"),
        (ROWS + "[texts]\n", "expected one section, [activations] or [texts]; found activations and texts"),
        ('name = "a"\n', "expected one section, [activations] or [texts]; found none"),
        (ROWS + "[train]\n", '[train] is of texts; expected train = "batchtopk" in [activations]'),
        ('name = "a"\n[texts]\n', "[texts]: expected sae = [...], or a section [train]; found neither"),
        (TEXTS + "tokens = true\n", "[texts] tokens: expected a whole number; found true"),
        (TEXTS + "tokens = 0\n", "[texts] tokens 0: expected at least 1"),
        (TEXTS + 'tokns = 1\n', "unknown key 'tokns' in [texts]; did you mean 'tokens'?"),
        (TEXTS + "[ablate]\nepsilon = 0\n", "[ablate] epsilon 0.0: expected a number above 0"),
        (TEXTS + '[retrain]\narms = ["orig"]\n',
         "[retrain] unknown arm 'orig'; choose one of original, dense, dimension, count, variance, components, fewer,"
         " pairs, abstopk, abstopk_half"),
        (TEXTS + "[steps]\nablate = false\n[ablate]\n", "[ablate]: expected ablate = true in [steps]; found false"),
        ("name = \n", "expected TOML; found Invalid value (at line 1, column 8)"),
        ("texts = 3\nname = 'a'\n", "texts: expected a section [texts]; found a value"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    assert refused(tmp_path, text) == said


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_study(tmp_path / "none.toml")
    assert str(error.value) == f"{tmp_path / 'none.toml'}: expected a study's TOML file; found no file"


def test_paths_are_those_of_the_files_folder(line3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    found = read_study(line3)
    assert found.db == str(line3.parent / "line3.db")
    assert found.subject["activations"] == [str(line3.parent / "hidden.npy")]
    assert found.subject["table"] == str(line3.parent / "parts.csv")
    assert found.state_path == line3.parent / "line 3.study.json"


def test_names_of_the_hub_stay_and_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    path = tmp_path / "s.toml"
    path.write_text(
        'name = "a"\n[texts]\nmodel = "gpt2"\ncorpus = "books"\nsae = ["gpt2-small-res-jb:blocks.7", "x.y"]'
    )
    found = read_study(path).subject
    assert (found["model"], found["corpus"]) == ("gpt2", str(tmp_path / "books"))
    assert found["saes"] == ["gpt2-small-res-jb:blocks.7", str(tmp_path / "x.y")]


def test_a_matrix_that_is_not_there_is_named(line3: Path) -> None:
    (line3.parent / "hidden.npy").unlink()
    with pytest.raises(UserError) as error:
        make_plan(read_study(line3))
    expected = f"[activations] matrix: expected a file or a folder; found nothing at {line3.parent}/hidden.npy"
    assert str(error.value) == f"{line3}: {expected}"


def test_a_file_that_was_moved_is_the_same_and_one_that_was_changed_is_not(line3: Path, tmp_path: Path) -> None:
    before = make_plan(read_study(line3)).measured
    (tmp_path / "parts.csv").rename(tmp_path / "moved.csv")
    line3.write_text(line3.read_text().replace("parts.csv", "moved.csv"))
    assert make_plan(read_study(line3)).measured == before
    with (tmp_path / "moved.csv").open("a") as stream:
        stream.write("\n")
    assert make_plan(read_study(line3)).measured != before


def test_what_needs_attention_changes_no_number(line3: Path) -> None:
    before = make_plan(read_study(line3))
    line3.write_text(line3.read_text().replace("drift = 0.1", "drift = 0.2"))
    after = make_plan(read_study(line3))
    assert (after.measured, after.key != before.key) == (before.measured, True)


def test_a_training_is_kept_when_the_texts_change_unless_it_shall_not(tmp_path: Path) -> None:
    path, texts = tmp_path / "s.toml", tmp_path / "t.jsonl"

    def key(keep: str) -> str:
        path.write_text(f'name = "a"\n[texts]\ncorpus = "t.jsonl"\n[train]\nhook = "blocks.1.hook_mlp_out"\n{keep}')
        return make_plan(read_study(path)).of("train").key

    texts.write_text("{}")
    before = key(""), key("keep = false\n")
    texts.write_text("[]")
    assert key("") == before[0]
    assert key("keep = false\n") != before[1]
