"""What steering's values mean, for /methods."""

from __future__ import annotations

from analysis.interventions.steer.config import CUT, DOSES, FEWEST_TEXTS, MOST_COST
from analysis.statistics.declaration import Statistic

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
