"""`--head`: the weights of what reads the matrix, from a file of numbers; never a pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.errors import BadFile, UserError
from analysis.field.columns import Column
from analysis.field.needed import Head

KINDS = ".npy (weights), .npz or .safetensors (weight, and bias if there is one)"
_WEIGHTS, _BIASES = ("weight", "coef_", "coef"), ("bias", "intercept_", "intercept")


def read_head(path: str, width: int, label: Column) -> Head:
    """Weights [units, classes] or [units, 1], or turned as PyTorch's and scikit-learn's are, and a bias.

    Args:
        width: of the matrix.
        label: what it predicts: a number or true/false by one column; a category by one for each value, in their order.

    Raises:
        BadFile: no such file, another kind, other shapes, values that are not finite.
    """
    where = Path(path).expanduser()
    arrays = _arrays(where)
    weight = next((arrays[name] for name in _WEIGHTS if name in arrays), None)
    bias = next((arrays[name] for name in _BIASES if name in arrays), None)
    if weight is None:
        raise BadFile(where, f"an array '{_WEIGHTS[0]}'", ", ".join(sorted(arrays)[:6]) or "none")
    weight = np.asarray(weight, np.float64)
    weight = weight[:, None] if weight.ndim == 1 else weight
    turned = where.suffix.lower() != ".npy"  # PyTorch and scikit-learn have classes first
    if weight.ndim == 2 and weight.shape[1] == width and (weight.shape[0] != width or turned):
        weight = weight.T
    if weight.ndim != 2 or weight.shape[0] != width:
        raise BadFile(
            where, f"weights [{width}, classes], a row for each column of the matrix", str(list(weight.shape))
        )
    classes = _classes(label)
    if weight.shape[1] not in classes:
        wanted = " or ".join(map(str, classes))
        raise BadFile(where, f"{wanted} columns of weights for '{label.name}' ({label.kind})", str(weight.shape[1]))
    bias = np.zeros(weight.shape[1]) if bias is None else np.asarray(bias, np.float64).reshape(-1)
    if bias.shape != weight.shape[1:]:
        raise BadFile(where, f"a bias of {weight.shape[1]} numbers", str(len(bias)))
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise BadFile(where, "finite weights", "NaN or infinity")
    return Head(torch.from_numpy(np.ascontiguousarray(weight)), torch.from_numpy(bias))


def _classes(label: Column) -> list[int]:
    if label.kind == "category":
        return [len(label.levels)]
    if label.kind in ("number", "boolean"):
        return [1] if label.kind == "number" else [1, 2]
    raise UserError(f"--head-label {label.name}: expected a number, true/false or a category; found {label.kind}")


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Arrays of a file by name."""
    if not path.is_file():
        raise BadFile(path, f"weights: {KINDS}", "no such file")
    kind = path.suffix.lower()
    try:
        if kind == ".npy":
            return {_WEIGHTS[0]: np.load(path, allow_pickle=False)}
        if kind == ".npz":
            with np.load(path, allow_pickle=False) as packed:
                return {name: packed[name] for name in packed.files}
        if kind == ".safetensors":
            from safetensors.torch import load_file

            found = {name: tensor.double().numpy() for name, tensor in load_file(path).items()}
            made = {name.rsplit(".", 1)[-1]: array for name, array in found.items()}
            if len(made) < len(found):
                raise BadFile(path, "the weights of one layer", ", ".join(sorted(found)[:6]))
            return made
    except BadFile:
        raise
    except Exception as error:  # SafetensorError derives from Exception alone
        raise BadFile(path, f"weights: {KINDS}", str(error).splitlines()[0]) from error
    raise BadFile(
        path, f"weights: {KINDS}", f"'{path.suffix}'; of a scikit-learn model save coef_ and intercept_ by numpy.savez"
    )
