"""Closed splats of an opening, gathered, and what they weigh for a query (design §5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import SharedOpening, rows_at
from hsa.attention.block_sums import SplatTable
from hsa.attention.tails import SPREAD_TAIL
from hsa.field.layer_field import LayerField


@dataclass(frozen=True)
class ClosedSplats:
    """M closed splats of B blocks, padded; `log_count` is -∞ where there is none.

    With c of `tails.SPREAD_TAIL`, ½τ·u / (1 + c·u) is ½τ/c - ½τ/c / (1 + c·u), which leaves a
    block two passes over its queries and splats.

    Attributes:
        variance: c·s².
        weight: ½τ/c for a query head.
    """

    mean: Float[Tensor, "B G M D"]
    variance: Float[Tensor, "B G M D"]
    weight: Float[Tensor, "B G R M"]
    value: Float[Tensor, "B G M V"]
    log_count: Float[Tensor, "B G M"]

    def log_mass(self, y: Float[Tensor, "B G R Q D"]) -> Float[Tensor, "B G R Q M"]:
        """Log n + y·x̄ + ½τ·u / (1 + c·u) for every query in the frame."""
        return (y @ self.mean.unsqueeze(2).mT) + self.log_weight(y)

    def log_weight(self, y: Float[Tensor, "B G R Q D"]) -> Float[Tensor, "B G R Q M"]:
        """What is not linear in the query: log n + ½τ·u / (1 + c·u)."""
        many, groups, heads, queries, _ = y.shape
        rows = y.flatten(2, 3).flatten(0, 1)
        wide = torch.baddbmm(y.new_ones(1), rows * rows, self.variance.flatten(0, 1).mT)
        limit = (self.log_count.unsqueeze(2) + self.weight).unsqueeze(3)
        narrow = wide.reciprocal().view(many, groups, heads, queries, -1)
        return torch.addcmul(limit, self.weight.unsqueeze(3), narrow, value=-1)


def closed_splats(
    field: LayerField, table: SplatTable, opening: SharedOpening, answer: bool
) -> ClosedSplats:
    """Gather what an opening leaves closed.

    Args:
        answer: whether closed splats say anything at all (`BlockPlan.closed_answer`).
    """
    many, groups, most = opening.splat.shape
    heads = field.temper.shape[1]
    at = opening.splat.flatten(0, 1).unsqueeze(0)

    def gathered(of_splat: Tensor) -> Tensor:
        return rows_at(of_splat.flatten(0, 1), at).view(many, groups, most, -1)

    mean, variance, value = (gathered(t) for t in (table.mean, table.variance, table.value))
    index = opening.splat.unsqueeze(2).expand(-1, -1, heads, -1)
    limit = field.per_splat(0.5 / SPREAD_TAIL * field.temper)
    weight = limit.expand(many, -1, -1, -1).gather(3, index)
    there = opening.splat_there & answer
    count = table.count.gather(2, opening.splat).where(there, 0.0)
    return ClosedSplats(mean, SPREAD_TAIL * variance, weight, value, count.log())
