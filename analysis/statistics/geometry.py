"""Facts of the weights alone: antipodal partners, duplicates, bias alignment, promoted tokens."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.statistics.declaration import Statistic

PAIR_CUT = 0.8
_BLOCK = 1024
_LOGIT_ROWS = 128  # latents whose logits over the whole vocabulary are in memory at once

_ALONE = "no_directions"
STATISTICS = (
    Statistic("antipodality", "Antipodality", "", "scalar", "latent",
              "Largest product of encoder cosine and decoder cosine with any other latent of the SAE; near 1, another"
              " latent reads and writes the same line. Both cosines are stored, since the product is also near 1 for"
              " duplicates. By chance about 0.01 to 0.03 at the widths in use.",
              "R", "reported about Sun et al. 2025; both cosines: our own", _ALONE),
    Statistic("partner", "Partner", "", "scalar", "latent",
              "The latent with which the antipodality is reached.", "R", "reported about Sun et al. 2025", _ALONE),
    Statistic("cos_enc", "Encoder cosine", "", "scalar", "latent",
              "Cosine of the encoder directions of the latent and its partner.", "O", "our own", _ALONE),
    Statistic("cos_dec", "Decoder cosine", "", "scalar", "latent",
              "Cosine of the decoder directions of the latent and its partner.", "O", "our own", _ALONE),
    Statistic("mutual", "Mutual", "", "scalar", "latent",
              "Each of the two is the other's partner.", "O", "our own"),
    Statistic("is_pair", "Antipodal pair", "", "scalar", "latent",
              f"Mutual partners with antipodality of at least {PAIR_CUT} and both cosines negative: mirror images.",
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


def partners(encoder: Tensor, decoder: Tensor) -> Partners:
    """Search all pairs of latents in blocks; memory is block x N, never N x N.

    Args:
        encoder, decoder: [N, D] float32; one latent a row.
    """
    e, d = unit_rows(encoder), unit_rows(decoder)
    real = (e.norm(dim=1) > 0.5) & (d.norm(dim=1) > 0.5)
    found = [_block_partners(e, d, real, start) for start in range(0, len(e), _BLOCK)]
    partner, duplicate = (torch.cat([block[n] for block in found]) for n in range(2))
    usable = real & (real.sum() > 1)
    partner = torch.where(usable, partner, -1)
    other = partner.clamp(min=0)
    cos_enc, cos_dec = ((rows * rows[other]).double().sum(1) for rows in (e, d))
    score = torch.where(usable, cos_enc * cos_dec, torch.nan)
    mutual = usable & (partner[other] == torch.arange(len(e), device=e.device))
    is_pair = mutual & (score >= PAIR_CUT) & (cos_enc < 0) & (cos_dec < 0)
    return Partners(
        score,
        partner,
        torch.where(usable, cos_enc, torch.nan),
        torch.where(usable, cos_dec, torch.nan),
        mutual,
        is_pair,
        torch.where(usable, duplicate, -1),
    )


def _block_partners(e: Tensor, d: Tensor, real: Tensor, start: int) -> tuple[Tensor, Tensor]:
    stop = min(start + _BLOCK, len(e))
    cos_enc = e[start:stop] @ e.T
    product = cos_enc * (d[start:stop] @ d.T)
    itself = torch.arange(start, stop, device=e.device)
    product[itself - start, itself] = -torch.inf
    product[:, ~real] = -torch.inf  # a zero row's product of 0 would beat every negative one
    same = torch.where(cos_enc > 0, product, -torch.inf).max(1)
    return product.max(1).indices, torch.where(same.values >= PAIR_CUT, same.indices, -1)


def unit_rows(rows: Tensor) -> Tensor:
    """Rows divided by their length; a zero row stays zero."""
    norms = rows.norm(dim=1, keepdim=True)
    return torch.where(norms > 0, rows / norms.clamp(min=1e-30), torch.zeros_like(rows))


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


def promoted_tokens(decoder: Tensor, unembedding: Tensor, allowed: Tensor, k: int = 20) -> Promoted:
    """logits = W_U^T d for unit decoder directions, less their mean over the allowed tokens, in blocks of latents.

    The mean is taken off because softmax does not see it: what is left says which tokens gain on the others.

    Args:
        decoder: [N, D]. unembedding: [D, vocab] with the final norm's gain folded in.
        allowed: [vocab] bool; special and empty tokens are False.
    """
    barred = ~allowed.to(unembedding.device)
    kept = int(allowed.sum())
    parts: list[tuple[Tensor, ...]] = []
    for rows in unit_rows(decoder).split(_LOGIT_ROWS):  # type: ignore[no-untyped-call]
        logits = (rows @ unembedding).masked_fill_(barred, 0.0)
        logits -= logits.sum(dim=1, keepdim=True) / max(kept, 1)
        high = logits.masked_fill_(barred, -torch.inf).topk(min(k, kept))
        low = logits.masked_fill_(barred, torch.inf).topk(min(k, kept), largest=False)
        parts.append((high.indices, high.values, low.indices, low.values))
    return Promoted(*(torch.cat(column) for column in zip(*parts, strict=True)))
