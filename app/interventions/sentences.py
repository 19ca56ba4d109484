"""What steering along a signal did, in a sentence."""

from __future__ import annotations

from app.shared.language import N_, _
from app.shared.statements import Sentence, filled, said
from app.shared.stored import one, part
from store.vocabulary import RANDOM, SPARSE, SWAPPED, Statement

CONTROLS = {RANDOM: N_("random directions"), SPARSE: N_("sparse latents"), SWAPPED: N_("texts of other documents")}
REASONS: dict[str, Sentence] = {
    "constant": N_("the signal does not vary"),
    "few_pairs": N_("{found} pairs of texts were found and {needed} are needed"),
    "dear": N_("every dose costs the model more than {cost:g} nat per token"),
}
PUSHED = N_(
    "Pushed to one side of this signal and to the other (by {dose:g} standard deviation{s}), the"
    " model each time finds that side's text the likelier one in {flips} of {pairs} pairs of texts"
    " ({rate:.0%}, {low:.0%} to {high:.0%}); "
)


def steering_said(statement: Statement | None) -> str:
    """What came of steering; of a signal that was not steered along, that."""
    if statement is None:
        return _("Steering is not measured yet.")
    return said(statement, SENTENCES)


def _beside(what: str) -> Sentence:
    def sentence(held: Statement) -> str:
        own = {"s": "" if one(held, "dose") == 1 else "s", "control": CONTROLS.get(str(held.get("control")))}
        return filled(PUSHED + what, {**held, **own})

    return sentence


SENTENCES: dict[str, Sentence] = {
    "unmeasured": lambda held: _(
        "Steering could not be measured: %(reasons)s.", reasons=said(part(held, "reason"), REASONS)
    ),
    "follows": _beside(N_("no control does so in more than {largest:.0%} ({control}).")),
    "rare": _beside(N_("{cut:.0%} are needed, and controls reach {largest:.0%} ({control}).")),
    "unsure": _beside(N_("too few pairs to be sure that it is more than what controls do ({control}: {largest:.0%}).")),
}
