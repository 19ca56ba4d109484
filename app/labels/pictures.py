"""A label as two pictures: how many follow it beside the control, and the groups of the one that does most."""

from __future__ import annotations

from app.labels.associations import AssociationRow
from app.labels.queries import LabelInfo, Tested
from app.shared.language import _
from app.shared.numbers import count
from app.shared.slide import MOST_BARS, PALE, POLE, Bar, Part, Picture, share

FEW = 5
"""Documents of a group: a mean over fewer says little."""


def shares_picture(tested: Tested) -> Picture:
    """Share of dense latents that follow the label, and of sparse ones."""
    bars = [_share("dense", tested.dense, tested.of_dense, POLE)]
    if tested.of_controls:
        bars.append(_share(_("sparse"), tested.controls, tested.of_controls, PALE))
    note = _("Of the latents held against it.") if tested.of_controls else _("No sparse control was held against it.")
    return Picture(_("How many follow it"), bars, note)


def _share(name: str, part: int, of: int, colour: str) -> Bar:
    value = part / of if of else 0.0
    words = f"{share(value)} ({count(part)})"
    return Bar(name, [Part(0, round(100 * value, 2), colour)], words, quiet=colour == PALE)


def means_picture(row: AssociationRow, name: str) -> Picture | None:
    """Group means of a latent with their intervals; None where none are stored."""
    if not row.means:
        return None
    shown = row.means[:MOST_BARS]
    bars = []
    for mean in shown:
        start, width = min(row.zero, mean.at), abs(mean.at - row.zero)
        part = Part(start, round(width, 2), POLE if mean.at >= row.zero else "--n")
        bars.append(Bar(mean.value, [part], mean.mean, (mean.low, mean.high)))
    left = (
        _(" The %(shown)s largest of %(means)s groups.", shown=len(shown), means=len(row.means))
        if len(row.means) > len(shown)
        else ""
    )
    return Picture(
        _("Mean signal of %(name)s in each group", name=name),
        bars,
        _("In sd; the line is the 95 %% interval.%(left)s", left=left),
    )


def label_answer(label: LabelInfo, tested: Tested | None) -> str:
    """Whether dense latents follow it, beside what sparse ones do."""
    if label.reason:
        return _("Not measured: %(reason)s.", reason=label.reason)
    if tested is None or not tested.of_dense:
        return _("It was held against no dense latent.")
    if not tested.dense:
        return _("None of %(of_dense)s dense latents follows it.", of_dense=count(tested.of_dense))
    dense = share(tested.dense / tested.of_dense)
    if not tested.of_controls:
        return _("%(dense)s of dense latents follow it; no sparse control was held against it.", dense=dense)
    sparse = share(tested.controls / tested.of_controls)
    if tested.dense * tested.of_controls <= tested.controls * tested.of_dense:
        return _(
            "%(dense)s of dense latents follow it, no more often than sparse ones (%(sparse)s).",
            dense=dense,
            sparse=sparse,
        )
    return _("%(dense)s of dense latents follow it, %(sparse)s of sparse ones.", dense=dense, sparse=sparse)


def warnings(label: LabelInfo) -> list[str]:
    """What the label may be mistaken for."""
    made = [f"{confound.words}." for confound in label.confounds]
    if label.literal:
        made.append(
            _(
                "Its value stands in %(documents)s of the texts: a latent may read it.",
                documents=share(label.literal / label.documents),
            )
        )
    few = [group for group in label.groups if group.documents is not None and group.documents < FEW]
    if few and not label.reason:
        one = len(few) == 1
        made.append(
            _(
                "%(few)s group%(have)s fewer than %(few2)s documents.",
                few=count(len(few)),
                have=" has" if one else "s have",
                few2=FEW,
            )
        )
    return made
