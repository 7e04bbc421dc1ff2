"""The same answer as `block_answer`, by torch's fused attention.

Near keys, opened tokens and closed splats are three calls. Of closed splats, what is not linear
in the query goes in as a mask.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import SharedOpening, rows_at
from hsa.attention.block_plan import SINKS
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks, block_part
from hsa.attention.closed_splats import closed_splats
from hsa.attention.fused import Part, fused, merged, where_any
from hsa.attention.side_by_side import on_cores


def can_fuse(blocks: Blocks) -> bool:
    """Whether fused attention answers here: on the CPU, in float32, without gradients."""
    same = blocks.k.shape[-1] == blocks.v.shape[-1]
    return same and on_cores(blocks.q, blocks.k, blocks.v, blocks.field.position)


def answer_fused(
    blocks: Blocks, first: int, table: SplatTable, opening: SharedOpening
) -> Float[Tensor, "G R T V"]:
    """Outputs of the blocks under their shared openings."""
    many = table.count.shape[0]
    groups, heads = blocks.q.shape[:2]
    size = blocks.plan.block
    q = block_part(blocks.q, first, many, size).flatten(2, 3)
    output = merged(
        [
            _near(blocks, first, q),
            _far(blocks, first, q, opening),
            _closed(blocks, first, table, opening),
        ]
    )
    return output.view(many, groups, heads, size, -1).movedim(0, 2).flatten(2, 3)


def _near(blocks: Blocks, first: int, q: Tensor) -> Part:
    """A block's own keys up to each query, and the block before."""
    many, size, heads = q.shape[0], blocks.plan.block, blocks.q.shape[1]
    position = torch.arange(size)
    mask = torch.zeros(size, 2 * size)
    mask[:, :size].masked_fill_(position > position.unsqueeze(1), -torch.inf)
    mask = mask.repeat(heads, 1).expand(many, 1, -1, -1)
    if first == 0:
        mask = mask.clone()
        mask[0, ..., size:] = -torch.inf

    def read(kept: Tensor) -> Tensor:
        own, before = block_part(kept, first, many, size), block_part(kept, first - 1, many, size)
        return torch.cat([own, before], dim=2)

    return fused(q, read(blocks.k), read(blocks.v), mask)


def _far(blocks: Blocks, first: int, q: Tensor, opening: SharedOpening) -> Part:
    """Sinks, once they are far, and opened tokens."""
    many, groups, _ = opening.token.shape
    number = torch.arange(first, first + many)[:, None, None]
    there = torch.cat([(number >= 2).expand(-1, groups, SINKS), opening.token_there], dim=2)
    mask = torch.zeros(there.shape).masked_fill(~there, -torch.inf).unsqueeze(2)

    def read(kept: Tensor) -> Tensor:
        sinks = kept[:, :SINKS].expand(many, -1, -1, -1)
        return torch.cat([sinks, rows_at(kept, opening.token)], dim=2)

    return where_any(fused(q, read(blocks.k), read(blocks.v), mask), there)


def _closed(blocks: Blocks, first: int, table: SplatTable, opening: SharedOpening) -> Part:
    """Closed splats: y·x̄ by the product, the rest by the mask."""
    y = block_part(blocks.y, first, len(opening.splat), blocks.plan.block)
    closed = closed_splats(blocks.field, table, opening, blocks.plan.closed_answer)
    mask = closed.log_weight(y).flatten(2, 3)
    part = fused(y.flatten(2, 3), closed.mean, closed.value, mask)
    return where_any(part, closed.log_count > -torch.inf)
