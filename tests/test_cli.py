"""The command line as a person meets it: a process, its exit status, what it says."""

from __future__ import annotations

import json
import os
import resource
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from rich.console import Console

from analysis import __version__
from analysis.reading.demo_parts import demo_tag
from analysis.run.analyze import analyze
from dense_latents import _install, cli, main
from tests.analysis.conftest import Parts
from tests.root import ROOT


def run(*arguments: str, cache: Path, limit: float = 240) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DENSE_LATENTS_CACHE": str(cache)}
    command = [sys.executable, "-m", "dense_latents", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit, check=False
    )


def test_help_names_every_command(tmp_path: Path) -> None:
    found = run("--help", cache=tmp_path)
    assert found.returncode == 0
    assert all(name in found.stdout for name in ("analyze", "train-sae", "bench", "serve", "demo", "migrate"))
    assert "--install-completion" in found.stdout


def test_an_error_is_one_plain_line(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    db = tmp_path / "none.db"
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", ["dense-latents", *parts.arguments(db, "--sae", str(tmp_path / "nowhere"))])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("dense-latents: --sae ")
    assert "nowhere" in said
    assert not db.exists()


def test_a_server_that_cannot_start_says_so_in_one_line(tmp_path: Path) -> None:
    found = run("serve", "--db", str(tmp_path / "missing.db"), cache=tmp_path)
    assert found.returncode == 2
    assert found.stderr.startswith("dense-latents: ")
    assert "missing.db does not exist" in found.stderr
    assert "Traceback" not in found.stderr


def test_analyze_tells_how_far_it_is_and_where_the_rows_are(parts: Parts, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    found = run(*parts.arguments(db, "--tokens", "1500"), cache=tmp_path / "cache")
    assert (found.returncode, found.stderr) == (0, "")
    assert "1,500 of 1,500 tokens" in found.stdout
    assert f"stored in {db}" in found.stdout


def test_migrate_makes_an_empty_store(tmp_path: Path) -> None:
    assert run("migrate", "--db", str(tmp_path / "new.db"), cache=tmp_path).returncode == 0
    assert (tmp_path / "new.db").exists()


def test_a_second_demo_starts_without_torch(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a few times what it takes to say the version; torch alone takes longer."""
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    db = tmp_path / "demo.db"
    analyze(parts.config(db, tokens=2000, tag=demo_tag(60_000)), Console(quiet=True))
    spent = [seconds_of_children()]
    assert run("--version", cache=tmp_path).returncode == 0
    spent.append(seconds_of_children())
    found = run("demo", "--db", str(db), "--no-serve", cache=tmp_path / "nothing here")
    spent.append(seconds_of_children())
    assert found.returncode == 0, found.stderr
    assert found.stdout == ""
    assert spent[2] - spent[1] < 4 * (spent[1] - spent[0])


def seconds_of_children() -> float:
    """Of the processor, by all processes that were begun here and have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def test_bench_gives_ratio_and_memory(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    saes = [word for path in parts.saes for word in ("--sae", str(path))]
    where = ["--model", str(parts.model), "--corpus", str(parts.corpus)]
    cli(["bench", *where, *saes, "--tokens", "600", "--context", "48", "--json"], standalone_mode=False)
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["tokens"] == 600
    assert numbers["ratio"] == pytest.approx(
        numbers["bare_tokens_per_second"] / numbers["pipeline_tokens_per_second"], rel=1e-6
    )
    assert numbers["memory_tokens"] == [600, 4800]
    assert all(peak > 50 for peak in numbers["memory_peak_mib"])


def test_the_command_line_and_the_server_need_no_torch() -> None:
    names = "('torch', 'numpy', 'transformers', 'sae_lens')"
    code = f"import sys, dense_latents, app.main, app.commands.serve; print([n for n in {names} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def commands(group: click.Group, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words, groups included."""
    yield before, group
    for name, one in group.commands.items():
        if isinstance(one, click.Group):
            yield from commands(one, (*before, name))
        else:
            yield (*before, name), one


COMMANDS = dict(commands(typer.main.get_command(cli)))  # type: ignore[arg-type]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "all")
def test_every_help_ends_with_examples_that_are_understood(words: tuple[str, ...]) -> None:
    head, *lines = (COMMANDS[words].epilog or "").split("\n\n")
    assert head == "Examples:"
    for line in lines:
        name, *given = shlex.split(line)
        assert name == "dense-latents"
        assert len(line) < 80, line
        assert tuple(given[: len(words)]) == words
        called = max((known for known in COMMANDS if tuple(given[: len(known)]) == known), key=len)
        context = click.Context(COMMANDS[called])
        rest = [word for word in given[len(called) :] if word != "--help"]
        COMMANDS[called].make_parser(context).parse_args(rest)  # raises where there is no such option


def test_the_version_is_said(tmp_path: Path) -> None:
    found = run("--version", cache=tmp_path)
    assert (found.returncode, found.stdout) == (0, f"dense-latents {__version__}\n")


def test_without_a_command_it_says_which_there_are(tmp_path: Path) -> None:
    found = run(cache=tmp_path)
    assert "Traceback" not in found.stderr
    assert "analyze" in found.stdout + found.stderr


def test_the_shell_can_complete_commands() -> None:
    asked = {"_DENSE_LATENTS_COMPLETE": "complete_bash", "COMP_WORDS": "dense-latents cal", "COMP_CWORD": "1"}
    command = [sys.executable, "-m", "dense_latents"]
    found = subprocess.run(
        command, cwd=ROOT, env=os.environ | asked, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.stdout.split() == ["calibrate"]


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_taken_port_is_said_before_the_work(command: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = run(command, "--db", str(tmp_path / "new.db"), "--port", port, cache=tmp_path / "cache")
    assert found.returncode == 2
    assert found.stderr.startswith(f"dense-latents: cannot listen on 127.0.0.1:{port}: ")
    assert found.stderr.count("\n") == 1
    assert not (tmp_path / "new.db").exists()
    assert not (tmp_path / "cache").exists()  # nothing was begun


def test_what_is_missing_is_told_as_it_can_be_had(tmp_path: Path) -> None:
    """In the repository by make, elsewhere by pip alone."""
    assert "`make setup`" in _install("analysis")
    assert (ROOT / "Makefile").exists()
    (tmp_path / "dense_latents.py").write_text((ROOT / "dense_latents.py").read_text())
    code = "import dense_latents; print(dense_latents.__file__); print(dense_latents._install('postgres'))"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == [str(tmp_path / "dense_latents.py"), "pip install 'dense-latents[postgres]'"]
