"""Closed splats of an opening, gathered, and what they weigh for a query (design §5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import SharedOpening, rows_at
from hsa.attention.block_sums import SplatTable
from hsa.field.layer_field import LayerField


@dataclass(frozen=True)
class ClosedSplats:
    """M closed splats of B blocks, padded; `log_count` is -∞ where there is none.

    `weight` is ½τ, the share of a splat's variance that counts for a query head.
    """

    mean: Float[Tensor, "B G M D"]
    variance: Float[Tensor, "B G M D"]
    weight: Float[Tensor, "B G R M"]
    value: Float[Tensor, "B G M V"]
    log_count: Float[Tensor, "B G M"]

    def log_mass(self, y: Float[Tensor, "B G R Q D"]) -> Float[Tensor, "B G R Q M"]:
        """Log n + y·x̄ + ½τ·y²·s² for every query in the frame."""
        return (y @ self.mean.unsqueeze(2).mT) + self.log_weight(y)

    def log_weight(self, y: Float[Tensor, "B G R Q D"]) -> Float[Tensor, "B G R Q M"]:
        """What is not linear in the query: log n + ½τ·y²·s²."""
        heads, queries = y.shape[2:4]
        log_count = self.log_count[:, :, None, None].expand(-1, -1, heads, -1, -1)
        spread = self.variance.unsqueeze(2) * self.weight.unsqueeze(-1)
        found = torch.baddbmm(
            log_count.flatten(0, 2), (y * y).flatten(0, 2), spread.flatten(0, 2).mT
        )
        return found.view(*y.shape[:2], heads, queries, -1)


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
    weight = field.per_splat(0.5 * field.temper).expand(many, -1, -1, -1).gather(3, index)
    there = opening.splat_there & answer
    count = table.count.gather(2, opening.splat).where(there, 0.0)
    return ClosedSplats(mean, variance, weight, value, count.log())
