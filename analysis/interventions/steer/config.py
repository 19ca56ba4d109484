"""What `steer` was asked for, the rules it measures by, and what its values mean."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analysis import __version__
from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.interventions.config import SubjectConfig
from analysis.options import Least, Parsed

if TYPE_CHECKING:
    from analysis.interventions.subject import Subject
from analysis.statistics.declaration import Statistic

DOSES = (1.0, 2.0, 4.0, 8.0)  # standard deviations of the projection
MOST_COST = 1.0  # nats per token of ordinary text: a dose that costs more breaks the model, and is refused
CUT = 0.75  # flip rate (reported about the paper)
PREFIX = 2  # pieces of text before what is scored
FEWEST = 8  # pairs of texts, in each half: with fewer, even a rate of 1 is no better than 0.68
FEWEST_TEXTS = 2 * FEWEST


def parse_pairs(items: list[str]) -> list[tuple[int, int]]:
    """`591:1042` -> (591, 1042).

    Raises:
        UserError: another form.
    """
    found = []
    for item in items:
        one, _, other = item.partition(":")
        try:
            found.append((int(one), int(other)))
        except ValueError:
            raise UserError(f"--pair {item}: expected POS:NEG, two latents, e.g. 591:1042") from None
    return found


@dataclass(frozen=True, kw_only=True)
class SteerConfig(SubjectConfig):
    """One SAE of a store."""

    pairs: Annotated[
        list[tuple[int, int]],
        typer.Option(
            "--pair",
            help="POS:NEG, an antipodal pair; repeat for more. Without --pair and --latent: candidates of"
            " context binding first, then other pairs.",
        ),
        Parsed(parse_pairs),
    ] = field(default_factory=list)
    latents: Annotated[
        list[int], typer.Option("--latent", help="A latent without a mirror image; repeat for more.")
    ] = field(default_factory=list)
    limit: Annotated[int, typer.Option(help="Signals at most, where none is named."), Least(1)] = 8
    texts: Annotated[
        int, typer.Option(help="Pairs of texts: half choose the dose, the others measure."), Least(FEWEST_TEXTS)
    ] = 24
    controls: Annotated[
        int, typer.Option(help="Random directions, and sparse latents, both ways round each."), Least(1)
    ] = 3
    length: Annotated[int, typer.Option(help="Tokens of each text."), Least(4)] = 24  # what stands before is twice that
    examples: Annotated[
        int, typer.Option(help="Beginnings continued with and without steering, for each pair."), Least(0)
    ] = 3
    seed: Annotated[int, typer.Option(help="Of controls and bootstrap.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.texts % 2:
            raise UserError(f"--texts {self.texts}: expected an even number: one half chooses, the other measures")

    @property
    def pool(self) -> int:
        """Documents to look for poles in: twice as many as pairs are taken from."""
        return 2 * self.texts

    def key(self, subject: Subject) -> str:
        """Hash of all that fixes a signal's numbers; not which signals: they do not depend on each other."""
        stored = subject.stored
        parts: list[Any] = [__version__, stored.sha256, subject.sae.settings, stored.model_fingerprint]
        parts += [stored.corpus_sha256, stored.context, stored.seed, stored.settings["tokens"], stored.controls]
        parts += [self.texts, self.controls, self.length, self.examples, self.seed]
        parts += [subject.model.dtype_name, stored.analysis_id, DOSES, MOST_COST, CUT]
        return hash_of(parts)

    def settings(self) -> dict[str, Any]:
        """What it was asked for, and the rules; not where it is stored, since a database URL may hold a password."""
        found = asdict(self)
        del found["db"]
        return found | {"doses": DOSES, "most_cost": MOST_COST, "cut": CUT}


_R = "reported about Sun et al. 2025; likelihoods instead of a judge, doses and controls: our own"


def _steering(name: str, title: str, unit: str, definition: str, grade: str, source: str) -> Statistic:
    return Statistic(name, title, unit, "scalar", "pair", definition, grade, source)


STATISTICS = (
    _steering(
        "steer_flips", "Flip rate", "",
        "Context binding, part C. From one context of each document (documents the run did not read, as far as there"
        " are enough), the two texts where the signal, position and part of speech taken out, is highest and lowest are"
        " each put after a beginning from the same context where it is in the middle. Preference: log probability of"
        " the positive text less that of the negative one, per token. The model is pushed by +- dose x standard"
        " deviation of the projection along the signal's unit direction, at every position. A flip: the positive text"
        " is preferred when pushed up and the negative one when pushed down. The rate is the share of pairs that flip"
        " (by chance 0.25); its 95 % interval is the wider of a bootstrap over documents and Wilson's. Half of the"
        " pairs, documents apart, choose the dose; the rate is that of the other half. Label: yes where the rate is at"
        f" least {CUT:g} and its lower end above the largest control; fewer than {FEWEST_TEXTS} pairs are not measured."
        " Controls, at the same dose: on the same pairs, random directions and the decoder directions of sparse"
        " latents, of the same length and the better of both ways round; and swapped documents.",
        "R", _R,
    ),
    _steering(
        "steer_dose", "Dose, and refused doses", "standard deviations",
        f"Doses tried: {', '.join(f'{dose:g}' for dose in DOSES)} standard deviations of the signal's projection over"
        " ordinary tokens. The cost of a dose is the rise of the loss on ordinary text, in nats per token, the dearer"
        f" of the two directions; more than {MOST_COST:g} breaks the model, and the dose is refused. Of the others, the"
        " one with most flips on the choosing half is taken, the smaller one of equals.",
        "R", _R,
    ),
    _steering(
        "steer_swapped", "Swapped documents", "",
        "The flip rate with beginning and texts from the same places of other documents, where nothing ties them to the"
        " sides of the signal: what any two texts would do.",
        "R", _R,
    ),
    _steering(
        "steer_foreign", "Another document's beginning", "",
        "The flip rate of the same texts after the beginning of another document: about the same where the direction"
        " stands for the same thing everywhere, less where the document decides. It decides no label.",
        "O", "our own",
    ),
    _steering(
        "steer_moves", "Preferences that move", "",
        "Share of pairs whose preference moves the way of the push, whether far enough to flip or not; by chance 0.5."
        " It decides no label.",
        "O", "our own",
    ),
)  # fmt: skip
