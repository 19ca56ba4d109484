"""Does it matter who tags? Areas under the ROC curve of real latents, by tagger and by Brown's humans.

    python -m tests.tag_areas [--brown FOLDER] [--tokens N] [--layer L ...]

Reads text through the demo's model and SAEs, and compares the AUC of every dense latent for content words and for
each universal tag: their Spearman correlation over latents, the largest difference, and whom the cut parts.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from analysis.config import AnalyzeConfig
from analysis.process.checkpoint import Checkpoints
from analysis.process.progress import progress_bar
from analysis.reading.batches import Sample
from analysis.reading.demo_parts import demo_corpus, demo_saes
from analysis.reading.documents import Document
from analysis.reading.taggers import CONTENT, UNIVERSAL
from analysis.reading.tags import tag_sample
from analysis.run.evidence import sampled, sampled_documents
from analysis.run.pipeline import Run, prepare
from analysis.run.rows.examples import documents_of
from analysis.statistics.ranks import auc, correlation, midranks
from analysis.statistics.signals import Signals
from store.vocabulary import DETAILS
from tests.tag_agreement import Sentence, SpacyTagger, brown, indices

SENTENCES = 100  # of Brown in a document: about 2,000 words, as in its own
_CLOSE = (".", ",", ";", ":", "?", "!", "''", "'", "n't", ")")

Tagging = Callable[[Sample, dict[int, Document]], Tensor]


class Difference(NamedTuple):
    """One tag, or content words, under two taggings of the same tokens."""

    name: str
    rho: float  # Spearman over latents of the two AUCs; NaN where fewer than three latents
    largest: float  # difference of AUC
    parted: int  # latents that only one of them puts beyond the cut, on either side


def differences(signals: Signals, dense: Tensor, a: Tensor, b: Tensor, cut: float) -> list[Difference]:
    """Content words first, then every tag that both have.

    Args:
        signals: without massive tokens. dense: [m] bool: the latents compared.
        a, b: [n] int64 indices into UNIVERSAL, -1 for none; tokens without either tag are left out.
    """
    known = (a >= 0) & (b >= 0)
    ranks = midranks(signals.values[known][:, : len(signals.latents)][:, dense].T.contiguous())
    both = torch.stack([a[known], b[known]])
    content = torch.isin(both, torch.tensor([UNIVERSAL.index(name) for name in CONTENT]))
    sets = [("content words", content)] + [(tag, both == place) for place, tag in enumerate(UNIVERSAL)]
    return [_difference(name, auc(ranks, chosen), cut) for name, chosen in sets if bool(chosen.any(1).all())]


def _difference(name: str, areas: Tensor, cut: float) -> Difference:
    first, second = areas.T
    rho = float(correlation(midranks(first[None]), midranks(second[None]))) if len(first) > 2 else float("nan")
    beyond = (areas - 0.5).abs() >= cut - 0.5
    return Difference(name, rho, float((first - second).abs().max()), int((beyond[:, 0] != beyond[:, 1]).sum()))


def compare(config: AnalyzeConfig, first: Tagging, second: Tagging, console: Console) -> dict[int, list[Difference]]:
    """By layer."""
    reading = prepare(config)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(reading, Checkpoints(Path(folder), "areas"))
        with progress_bar(console, "reading", config.tokens, "tokens", 0) as progress:
            run.stream(progress)
    documents = documents_of(reading.corpus, [], sampled_documents(run.panels))
    found: dict[int, list[Difference]] = {}
    a = b = torch.zeros(0, dtype=torch.int64)
    for panel in run.panels:
        signals = sampled(panel)
        if not len(a):  # all SAEs see the same tokens
            a, b = first(signals.sample, documents), second(signals.sample, documents)
        dense = panel.plan.kind.cpu() == DETAILS.index("dense")
        keep = signals.ordinary
        found[panel.sae.layer] = differences(signals.kept(), dense, a[keep], b[keep], config.cuts["content_auc"])
    return found


def by_default(sample: Sample, documents: dict[int, Document]) -> Tensor:
    """Tags of the worker's own tagger."""
    return tag_sample(sample, documents).values


def by_spacy(sample: Sample, documents: dict[int, Document]) -> Tensor:
    """Tags of spaCy's small English model."""
    return tag_sample(sample, documents, SpacyTagger()).values


class BrownText:
    """Brown as documents with a human tag for each word.

    Args:
        folder: with its tagged files.
        documents: how many, spread over the whole of it.
    """

    def __init__(self, folder: Path, documents: int = 10_000) -> None:
        groups = _batched(brown(folder), SENTENCES)
        every = max(1, len(groups) // documents)
        joined = [_joined(group) for group in groups[::every]]
        self.texts = [text for text, _begins, _tags in joined]
        self.words = [(begins, indices(tags)) for _text, begins, tags in joined]

    def write(self, path: Path) -> None:
        """As a corpus for the worker."""
        path.write_text("\n".join(json.dumps({"text": text}) for text in self.texts))

    def tags(self, sample: Sample, documents: dict[int, Document]) -> Tensor:
        """The human tag of the word that holds each token's first letter."""
        numbers = sample.document[sample.context].tolist()
        return torch.tensor([self._tag(n, begin) for n, begin in zip(numbers, sample.begin.tolist(), strict=True)])

    def _tag(self, document: int, begin: int) -> int:
        text, (begins, tags) = self.texts[document], self.words[document]
        while begin < len(text) - 1 and text[begin].isspace():
            begin += 1
        place = bisect.bisect_right(begins, begin) - 1
        return int(tags[place]) if place >= 0 else -1


def _batched(sentences: Iterator[Sentence], size: int) -> list[list[Sentence]]:
    found = []
    while group := list(itertools.islice(sentences, size)):
        found.append(group)
    return found


def _joined(sentences: list[Sentence]) -> tuple[str, list[int], list[str]]:
    """Text as people write it, the place of each word, and its tag."""
    text, begins, tags = "", [], []
    for words, own in sentences:
        for word, tag in zip(words, own, strict=True):
            text += "" if not text or word.startswith(_CLOSE) else " "
            begins.append(len(text))
            tags.append(tag)
            text += word
    return text, begins, tags


def _print(title: str, found: dict[int, list[Difference]], console: Console) -> None:
    table = Table(title=f"{title}: Spearman over dense latents of the AUCs (largest difference; latents the cut parts)")
    table.add_column("tag")
    for layer in found:
        table.add_column(f"layer {layer}", justify="right")
    names = dict.fromkeys(each.name for rows in found.values() for each in rows)
    for name in names:
        cells = ({each.name: each for each in rows}.get(name) for rows in found.values())
        table.add_row(name, *("" if c is None else f"{c.rho:.3f} ({c.largest:.3f}; {c.parted})" for c in cells))
    console.print(table)


def main() -> None:
    """Print the comparisons that can be made here."""
    parser = argparse.ArgumentParser(description="AUCs of real latents under different part-of-speech tags.")
    parser.add_argument("--brown", type=Path, help="folder with Brown's tagged files: humans instead of spaCy")
    parser.add_argument("--tokens", type=int, default=60_000)
    parser.add_argument("--layer", type=int, action="append", help="of the demo's SAEs; all where none is given")
    options = parser.parse_args()
    saes = [str(folder) for folder in demo_saes() if not options.layer or _layer(folder) in options.layer]
    console = Console(highlight=False, soft_wrap=True)
    if not options.brown:
        SpacyTagger()  # says what is missing before anything is read
        config = AnalyzeConfig(saes=saes, corpus=str(demo_corpus()), tokens=options.tokens)
        _print("TextBlob against spaCy, demo text", compare(config, by_default, by_spacy, console), console)
        return
    text = BrownText(options.brown)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "brown.jsonl"
        text.write(path)
        config = AnalyzeConfig(saes=saes, corpus=str(path), tokens=options.tokens)
        _print("TextBlob against Brown's humans, Brown", compare(config, by_default, text.tags, console), console)


def _layer(folder: Path) -> int:
    return int(json.loads((folder / "cfg.json").read_text())["metadata"]["hook_name"].split(".")[1])


if __name__ == "__main__":
    main()
