"""Evidence of the classes: one small figure each. Ink is the latent, the grey band is chance."""

from __future__ import annotations

from typing import Any

from app.shared.figures import BANDS, DIM, INK, NEITHER, Figure, as_text, axis, figure

Numbers = list[float | None]
HEIGHT = 230


def band(x: list[float], low: Numbers, high: Numbers, name: str) -> dict[str, Any]:
    """An area between two lines; places without both are left out."""
    known = [
        (at, below, above)
        for at, below, above in zip(x, low, high, strict=False)
        if below is not None and above is not None
    ]
    return {
        "type": "scatter", "mode": "lines", "fill": "toself", "fillcolor": BANDS[INK], "line": {"width": 0},
        "x": [at for at, _low, _high in known] + [at for at, _low, _high in known[::-1]],
        "y": [above for _at, _low, above in known] + [below for _at, below, _high in known[::-1]],
        "hoverinfo": "skip", "name": name,
    }  # fmt: skip


def line(x: list[float], y: Numbers, name: str, text: str, colour: str = INK, **more: Any) -> dict[str, Any]:
    """A line with its hover text."""
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": {"color": colour, "width": 1.8},
        "hovertemplate": f"{text}<extra></extra>", **more,
    }  # fmt: skip


def profile_figure(kind: str, x: list[float], mean: Numbers, low: Numbers, high: Numbers) -> Figure:
    """Position: mean of the signal against the distance from the start of `kind`."""
    lines = [band(x, low, high, "95 % interval"), line(x, mean, "mean", "%{x:.0f} tokens: %{y:.2f} sd")]
    y = axis("mean signal (sd)", nticks=5, zeroline=True)
    return figure(lines, HEIGHT, axis(f"tokens from start of {kind}"), y)


def runs_figure(edges: list[float], observed: Numbers, shuffled: Numbers) -> Figure:
    """Context binding: how long the signal stays on one side, against the same tokens shuffled."""
    steps = {"color": DIM, "width": 1.6, "shape": "hv", "dash": "dot"}
    lines = [
        line(edges, _closed(shuffled), "shuffled", "from %{x} tokens: %{y:,.0f} runs when shuffled", line=steps),
        line(edges, _closed(observed), "observed", "from %{x} tokens: %{y:,.0f} runs",
             line={**steps, "color": INK, "width": 2, "dash": "solid"}),
    ]  # fmt: skip
    x = axis("length of a run (tokens)", type="log", tickvals=edges, ticktext=[f"{edge:,.0f}" for edge in edges])
    return figure(lines, HEIGHT, {**x, "dtick": 1}, axis("runs", type="log", dtick=1, tickformat=","))


def _closed(counts: Numbers) -> Numbers:
    """Steps need the last count twice; a logarithm has no place for none."""
    shown = [count or None for count in counts]
    return [*shown, *shown[-1:]]


def null_figure(k: list[float], alpha: Numbers, low: Numbers, high: Numbers, cut: tuple[float, float] | None) -> Figure:
    """Null space: share of the direction in the k quietest directions of the unembedding; `cut` is (k, height)."""
    lines = [
        band(k, low, high, "90 % of random directions"),
        line(k, alpha, "latent", "k = %{x}: α %{y:.2f}", mode="lines+markers", marker={"color": INK, "size": 5}),
    ]
    if cut is not None:
        lines.append({
            "type": "scatter", "mode": "markers", "x": [cut[0]], "y": [cut[1]], "name": "cut",
            "marker": {"symbol": "line-ew", "size": 22, "line": {"width": 2, "color": DIM}},
            "hovertemplate": "cut at k = %{x}: %{y:.2f}<extra></extra>",
        })  # fmt: skip
    x = axis("k quietest directions", type="log", tickvals=k, ticktext=[f"{at:,.0f}" for at in k], dtick=1)
    return figure(lines, HEIGHT, x, axis("α (share of length)", rangemode="tozero", nticks=5))


def letters_figure(letters: list[str], counts: list[int], cut: float | None, letter: str) -> Figure:
    """Alphabet: first letters of the most promoted tokens; the most frequent one in ink."""
    bars = {
        "type": "bar", "x": [as_text(name) for name in letters], "y": counts,
        "marker": {"color": [INK if name == letter else NEITHER for name in letters], "line": {"width": 0}},
        "hovertemplate": "%{x}: %{y} tokens<extra></extra>",
    }  # fmt: skip
    shapes = [] if cut is None else [cut_line(cut)]
    y = axis("tokens of 100", range=[0, 105], nticks=5)
    return figure([bars], HEIGHT, axis("first letter", type="category"), y, bargap=0.3, shapes=shapes)


def roc_figure(wrong: Numbers, right: Numbers) -> Figure:
    """Content word: share of content words above a bar against share of other words above it."""
    diagonal = line(
        [0, 1], [0, 1], "chance", "chance", line={"color": DIM, "width": 1.2, "dash": "dot"}, hoverinfo="skip"
    )
    own = line(
        [at if at is not None else 0.0 for at in wrong], right, "latent", "%{y:.0%} of content, %{x:.0%} of other words"
    )
    x = axis("other words above the bar", range=[0, 1], tickformat=".0%", nticks=4)
    y = axis("content words above it", range=[0, 1.02], tickformat=".0%", nticks=5)
    return figure([diagonal, own], 260, x, y)


def tags_figure(tags: list[str], auc: list[float], low: Numbers, high: Numbers) -> Figure:
    """Content word: AUC of each part of speech against the rest, with its interval; 0.5 is chance."""
    up = [max(0.0, (top if top is not None else at) - at) for at, top in zip(auc, high, strict=True)]
    down = [max(0.0, at - (bottom if bottom is not None else at)) for at, bottom in zip(auc, low, strict=True)]
    dots = {
        "type": "scatter", "mode": "markers", "x": auc, "y": [as_text(tag) for tag in tags],
        "marker": {"color": INK, "size": 7},
        "error_x": {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": INK,
                    "thickness": 1.2, "width": 0},
        "hovertemplate": "%{y}: AUC %{x:.2f}<extra></extra>",
    }  # fmt: skip
    ends = [
        *auc,
        *(value for value in (*low, *high) if value is not None),
        0.3,
        0.7,
    ]
    x = axis("AUC against all other words", range=[min(ends) - 0.03, max(ends) + 0.03], nticks=5)
    middle = {"type": "line", "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1,
              "line": {"color": DIM, "width": 1.2, "dash": "dot"}}  # fmt: skip
    y = axis(" ", type="category", autorange="reversed")
    return figure([dots], 46 + 22 * len(tags) + 34, x, y, shapes=[middle], margin={"l": 56, "r": 12, "t": 8, "b": 44})


def components_figure(cosines: list[float], variance: Numbers, cut: float | None) -> Figure:
    """Principal component: |cosine| of the direction with each of the first components."""
    bars = {
        "type": "bar", "x": [f"PC{place + 1}" for place in range(len(cosines))], "y": [abs(value) for value in cosines],
        "customdata": [[value, share] for value, share in zip(cosines, variance, strict=False)],
        "marker": {"color": [INK] + [NEITHER] * (len(cosines) - 1), "line": {"width": 0}},
        "hovertemplate": "%{x}: cosine %{customdata[0]:.2f}; %{customdata[1]:.1%} of the variance<extra></extra>",
    }  # fmt: skip
    shapes = [] if cut is None else [cut_line(cut)]
    y = axis("|cosine|", range=[0, 1.02], nticks=5)
    return figure([bars], HEIGHT, axis("principal component", type="category"), y, bargap=0.3, shapes=shapes)


def cut_line(at: float) -> dict[str, Any]:
    """Where the cut lies."""
    dots = {"color": DIM, "width": 1.2, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": at, "y1": at, "line": dots}
