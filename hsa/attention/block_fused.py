"""The same answer as `block_answer`, by torch's fused attention.

Near keys, opened tokens and closed splats are three calls. Of closed splats, what is not linear
in the query goes in as a mask.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import SharedOpening, rows_at
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks, block_part
from hsa.attention.closed_splats import closed_splats
from hsa.attention.fused import Part, fused, merged, where_any
from hsa.attention.masks import only
from hsa.attention.near_blocks import always, always_read, around, around_read
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
    """The blocks around."""
    many, heads = q.shape[0], blocks.q.shape[1]
    mask = only(around_read(blocks, first, many)).repeat(1, heads, 1).unsqueeze(1)
    mask = mask.expand(many, -1, -1, -1)
    k, v = (around(blocks, kept, first, many) for kept in (blocks.k, blocks.v))
    return fused(q, k, v, mask)


def _far(blocks: Blocks, first: int, q: Tensor, opening: SharedOpening) -> Part:
    """Keys that every query reads, where they lie outside, and opened tokens."""
    many, groups, _ = opening.token.shape
    there = always_read(blocks, first, many).unsqueeze(1).expand(-1, groups, -1)
    there = torch.cat([there, opening.token_there], dim=2)

    def read(kept: Tensor) -> Tensor:
        return torch.cat([always(blocks, kept, many), rows_at(kept, opening.token)], dim=2)

    return where_any(fused(q, read(blocks.k), read(blocks.v), only(there).unsqueeze(2)), there)


def _closed(blocks: Blocks, first: int, table: SplatTable, opening: SharedOpening) -> Part:
    """Closed splats: y·x̄ by the product, the rest by the mask."""
    y = block_part(blocks.y, first, len(opening.splat), blocks.plan.block)
    closed = closed_splats(blocks.field, table, opening, blocks.plan.closed_answer)
    mask = closed.log_weight(y).flatten(2, 3)
    part = fused(y.flatten(2, 3), closed.mean, closed.value, mask)
    return where_any(part, closed.log_count > -torch.inf)
