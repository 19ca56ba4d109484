"""Would the other half of the machines have said the same? Density and labels in two halves of the groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from analysis.field.labels.associate import associate
from analysis.field.labels.columns import FieldColumn
from analysis.field.labels.grouping import FEWEST_GROUPS, dense
from analysis.field.labels.statements import FieldAssociation
from analysis.run.rows.plain import number
from analysis.statistics.sampling import mix_bits
from store.vocabulary import YES

_HALF = 97  # salt


def half_of(group: Tensor) -> Tensor:
    """[n] bool: rows of the one half of the groups [n], drawn by hash; as many groups in either as can be."""
    codes, place = torch.unique(group, return_inverse=True)
    dealt = torch.empty_like(codes)
    dealt[mix_bits(codes, _HALF).argsort()] = torch.arange(len(codes))
    return (dealt % 2 == 0)[place]


def halves(
    acts: Tensor, columns: Sequence[FieldColumn], group: Tensor, order: Tensor | None,
    found: Sequence[Sequence[FieldAssociation]], sparse: Tensor, threshold: float, seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """What each unit does in either half; none where a half has fewer than five groups.

    Args:
        acts: [n, m] float32. group: [n] int64. order: [n] float64, or None.
        found: of each column, what each unit has to do with it in the whole.
        sparse: [m] bool, the units that are the control.
        threshold: of density, above which a unit is dense.

    Returns:
        [m]: `groups` and `density` of either half (share of rows of the sample), `dense`, and of each label that the
        unit follows in the whole `labels`: whether it does in either, and how many sparse units do in both.
    """
    one = half_of(group)
    parts = [one, ~one]
    groups = [len(torch.unique(group[part])) for part in parts]
    if min(groups) < FEWEST_GROUPS:
        return []
    followed = [place for place, of in enumerate(found) if any(each.verdict == YES for each in of)]
    held = [_held(acts, columns, group, order, part, seed) if followed else [] for part in parts]
    density = torch.stack([(acts[part] != 0).double().mean(0) for part in parts])
    both = {place: [all(half[place][unit] for half in held) for unit in range(acts.shape[1])] for place in followed}
    controls = {place: sum(holds for holds, rare in zip(of, sparse.tolist(), strict=True) if rare)
                for place, of in both.items()}  # fmt: skip
    return [
        {
            "groups": groups,
            "density": [number(float(share), 4) for share in density[:, unit]],
            "dense": [bool(share > threshold) for share in density[:, unit]],
            "sparse": int(sparse.sum()),
            "labels": [
                {"name": columns[place].name, "holds": [half[place][unit] for half in held], "sparse": controls[place]}
                for place in followed
                if found[place][unit].verdict == YES
            ],
        }
        for unit in range(acts.shape[1])
    ]


def _held(
    acts: Tensor, columns: Sequence[FieldColumn], group: Tensor, order: Tensor | None, part: Tensor, seed: int
) -> list[list[bool]]:
    """Of each column, whether each unit follows it in this half; all columns, since each is held fixed for others."""
    some = [column._replace(values=column.values[part]) for column in columns]
    found = associate(acts[part], some, dense(group[part]), None if order is None else order[part], seed)
    return [[each.verdict == YES for each in of] for of in found]
