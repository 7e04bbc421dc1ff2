"""The same answer as `block_answer`, by torch's fused attention: no logits are ever written.

Near keys, opened tokens and closed splats are three calls, merged by their log-sum-exps. Of
closed splats, what is not linear in the query goes in as a mask. On the CPU this takes 0.6 of
the time of plain products (`python -m hsa bench attention`); it gives no gradients.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.attention.block_opening import SharedOpening, level_weights, rows_at
from hsa.attention.block_plan import SINKS
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks, block_part
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
    parts = [_near(blocks, first, q), _far(blocks, first, q, opening)]
    if blocks.plan.closed_answer:
        parts.append(_closed(blocks, first, table, opening))
    output = _merged(parts)
    return output.view(many, groups, heads, size, -1).movedim(0, 2).flatten(2, 3)


Part = tuple[Float[Tensor, "B G n V"], Float[Tensor, "B G n"]]
"""Outputs, and the log of the sum of the weights behind each."""


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Part:
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, False, attn_mask=mask, scale=1.0
    )


def _where_any(part: Part, there: Bool[Tensor, "B G n"]) -> Part:
    """A fused call that may read nothing answers 0, with a log-sum-exp of 0 in place of -∞."""
    output, log = part
    return output, log.masked_fill(~there.any(-1, keepdim=True), -torch.inf)


def _merged(parts: list[Part]) -> Float[Tensor, "B G n V"]:
    """The mean of the parts' outputs, weighted by what is behind them."""
    log = torch.stack([log for _, log in parts])
    weight = log.softmax(0).unsqueeze(-1)
    output = parts[0][0] * weight[0]
    for (part, _), share in zip(parts[1:], weight[1:], strict=True):
        output.addcmul_(part, share)
    return output


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

    return _fused(q, read(blocks.k), read(blocks.v), mask)


def _far(blocks: Blocks, first: int, q: Tensor, opening: SharedOpening) -> Part:
    """Sinks, once they are far, and opened tokens."""
    many, groups, _ = opening.token.shape
    number = torch.arange(first, first + many)[:, None, None]
    there = torch.cat([(number >= 2).expand(-1, groups, SINKS), opening.token_there], dim=2)
    mask = torch.zeros(there.shape).masked_fill(~there, -torch.inf).unsqueeze(2)

    def read(kept: Tensor) -> Tensor:
        sinks = kept[:, :SINKS].expand(many, -1, -1, -1)
        return torch.cat([sinks, rows_at(kept, opening.token)], dim=2)

    return _where_any(_fused(q, read(blocks.k), read(blocks.v), mask), there)


def _closed(blocks: Blocks, first: int, table: SplatTable, opening: SharedOpening) -> Part:
    """Closed splats: y·x̄ by the product, ½τ·y²·s² + log n by the mask."""
    many, groups, most = opening.splat.shape
    size, heads = blocks.plan.block, blocks.q.shape[1]
    at = opening.splat.flatten(0, 1).unsqueeze(0)

    def gathered(of_splat: Tensor) -> Tensor:
        return rows_at(of_splat.flatten(0, 1), at).view(many, groups, most, -1)

    mean, variance, value = (gathered(t) for t in (table.mean, table.variance, table.value))
    count = table.count.gather(2, opening.splat).where(opening.splat_there, 0.0)
    weight = level_weights(blocks.field, 0.5 * blocks.field.temper)
    weight = weight.expand(many, -1, -1, -1)
    weight = weight.gather(3, opening.splat.unsqueeze(2).expand(-1, -1, heads, -1)).unsqueeze(-1)
    y = block_part(blocks.y, first, many, size)
    spread = variance.unsqueeze(2) * weight
    log_count = count.log()[:, :, None, None].expand(-1, -1, heads, -1, -1)
    mask = torch.baddbmm(
        log_count.flatten(0, 2), (y * y).flatten(0, 2), spread.flatten(0, 2).mT
    ).view(many, groups, heads * size, most)
    part = _fused(y.flatten(2, 3), mean, value, mask)
    return _where_any(part, count > 0)
