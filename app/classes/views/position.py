"""Position: the mean of the signal over the distance from a boundary, and a row for each kind of distance."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from app.classes.plots import HEIGHT, Numbers, line
from app.classes.score import ClassView, Colour, ScoreInfo
from app.shared.figures import Figure, View, axis, band, figure
from app.shared.language import N_, _
from app.shared.numbers import fixed, signed, span, whole
from app.shared.statements import Sentences, filled, said
from app.shared.stored import known, numbers, one, part
from app.vocabulary import KINDS
from store.unmeasured import why_no_distance
from store.vocabulary import Statement


class Position(ClassView):
    """How it is shown."""

    name, title, letter, order = "position", N_("position"), "P", 10
    colour = Colour("#6d3bb5", "#8b6cf6")
    of_text = True
    sentences: ClassVar[Sentences] = {
        "follows": lambda held: _way(
            held,
            N_("Rises with the distance from the start of the {kind} (ρ {rho:+.2f})."),
            N_("Falls with the distance from the start of the {kind} (ρ {rho:+.2f})."),
        ),
        "explained": lambda held: _way(
            held,
            N_(
                "Rises with the distance from the start of the {kind} (ρ {rho:+.2f}), but no more than random"
                " directions or other distances explain."
            ),
            N_(
                "Falls with the distance from the start of the {kind} (ρ {rho:+.2f}), but no more than random"
                " directions or other distances explain."
            ),
        ),
        "weak": lambda held: _way(held, *2 * (N_("Hardly follows position: at most with the {kind} (ρ {rho:+.2f})."),)),
    }
    head = (N_("start of"), "ρ", N_("95 % interval"), N_("partial"), N_("from token 5"), N_("chance"))

    def phrase(self, score: ScoreInfo) -> str:
        """Whether it rises or falls, and from where."""
        kind, rho = kind_of(score)
        where = KINDS.get(kind or "text", kind)
        if (rho or 0) < 0:
            return _("falls with the distance from the start of the %(kind)s", kind=where)
        return _("rises with the distance from the start of the %(kind)s", kind=where)

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """The signed correlation."""
        kind, rho = kind_of(score)
        value = score.score if rho is None else rho
        return f"ρ {'+' if (value or 0) > 0 else ''}{fixed(value)}", _(
            "from start of %(kind)s", kind=KINDS.get(kind, kind)
        ) if kind else ""

    def plots(self, score: ScoreInfo) -> list[View]:
        """Mean of the signal over the distance from a boundary."""
        held = part(score.data, "profile")
        kind, edges, mean = str(held.get("kind") or "context"), known(held, "edges"), numbers(held, "mean")
        if len(edges) < 2 or not mean:
            return []
        low, high, tokens = (numbers(held, name) or [None] * len(mean) for name in ("low", "high", "tokens"))
        middle = [(a + b - 1) / 2 for a, b in pairwise(edges)]
        rows = [
            (
                whole(at),
                signed(value),
                _("%(first)s to %(second)s", first=signed(a), second=signed(b)) if a is not None else "",
                whole(n),
            )
            for at, value, a, b, n in zip(middle, mean, low, high, tokens, strict=False)
        ]
        where = KINDS.get(kind, kind)
        summary = _(
            "Mean of the signal by tokens from the start of the %(kind)s, in its standard deviations; 95 %% interval.",
            kind=where,
        )
        head = (_("tokens from start"), _("mean (sd)"), _("95 %% interval"), _("tokens"))
        drawn = profile_figure(where, middle, mean, low, high)
        return [View("profile", _("over the %(kind)s", kind=where), drawn, summary, head, rows)]

    def rows(self, score: ScoreInfo) -> list[tuple[str, ...]]:
        """A row for each kind of distance, with its interval and what is left beside the other two."""
        rows: list[tuple[str, ...]] = []
        for kind, held in part(score.data, "kinds").items():
            values = held if isinstance(held, dict) else {}
            if values.get("reason") or one(values, "rho") is None:
                why = why_no_distance(kind, part(values, "reason"), said) if values.get("reason") else _("not measured")
                rows.append((f"{KINDS.get(kind, kind)}: {why}", "", "", "", "", ""))
                continue
            rest = [fixed(one(values, name)) for name in ("partial", "without_first", "chance")]
            rows.append(
                (
                    KINDS.get(kind, kind),
                    fixed(one(values, "rho")),
                    span(one(values, "low"), one(values, "high"), fixed),
                    *rest,
                )
            )
        return rows


VIEW = Position()


def _way(held: Statement, rises: str, falls: str) -> str:
    kind = str(held.get("kind"))
    falling = (one(held, "rho") or 0) < 0
    return filled(falls if falling else rises, {**held, "kind": KINDS.get(kind, kind)})


def kind_of(score: ScoreInfo) -> tuple[str, float | None]:
    """The distance that is shown, and its signed correlation."""
    kinds = {name: held for name, held in part(score.data, "kinds").items() if isinstance(held, dict)}
    shown = score.data.get("kind") or part(score.data, "profile").get("kind")
    if shown not in kinds:
        shown = max(kinds, key=lambda name: abs(one(kinds[name], "rho") or 0.0), default="")
    if not shown:  # in lists there is no evidence
        return str(score.statement.get("kind") or ""), one(score.statement, "rho")
    return str(shown), one(kinds.get(str(shown), {}), "rho")


def profile_figure(kind: str, x: list[float], mean: Numbers, low: Numbers, high: Numbers) -> Figure:
    """Mean of the signal against the distance from the start of `kind`."""
    lines = [band(x, low, high, _("95 %% interval")), line(x, mean, _("mean"), _("%%{x:.0f} tokens: %%{y:.2f} sd"))]
    y = axis(_("mean signal (sd)"), nticks=5, zeroline=True)
    return figure(lines, HEIGHT, axis(_("tokens from start of %(kind)s", kind=kind)), y)
