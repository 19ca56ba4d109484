"""Whether an SAE fits the model and the text, in words: a phrase for each of its pages, a sentence for its own."""

from __future__ import annotations

from collections.abc import Sequence

from app.shared.language import N_, _
from app.shared.numbers import NONE, THIN, fixed, number, percent
from app.shared.record import Hidden, Record
from app.shared.statements import Sentences, said
from store.fit import MISFIT
from store.vocabulary import Statement


class FitInfo(Record):
    """One measurement of whether an SAE fits the model and the texts it was read on"""

    name: str
    """model, bos, l0, fvu, massive or partners"""
    level: str
    """fits, note (worth knowing), or misfit"""
    found: bool | float | str | None
    expected: bool | float | str | None
    """By its configuration or training report; of massive tokens the most that is no exception"""
    words: str
    phrase: str = Hidden
    title: str = Hidden
    shown: str = Hidden
    against: str = Hidden

    @property
    def misfit(self) -> bool:
        """Whether each page of the SAE says it."""
        return self.level == MISFIT


TITLES = {
    "model": "model",
    "bos": "BOS",
    "l0": "L0",
    "fvu": "FVU",
    "massive": N_("massive tokens"),
    "partners": "partners",
}
_BY = {"k": "k", "l0": N_("L0 in training"), "report": N_("L0 in the training report")}


def fit_info(statement: Statement) -> FitInfo:
    """A statement of `store.fit` as pages and API say it."""
    name = str(statement["of"])
    return FitInfo(
        name=name,
        level=statement["level"],
        found=statement["found"],
        expected=statement["expected"],
        words=said(statement, WORDS),
        phrase=said(statement, PHRASES) if statement["level"] == MISFIT else "",
        title=TITLES.get(name, name),
        shown=_value(name, statement["found"]),
        against=_against(name, statement),
    )


def _value(name: str, value: bool | float | str | None) -> str:
    if isinstance(value, bool):
        return _("before each context") if value else "none"
    if value is None or isinstance(value, str):
        return value or NONE
    return percent(value) if name in {"massive", "partners"} else fixed(value) if name == "fvu" else number(value)


def _against(name: str, held: Statement) -> str:
    """What was expected, with where that stands."""
    value = held["expected"]
    if value is None or value == "":
        return f"below {fixed(held['most'])}" if held.get("most") else NONE
    if name == "l0":
        return f"{value:.3g} ({_BY[held['by']]})"
    return {"fvu": "{} (training report)", "massive": "at most {}"}.get(name, "{}").format(_value(name, value))


def _times(held: Statement) -> str:
    """Of an L0, as many times more or fewer as it is."""
    times = held["times"]
    return f"{number(times, 2)}{THIN}×" if times >= 1 else _("1/%(times)s of", times=number(1 / times, 2))


def _l0_phrase(held: Statement) -> str:
    return _(
        "L0 %(value)s, %(times)s its %(by)s of %(expected)s",
        value=number(held["found"], 2),
        times=_times(held),
        by=_BY[held["by"]],
        expected=f"{held['expected']:.3g}",
    )


def _at_least(least: float) -> str:
    return _(" with a product of at least %(least)s", least=f"{least:g}") if least else ""


def _l0_off(held: Statement) -> str:
    return _(
        "%(times)s its %(by)s: these are not the activations that it was trained on. Another model, hook"
        " point, scale or kind of text gives that, and what is dense here may not be dense elsewhere.",
        times=_times(held),
        by=_BY[held["by"]],
    )


PHRASES: Sentences = {
    "model_other": N_("made for {expected}"),
    "l0_more": _l0_phrase,
    "l0_fewer": _l0_phrase,
    "fvu_useless": N_("FVU {found:.2f}: the mean would rebuild as much"),
    "fvu_worse": N_("FVU {found:.2f} against {expected:.2f} in training"),
    "fvu_high": N_("FVU {found:.2f}, above {most}"),
    "massive_many": lambda held: _("%(value)s massive tokens", value=percent(held["found"])),
}
"""Of misfits, for a line that holds several."""
WORDS: Sentences = {
    "model_same": N_("The model it was made for."),
    "model_copy": N_("A model of the same name from another organisation: the same where nobody changed it."),
    "model_tuned": N_("One of the two is a base model, the other is tuned: most latents mean the same, not all."),
    "model_version": N_("One of the two names says which version it is, the other does not."),
    "model_other": N_(
        "Its configuration names another model. That the widths agree is no sign that they belong together."
    ),
    "model_unnamed": N_("Its configuration names no model, so nobody can tell whether it is this one."),
    "bos_same": N_("Contexts begin as in its training."),
    "bos_more": N_(
        "It was trained without; here each context begins with one, which is not counted. What follows"
        " it may have other activations."
    ),
    "bos_less": N_("It was trained with one before each context; this model's tokenizer has none."),
    "l0_near": N_("As many latents fire on a token as in training, within 2 ×."),
    "l0_more": _l0_off,
    "l0_fewer": _l0_off,
    "l0_unknown": N_("Neither its configuration nor a training report says how many latents should fire."),
    "fvu_near": N_("About as much is left unexplained as in training."),
    "fvu_low": N_("No training report to hold it against; less is left unexplained than {most}."),
    "fvu_worse": N_(
        "More than twice what it left unexplained in training: what its latents say of this text is that much less."
    ),
    "fvu_high": N_("So much of the variance is left unexplained that the latents tell a part of the story."),
    "fvu_useless": N_("It rebuilds this text worse than the mean would; what it calls dense says little."),
    "fvu_unknown": N_("It was not measured in this run."),
    "massive_few": N_("Few enough to be left out of correlations, R² and FVU."),
    "partners_index": lambda held: _(
        "Looked for among near directions, not among all pairs. Of %(sampled)s latents drawn, %(of_all)s"
        " have a mirror image%(least)s; the search found %(hit)s of them.",
        sampled=f"{held['sampled']:,}",
        of_all=f"{held['of_all']:,}",
        least=_at_least(held["least"]),
        hit=f"{held['hit']:,}",
    ),
    "partners_none": N_(
        "Looked for among near directions, not among all pairs. None of {sampled} latents drawn has a"
        " mirror image, so nobody knows what the search misses."
    ),
    "massive_many": N_("So many are left out of correlations, R² and FVU that these speak of the other tokens alone."),
}
"""On the SAE's own page."""


def line_of(found: Sequence[FitInfo]) -> str:
    """The misfits of one SAE, in a phrase."""
    return "; ".join(one.phrase for one in found if one.misfit)
