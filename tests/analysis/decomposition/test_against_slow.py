"""The same numbers the slow way: plain cross-validation, one signal, fold and strength at a time, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.decomposition.decompose import SOURCES, decompose, prepared
from analysis.decomposition.design import SEPARATE, Design
from analysis.decomposition.folds import FOLDS
from analysis.decomposition.past import FEW, HALF_LIVES, SKIPPED, WINDOW
from analysis.decomposition.ridge import STRENGTHS
from analysis.decomposition.words import SHRINKAGE
from tests.planted_sources import text

Array = NDArray[np.float64]
Fit = Callable[[NDArray[np.bool_], float], Array]  # training tokens, setting -> prediction of all tokens


def chosen(fold: NDArray[np.int64], goal: Array, fit: Fit, settings: tuple[float, ...]) -> Array:
    """Each fold with the setting that has the least error on the other folds, or nothing."""
    made = {setting: np.zeros_like(goal) for setting in settings}
    for setting in settings:
        for number in range(FOLDS):
            made[setting][fold == number] = fit(fold != number, setting)[fold == number]
    out = np.zeros_like(goal)
    for number in range(FOLDS):
        other = fold != number
        errors = {s: np.sum((goal - m)[other] ** 2) - np.sum(goal[other] ** 2) for s, m in made.items()}
        best = min(errors, key=lambda setting: errors[setting])
        if errors[best] < 0:
            out[fold == number] = made[best][fold == number]
    return out


def ridge(fold: NDArray[np.int64], x: Array, goal: Array) -> Array:
    """Ridge regression on the columns of `x`."""

    def fit(train: NDArray[np.bool_], strength: float) -> Array:
        gram = x[train].T @ x[train]
        penalty = strength * np.trace(gram) / len(gram) * np.eye(len(gram))
        result: Array = x @ np.linalg.solve(gram + penalty, x[train].T @ goal[train])
        return result

    return chosen(fold, goal, fit, STRENGTHS)


def by_word(fold: NDArray[np.int64], token: NDArray[np.int64], x: Array, goal: Array) -> Array:
    """The embedding, then the mean of what is left of the type."""
    linear = ridge(fold, x, goal)
    out = linear.copy()
    made = {setting: np.zeros_like(goal) for setting in SHRINKAGE}
    for kind in np.unique(token):
        for number in range(FOLDS):
            here, rest = (token == kind) & (fold == number), (token == kind) & (fold != number)
            if here.any():
                for setting in SHRINKAGE:
                    made[setting][here] = (goal[rest] - linear[here][0]).sum() / (rest.sum() + setting)
    left = goal - linear
    for number in range(FOLDS):
        other = fold != number
        errors = {s: np.sum((left - m)[other] ** 2) - np.sum(left[other] ** 2) for s, m in made.items()}
        best = min(errors, key=lambda setting: errors[setting])
        if errors[best] < 0:
            out[fold == number] += made[best][fold == number]
    return out


def own_values(design: Design, goal: Array, half_life: float) -> list[Array]:
    """Past, context and document, token by token."""
    starts, context = design.runs.starts.numpy(), design.runs.context.numpy()
    document = design.runs.document.numpy()[context]
    past, around, elsewhere = (np.zeros_like(goal) for _ in range(3))
    for place in range(len(goal)):
        begin = starts[context[place]]
        before = np.arange(begin, max(begin, place - SKIPPED))
        weight = 0.5 ** ((place - SKIPPED - 1 - before) / half_life)
        past[place] = (weight * goal[before]).sum() / (weight.sum() + FEW)
        same = np.flatnonzero(context == context[place])
        far = same[np.abs(same - place) > WINDOW]
        around[place] = goal[far].sum() / (len(far) + FEW)
        away = (document == document[place]) & (context != context[place])
        elsewhere[place] = goal[away].sum() / (away.sum() + FEW)
    return [past, around, elsewhere]


def least_squares(fold: NDArray[np.int64], columns: list[Array], goal: Array) -> Array:
    """Of few columns, each fold fitted on the others."""
    x, out = np.stack(columns, 1), np.zeros_like(goal)
    for number in range(FOLDS):
        train = fold != number
        out[fold == number] = x[fold == number] @ np.linalg.lstsq(x[train], goal[train], rcond=None)[0]
    return out


def test_equal_to_a_slow_cross_validation() -> None:
    made = text(3, documents=10, size=24)
    design = made.design()
    signal = (made.of_type(False) + made.slow(12) + made.norm.log()[:, None] + made.noise())[design.rows]
    norm, ordinary = made.norm[design.rows], torch.ones(len(design.rows), dtype=torch.bool)
    ordinary[5] = False
    found = decompose(design, norm, ordinary, signal)

    fold = np.repeat(np.arange(FOLDS), design.sizes)
    token = made.sample.token[design.rows].numpy()
    vectors = design.words.vectors.double().numpy()[np.unique(token, return_inverse=True)[1]]
    goal = prepared(signal, ordinary)[:, 0].double().numpy()
    word = by_word(fold, token, vectors, goal)
    left, alone, earlier = [goal, goal - word], [word], np.zeros((len(goal), 0))
    for source in design.with_norm(norm).values():
        x = source.alone.values.double().numpy()
        beyond = np.stack([column - by_word(fold, token, vectors, column) for column in x.T], 1)
        gram = earlier.T @ earlier + SEPARATE * len(goal) * np.eye(earlier.shape[1])
        beyond -= earlier @ np.linalg.solve(gram, earlier.T @ beyond)
        earlier = np.concatenate([earlier, beyond], 1)
        left.append(left[-1] - ridge(fold, beyond, left[-1]))
        alone.append(ridge(fold, x, goal))
    rest = left[-1]
    best = max(HALF_LIVES, key=lambda tokens: goes_with(own_values(design, rest, tokens)[0], rest))
    columns = own_values(design, rest, best)
    left += [rest - least_squares(fold, columns[:count], rest) for count in (1, 2, 3)]
    alone += [least_squares(fold, [column], goal) for column in own_values(design, goal, best)]

    counted = ordinary.numpy()
    squares = [np.sum(part[counted] ** 2) for part in left]
    added = -np.diff(squares) / squares[0]
    single = [1 - np.sum((goal - one)[counted] ** 2) / squares[0] for one in alone]
    assert len(SOURCES) == len(added) == len(single)
    assert found.added.share[:, 0].numpy() == pytest.approx(added, abs=2e-3)
    assert found.alone.share[:, 0].numpy() == pytest.approx(np.array(single), abs=2e-3)
    assert float(found.total.share) == pytest.approx(1 - squares[-1] / squares[0], abs=2e-3)


def goes_with(column: Array, goal: Array) -> float:
    """How much of the goal one column says, on all tokens."""
    return float((column @ goal) ** 2 / (column @ column))
