"""Where dense latents lie on the map of decoder directions."""

from __future__ import annotations

from torch import Tensor

from analysis.run.rows.plain import Row, number
from analysis.statistics.plane import plane


def map_summary(columns: dict[str, Tensor], decoder: Tensor) -> Row:
    """Of an SAE: the share of the dense latents' directions that the plane holds, and the place of each of them, and of
    each mirror image of one, as [index, x, y].

    The plane is that of the dense latents; a mirror image that is not dense is only put on it, so that its pair has two
    ends. Nothing where none is dense: then there is no map.
    """
    dense, pair, mirror = (columns[name].cpu() for name in ("is_dense", "is_pair", "mirror"))
    if not dense.any():
        return {}
    shown = dense.clone()
    shown[mirror[dense & pair]] = True
    indices = shown.nonzero().flatten()
    found = plane(decoder[dense.to(decoder.device)])
    places = found.places(decoder[indices.to(decoder.device)])
    # four digits: a hundredth of a pixel, and the last ones differ from machine to machine
    rows = [[index, round(x, 4), round(y, 4)] for index, (x, y) in zip(indices.tolist(), places.tolist(), strict=True)]
    return {"map": {"share": None if found.share is None else number(found.share, 4), "latents": rows}}
