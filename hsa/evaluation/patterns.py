"""What a head's standard attention does, in four numbers per query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class RowPatterns:
    """Pattern scores of each query's attention row; NaN where a score means nothing.

    Attributes:
        entropy: -Σ_j A_ij ln A_ij, in nats; 0 when one key takes all.
        sink: A_i0, the mass on the first token of the text; NaN for the first token itself.
        previous: A_i,i-1, the mass on the token just before; NaN for the first token.
        induction: Σ A_ij over the keys j ≤ i whose previous token j - 1 has the id of token i,
            so the mass on what came after earlier occurrences; NaN where there is none.
    """

    entropy: Float[Tensor, "H Q"]
    sink: Float[Tensor, "H Q"]
    previous: Float[Tensor, "H Q"]
    induction: Float[Tensor, "H Q"]


def row_patterns(
    weights: Float[Tensor, "H Q T"],
    queries: Int[Tensor, " Q"],
    after_same: Bool[Tensor, "Q T"],
) -> RowPatterns:
    """The four scores of every row.

    Args:
        weights: A of standard attention; rows sum to one.
        queries: position of each row in the text.
        after_same: the induction targets of each row, from `after_same_token`.
    """
    positive = weights.clamp_min(torch.finfo(weights.dtype).tiny)
    first = queries == 0
    before = (queries - 1).clamp_min(0).view(1, -1, 1).expand(weights.shape[0], -1, 1)
    previous = weights.gather(2, before).squeeze(2)
    induction = (weights * after_same).sum(-1)
    return RowPatterns(
        entropy=-(weights * positive.log()).sum(-1),
        sink=weights[:, :, 0].masked_fill(first, torch.nan),
        previous=previous.masked_fill(first, torch.nan),
        induction=induction.masked_fill(~after_same.any(-1), torch.nan),
    )


def after_same_token(ids: Sequence[int], queries: Int[Tensor, " Q"]) -> Bool[Tensor, "Q T"]:
    """For query i, the keys j ≤ i with ids[j - 1] = ids[i] and j - 1 < i."""
    tokens = torch.tensor(ids, device=queries.device)
    same = torch.zeros(queries.numel(), len(ids), dtype=torch.bool, device=queries.device)
    same[:, 1:] = tokens[queries].unsqueeze(1) == tokens[:-1]
    keys = torch.arange(len(ids), device=queries.device)
    return same & (keys <= queries.unsqueeze(1))
