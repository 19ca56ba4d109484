"""What units and labels have to do with each other, in words; and what was said of the data before the work."""

from __future__ import annotations

from app.field.queries import Power
from app.labels.queries import AssociationInfo, LabelInfo, Tested
from app.shared.language import N_, Words, _
from app.shared.numbers import count, fixed, number
from app.shared.statements import listed
from store.vocabulary import YES

CONFOUNDED, UNTOLD, LEAK = "confounded", "untold", "leak"
MOST_NAMES = 3
"""Units that are named."""
MEASURES = {"eta2": "η²", "spearman": "ρ", "auc": "AUC", "r2": "R²", "accuracy": N_("balanced accuracy")}
SETS = Words(
    {
        "best": N_("the best unit alone"),
        "dense": N_("all dense units"),
        "sparse": N_("all sparse units"),
        "raw": N_("the raw columns"),
    }
)


FOLLOWED, MEANS, THROUGH, TOGETHER, NOT = "yes", "means", "through", "together", "no"
"""A unit follows a label; its means differ with it and predict nothing; units predict it, but those that go with it do
so through another column; units predict it and none passes alone; nothing."""


def standing(tested: Tested | None, powers: list[Power], through: bool) -> str:
    """What the two questions come to: does a unit go with the label, and do units predict it in groups kept out?

    Args:
        powers: of the label, of all matrices.
        through: whether some units go with it through another column alone.
    """
    if tested is not None and tested.dense:
        return MEANS if unpredicted(powers) else FOLLOWED
    predicts = any(power.beyond for power in _of_units(powers))
    return NOT if not predicts else THROUGH if through else TOGETHER


def unpredicted(powers: list[Power]) -> bool:
    """Whether it was measured that units predict a label no better than shuffled labels let them."""
    measured = [power for power in _of_units(powers) if power.reach is not None]
    return bool(measured) and not any(power.beyond for power in measured)


def _of_units(powers: list[Power]) -> list[Power]:
    """Of the best one and of all dense ones: what sparse units or the raw columns say is beside the question."""
    return [power for power in powers if power.of in {"best", "dense"} and power.value is not None]


def answer(
    label: LabelInfo, tested: Tested | None, through: dict[str, list[str]], untold: dict[str, list[str]],
    copies: list[str], powers: list[Power],
) -> str:  # fmt: skip
    """Whether anything follows the label, in a sentence or two.

    Args:
        tested: units that it was held against, and those that pass.
        through: columns that units go with it through alone, and names of these units.
        untold: columns that cannot be told from it, and names of units that go with it.
        copies: names of units that are copies of it.
        powers: what predicts it, of all matrices.
    """
    if label.reason:
        return _("Not measured: %(reason)s.", reason=of_rows(label.reason))
    if tested is None:
        return _("It was held against no unit.")
    stands = standing(tested, powers, bool(through))
    made = [_means(tested, powers)] if stands == MEANS else [_passing(tested)]
    most = _most(powers)
    if stands in {THROUGH, TOGETHER} and most is not None:
        made.append(
            _("Units predict it in groups kept out (%(most)s), with nothing held fixed.", most=_beside_shuffled(most))
        )
    made += [_only_through(by, names) for by, names in through.items()]
    made += [_untold(by, names) for by, names in untold.items()]
    if copies:
        made.append(
            _(
                "%(copies)s %(copies2)s of it.",
                copies=listed(copies),
                copies2="is a copy" if len(copies) == 1 else "are copies",
            )
        )
    return " ".join(made)


def _only_through(by: str, names: list[str]) -> str:
    if len(names) > MOST_NAMES:
        return _(
            "%(most_names)s and others go with it only through %(by)s.", most_names=", ".join(names[:MOST_NAMES]), by=by
        )
    return _(
        "%(names)s %(go)s with it only through %(by)s.",
        names=listed(names),
        go="goes" if len(names) == 1 else "go",
        by=by,
    )


def _untold(by: str, names: list[str]) -> str:
    if len(names) > MOST_NAMES:
        return _(
            "%(most_names)s and others go with it, but it cannot be told from %(by)s here.",
            most_names=", ".join(names[:MOST_NAMES]),
            by=by,
        )
    verb = "goes" if len(names) == 1 else "go"
    return _(
        "%(names)s %(verb)s with it, but it cannot be told from %(by)s here.", names=listed(names), verb=verb, by=by
    )


def of_rows(reason: str) -> str:
    """Why a label was not measured: what is a document of text is a row here."""
    return reason.replace("documents", "rows").replace("document", "row")


def _passing(tested: Tested) -> str:
    if not tested.dense:
        return _("None of %(of_dense)s follows it.", of_dense=units_of(tested.of_dense))
    verb = "follows" if tested.dense == 1 else "follow"
    return _(
        "%(dense)s of %(of_dense)s %(verb)s it beyond chance%(tested)s.",
        dense=count(tested.dense),
        of_dense=units_of(tested.of_dense),
        verb=verb,
        tested=_controls(tested),
    )


def _controls(tested: Tested) -> str:
    if not tested.of_controls:
        return ""
    many = count(tested.controls) if tested.controls else "none"
    return _(", %(many)s of %(of_controls)s sparse ones", many=many, of_controls=count(tested.of_controls))


def _means(tested: Tested, powers: list[Power]) -> str:
    """A difference of means that predicts nothing: both were measured, and both are said."""
    most = _most(powers)
    verb = "differs" if tested.dense == 1 else "differ"
    one = "" if most is None else f": {_beside_shuffled(most)}"
    return _(
        "Means only: %(dense)s of %(of_dense)s %(verb)s with it on average, beyond shuffled"
        " labels%(tested)s. In groups kept out nothing tells its values apart%(value)s.",
        dense=count(tested.dense),
        of_dense=units_of(tested.of_dense),
        verb=verb,
        tested=_controls(tested),
        value=one,
    )


def _most(powers: list[Power]) -> Power | None:
    """What says most of it, of what units say: the best one, or all dense ones."""
    return max(_of_units(powers), key=lambda power: (power.beyond, _value(power)), default=None)


def _beside_shuffled(power: Power) -> str:
    shuffled = "" if power.reach is None else _(", shuffled labels reach %(reach)s", reach=fixed(power.reach))
    return f"{MEASURES.get(power.measure, power.measure)} {fixed(power.value)}{shuffled}"


def why_both(found: AssociationInfo) -> str:
    """Why means may differ where nothing is predicted."""
    share = ""
    if found.label.measure == "eta2" and found.effect is not None:
        rest = 1 - found.effect
        share = _("%(rest)s\u202f%% of its variance is left within a value", rest=fixed(100 * rest, 0))
        high, low = found.statement.get("highest"), found.statement.get("lowest")
        if high and low:
            share += _("; most of the difference is %(high)s against %(low)s", high=high, low=low)
    return _(
        "A mean can differ where single rows overlap%(value)s%(value2)s.", value=": " if share else "", value2=share
    )


def bin_words(value: str) -> str:
    """-0.5312 to 0.0944 -> −0.53 to 0.094: ends of bins, with two significant digits."""
    low, _to, high = value.partition(" to ")
    try:
        return f"{number(float(low), 2)} to {number(float(high), 2)}"
    except ValueError:
        return value


def units_of(many: int) -> str:
    """1 dense unit, 230 dense units."""
    return _("%(many)s dense unit%(many2)s", many=count(many), many2="s" * (many != 1))


def effect_words(found: AssociationInfo) -> str:
    """AUC 0.93 (0.91 to 0.95)."""
    sign = MEASURES.get(found.label.measure, found.label.measure)
    if found.effect is None:
        return ""
    plus = "+" if sign == "ρ" and found.effect > 0 else ""
    between = (
        ""
        if found.low is None or found.high is None
        else _(" (%(low)s to %(high)s)", low=fixed(found.low), high=fixed(found.high))
    )
    return f"{sign} {plus}{fixed(found.effect)}{between}"


def outcome(found: AssociationInfo) -> str:
    """yes, through a column alone, or no with its reason."""
    held = found.statement
    code = held.get("code")
    if found.verdict == YES:
        apart = held.get("inseparable") or []
        if _turned(found):
            return _("yes, but the other way once the rest is held fixed")
        return _("yes; cannot be told apart from %(apart)s", apart=", ".join(map(str, apart))) if apart else "yes"
    if code == CONFOUNDED:
        return _("only through %(by)s", by=held.get("by"))
    if code == UNTOLD:
        return _("cannot be told from %(by)s here", by=held.get("by"))
    if code == LEAK:
        return _("a copy of it, put in with the data")
    return _NO.get(str(code), "no")


def _turned(found: AssociationInfo) -> bool:
    """Whether what is left with the rest held fixed points the other way."""
    chance = {"spearman": 0.0, "auc": 0.5}.get(found.label.measure)
    if chance is None or found.effect is None or found.conditional is None:
        return False
    return (found.effect - chance) * (found.conditional - chance) < 0


_NO = {
    "shuffled": N_("no: shuffled labels reach as much"),
    "chance": N_("no: with the rest held fixed, its interval takes in chance"),
    "not_held_out": N_("no: not in groups that were kept out"),
    "few_groups": N_("not measured: too few groups"),
    "unmeasured": N_("not measured"),
}


def power_words(power: Power) -> str:
    """0.93, 0.90 to 0.96."""
    if power.value is None:
        return _("not measured")
    between = (
        ""
        if power.low is None or power.high is None
        else _(" (%(low)s to %(high)s)", low=fixed(power.low), high=fixed(power.high))
    )
    return f"{fixed(power.value)}{between}"


def adds(powers: list[Power]) -> str:
    """Whether the units say more of the label than the columns they were made from."""
    by = {power.of: power for power in powers}
    raw, best = (
        by.get("raw"),
        max((p for p in powers if p.of != "raw" and p.value is not None), default=None, key=_value),
    )
    if raw is None or raw.value is None or best is None or best.value is None:
        return ""
    if raw.high is not None and best.low is not None and best.low > raw.high:
        return _("%(capitalize)s predict it better than the raw columns do.", capitalize=SETS[best.of].capitalize())
    if best.high is not None and raw.low is not None and best.high < raw.low:
        return _("The raw columns predict it better than the units do.")
    return _("The raw columns predict it about as well as the units.")


def _value(power: Power) -> float:
    return power.value if power.value is not None else float("-inf")


def held_by(found: AssociationInfo) -> str:
    """The column that a label works through; empty where it is none."""
    return str(found.statement.get("by") or "") if found.statement.get("code") == CONFOUNDED else ""


def untold_from(found: AssociationInfo) -> str:
    """The column that a label cannot be told from; empty where there is none."""
    return str(found.statement.get("by") or "") if found.statement.get("code") == UNTOLD else ""
