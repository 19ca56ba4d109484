"""Facts of the weights alone: antipodal partners, duplicates, bias alignment, promoted tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.statistics.declaration import Statistic
from analysis.statistics.partner_search import Nearest, search

PAIR_CUT = 0.8
SAME_CUT = 0.95  # both cosines above it: the same latent twice, which is no rival of a mirror image
PARTNER_CUT = 0.2  # well above chance (0.01 to 0.03): a partner below it is nobody's mirror image
_BLOCK = 256
_SIGNS = 1.0, -1.0
_LOGIT_ROWS = 128  # latents whose logits over the whole vocabulary are in memory at once
_GROUP = 64  # tokens that are looked at together first

_ALONE = "no_directions"
STATISTICS = (
    Statistic("antipodality", "Antipodality", "", "scalar", "latent",
              "Largest product of encoder cosine and decoder cosine with any other latent of the SAE; near 1, another"
              " latent reads and writes the same line. Both cosines are stored, since the product is also near 1 for"
              " duplicates. By chance about 0.01 to 0.03 at the widths in use.",
              "R", "reported about Sun et al. 2025; both cosines: our own", _ALONE),
    Statistic("partner", "Partner", "", "scalar", "latent",
              "The latent with which the antipodality is reached. A latent that points the same way gives its place to"
              f" a mirror image: where the nearest mirror image has a product of at least {PAIR_CUT}, or of at least"
              f" {PARTNER_CUT} while both cosines with the other exceed {SAME_CUT}, it is the partner, and the"
              " antipodality is its product.", "R", "reported about Sun et al. 2025; mirror before duplicate: our own",
              _ALONE),
    Statistic("mirror", "Nearest mirror image", "", "scalar", "latent",
              "The latent with the largest cosine product among those with both cosines negative.", "O", "our own",
              "no_mirror"),
    Statistic("mirror_score", "Product with the nearest mirror image", "", "scalar", "latent",
              "Encoder cosine times decoder cosine, both negative, with the nearest mirror image.", "O", "our own",
              "no_mirror"),
    Statistic("duplicate_score", "Product with the nearest copy", "", "scalar", "latent",
              "Largest product of encoder cosine and decoder cosine, both positive, with any other latent.", "O",
              "our own", "no_copy"),
    Statistic("cos_enc", "Encoder cosine", "", "scalar", "latent",
              "Cosine of the encoder directions of the latent and its partner.", "O", "our own", _ALONE),
    Statistic("cos_dec", "Decoder cosine", "", "scalar", "latent",
              "Cosine of the decoder directions of the latent and its partner.", "O", "our own", _ALONE),
    Statistic("mutual", "Mutual", "", "scalar", "latent",
              "Each of the two is the other's partner.", "O", "our own"),
    Statistic("is_pair", "Antipodal pair", "", "scalar", "latent",
              f"Each is the other's nearest mirror image, with a product of at least {PAIR_CUT} and both cosines"
              " negative. A copy of one of the two is no rival: it is a near-duplicate, and the pair stands.",
              "O", "our own"),
    Statistic("duplicate_of", "Near-duplicate", "", "scalar", "latent",
              f"The latent with the largest cosine product of at least {PAIR_CUT} and both cosines positive: the same"
              " direction twice, not a mirror image.", "O", "our own"),
    Statistic("cos_bias", "Cosine with the SAE's bias", "", "scalar", "latent",
              "Cosine of the decoder direction with b_dec; dense latents tend to align with it.",
              "P", "the paper's workshop version", "no_bias"),
    Statistic("decoder_norm", "Decoder norm", "", "scalar", "latent",
              "Length of the decoder direction.", "O", "common usage"),
    Statistic("promoted", "Promoted tokens", "logit", "tokens", "latent",
              "Tokens whose logit rises most per unit of decoder direction, straight through the final norm's gain and"
              " the unembedding, less the mean over all tokens (the norm's scale left out).",
              "O", "the logit lens, common usage"),
    Statistic("suppressed", "Suppressed tokens", "logit", "tokens", "latent",
              "Tokens whose logit falls most, by the same measure.", "O", "the logit lens, common usage"),
)  # fmt: skip


class Partners(NamedTuple):
    """[N] each. NaN cosines and score, partner -1, where the SAE has no encoder or a direction is zero."""

    score: Tensor  # float64
    partner: Tensor  # int64
    cos_enc: Tensor  # float64
    cos_dec: Tensor  # float64
    mutual: Tensor  # bool
    is_pair: Tensor  # bool
    duplicate_of: Tensor  # int64, -1: none
    duplicate_score: Tensor  # float64: of the nearest with both cosines positive, NaN: none
    mirror: Tensor  # int64: the nearest with both cosines negative, -1: none
    mirror_score: Tensor  # float64


def partners(encoder: Tensor, decoder: Tensor) -> Partners:
    """Search all pairs of latents in tiles; memory is a tile, never N x N.

    Args:
        encoder, decoder: [N, D] float32; one latent a row.
    """
    e, d = unit_rows(encoder), unit_rows(decoder)
    found = Nearest.empty(len(e), e.device)
    for _products in search(e, d, found):
        pass
    return named(e, d, found)


def named(e: Tensor, d: Tensor, found: Nearest) -> Partners:
    """What the nearest on each side are called.

    Args:
        e, d: [N, D] float32 unit rows.
        found: of all N.
    """
    real = (e.norm(dim=1) > 0.5) & (d.norm(dim=1) > 0.5)
    same, mirror = found.same.other, found.mirror.other
    nearest = _nearest(e, d, real, found)
    usable = real & (real.sum() > 1)
    to_same, to_mirror = (_cosines(e, d, other) for other in (same, mirror))
    matched = (mirror >= 0) & (mirror[mirror.clamp(min=0)] == torch.arange(len(e), device=e.device))
    is_pair = usable & matched & (to_mirror.product >= PAIR_CUT)
    twin = (same == nearest) & (to_same.enc > SAME_CUT) & (to_same.dec > SAME_CUT)
    turned = (to_mirror.product >= PAIR_CUT) | (twin & (to_mirror.product >= PARTNER_CUT))
    partner = torch.where(usable, torch.where(turned, mirror, nearest), -1)
    to_partner = _cosines(e, d, partner)
    mutual = usable & (partner[partner.clamp(min=0)] == torch.arange(len(e), device=e.device))
    return Partners(
        to_partner.product,
        partner,
        to_partner.enc,
        to_partner.dec,
        mutual,
        is_pair,
        torch.where(to_same.product >= PAIR_CUT, same, -1),
        to_same.product,
        mirror,
        to_mirror.product,
    )


def _nearest(e: Tensor, d: Tensor, real: Tensor, found: Nearest) -> Tensor:
    """[N] int64: by the largest product of all, the lower index at a tie; -1: no other latent."""
    same, mirror = found.same, found.mirror
    first = torch.minimum(same.other, mirror.other)
    nearest = torch.where(same.product > mirror.product, same.other, mirror.other)
    nearest = torch.where((same.product == mirror.product) & (first >= 0), first, nearest)
    alone = torch.nonzero(real & (nearest < 0)).flatten()  # no product above zero: an SAE of a few latents
    for rows in alone.split(_BLOCK):  # type: ignore[no-untyped-call]
        product = (e[rows] @ e.T) * (d[rows] @ d.T)
        product[torch.arange(len(rows), device=e.device), rows] = -torch.inf
        product[:, ~real] = -torch.inf  # a zero row's product of 0 would beat every negative one
        best = product.max(1)
        nearest[rows] = torch.where(best.values > -torch.inf, best.indices, -1)
    return nearest


class _Cosines(NamedTuple):
    """[N] float64 each, NaN where there is no other latent."""

    enc: Tensor
    dec: Tensor

    @property
    def product(self) -> Tensor:
        return self.enc * self.dec


def _cosines(e: Tensor, d: Tensor, other: Tensor) -> _Cosines:
    """With one other latent each [N] int64, -1: none."""
    there = other.clamp(min=0)
    return _Cosines(*(torch.where(other >= 0, (rows * rows[there]).double().sum(1), torch.nan) for rows in (e, d)))


def unit_rows(rows: Tensor) -> Tensor:
    """Rows divided by their length; a zero row stays zero."""
    norms = rows.norm(dim=1, keepdim=True).clamp(min=1e-30)
    unit: Tensor = rows / norms
    return unit.contiguous()


def bias_cosine(decoder: Tensor, bias: Tensor | None) -> Tensor:
    """Cosine of each decoder row with b_dec: [N] float64, NaN where there is no bias, or it or the row is zero."""
    nothing = torch.full((len(decoder),), torch.nan, dtype=torch.float64, device=decoder.device)
    if bias is None or float(bias.norm()) == 0:
        return nothing
    cosine = (unit_rows(decoder) @ (bias / bias.norm())).double()
    return torch.where(decoder.norm(dim=1) > 0, cosine, nothing)


def columns(found: Partners, decoder: Tensor, bias: Tensor | None) -> dict[str, Tensor]:
    """What a latent's row has of the weights: column of the store -> [N]."""
    kept = {name: part for name, part in found._asdict().items() if name != "score"}
    return {
        "antipodality": found.score, **kept,
        "cos_bias": bias_cosine(decoder, bias), "decoder_norm": decoder.norm(dim=1).double(),
    }  # fmt: skip


class Promoted(NamedTuple):
    """The k tokens of each latent whose logit rises or falls most: [N, k] each."""

    promoted: Tensor  # int64
    promoted_logit: Tensor  # float32
    suppressed: Tensor  # int64
    suppressed_logit: Tensor  # float32


def promoted_tokens(
    decoder: Tensor, unembedding: Tensor, allowed: Tensor, k: int = 20, step: Callable[[int], None] | None = None
) -> Promoted:
    """logits = W_U^T d for unit decoder directions, less their mean over the allowed tokens, in blocks of latents.

    The mean is taken off because softmax does not see it: what is left says which tokens gain on the others.

    Args:
        decoder: [N, D]. unembedding: [D, vocab] with the final norm's gain folded in.
        allowed: [vocab] bool; special and empty tokens are False.
        step: told the number of latents after every block.
    """
    vocabulary, n = unembedding.shape[1], len(decoder)
    barred = torch.nonzero(~allowed).flatten().to(unembedding.device)
    k = min(k, vocabulary - len(barred))
    mean = (unembedding @ allowed.to(unembedding)) / max(vocabulary - len(barred), 1)
    wide = torch.empty(min(n, _LOGIT_ROWS), -(-vocabulary // _GROUP) * _GROUP, device=unembedding.device)
    # written in place: small results that are kept between large ones that are not leave gaps in the heap
    sides = [(decoder.new_empty(n, k, dtype=torch.int64), decoder.new_empty(n, k)) for _sign in _SIGNS]
    for start in range(0, n, _LOGIT_ROWS):
        rows = unit_rows(decoder[start : start + _LOGIT_ROWS])
        here = slice(start, start + len(rows))
        logits = wide[: len(rows)]
        torch.mm(rows, unembedding, out=logits[:, :vocabulary])
        centre = (rows @ mean)[:, None]
        for sign, (indices, values) in zip(_SIGNS, sides, strict=True):
            logits.mul_(sign)
            logits[:, vocabulary:] = -torch.inf
            logits.index_fill_(1, barred, -torch.inf)
            found, indices[here] = _largest(logits, k)
            values[here] = sign * found - centre
            logits.index_fill_(1, barred, 0.0)
        if step is not None:
            step(len(rows))
    return Promoted(*sides[0], *sides[1])


def _largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """As `values.topk(k)` of [r, V], a multiple of the group: the k largest stand in the k groups with the largest."""
    groups = values.view(len(values), -1, _GROUP)
    best = groups.amax(2).topk(min(k, groups.shape[1])).indices.sort(1).values
    chosen = groups.gather(1, best[:, :, None].expand(-1, -1, _GROUP)).flatten(1)
    found = chosen.topk(k)
    return found.values, best.gather(1, found.indices // _GROUP) * _GROUP + found.indices % _GROUP


def span(rows: Tensor, energy: float) -> Tensor:
    """Orthonormal basis [d, r] of what the rows [n, d] span: the first right singular vectors of the rows at unit
    length that hold a share `energy` of their squared singular values.
    """
    _left, values, right = torch.linalg.svd(unit_rows(rows).double(), full_matrices=False)
    kept = values.square().cumsum(0) / values.square().sum()
    r = int((kept < energy - 1e-12).sum()) + 1
    basis: Tensor = right[:r].T.contiguous()
    return basis


def principal_cosines(one: Tensor, other: Tensor) -> Tensor:
    """Cosines of the principal angles between the spans of two orthonormal bases [d, r], [d, s], largest first."""
    found: Tensor = torch.linalg.svdvals(one.double().T @ other.double()).clamp(max=1.0)
    return found


def held(basis: Tensor, other: Tensor) -> float:
    """The mean share of a direction of the first span [d, r] that lies in the other one [d, s]; s / d by chance."""
    return float(principal_cosines(basis, other).square().sum()) / basis.shape[1]
