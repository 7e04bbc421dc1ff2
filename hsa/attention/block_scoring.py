"""Which queries choose what a block opens."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import SharedOpening, choose
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks, block_part
from hsa.attention.masks import only
from hsa.attention.near_blocks import always, always_read, around, around_read

Scoring = tuple[Float[Tensor, "B G R S D"], Float[Tensor, "B G R S"]]
"""Queries in the frame, and the log mass of the near keys of each."""


def shared_opening(blocks: Blocks, first: int, table: SplatTable) -> SharedOpening:
    """What each of some blocks opens: by the block before, or itself in a text read both ways."""
    scoring = _before if blocks.plan.causal else _itself
    y, log_near = scoring(blocks, first, table.count.shape[0])
    return choose(blocks.field, table, blocks.sorted, y, log_near, blocks.plan)


def _before(blocks: Blocks, first: int, many: int) -> Scoring:
    plan = blocks.plan
    size, stride = plan.block, plan.block // plan.scored
    q = block_part(blocks.q, first - 1, many, size)[..., stride - 1 :: stride, :]
    y = block_part(blocks.y, first - 1, many, size)[..., stride - 1 :: stride, :]
    near = block_part(blocks.k, first - 1, many, size)
    position = torch.arange(size, device=q.device)
    seen = only(position <= position[stride - 1 :: stride].unsqueeze(1))
    keys = torch.cat([near, always(blocks, blocks.k, many)], dim=2)
    logits = (q.flatten(2, 3) @ keys.mT).view(*q.shape[:-1], -1)
    logits[..., :size] += seen
    return y, logits.logsumexp(-1)


def _itself(blocks: Blocks, first: int, many: int) -> Scoring:
    """Evenly spaced over the block's queries that are no padding."""
    plan = blocks.plan
    begin = plan.block * torch.arange(first, first + many, device=blocks.k.device).unsqueeze(1)
    real = (blocks.tokens - begin).clamp_max(plan.block)
    turn = torch.arange(1, plan.scored + 1, device=begin.device)
    at = begin + (turn * real // plan.scored - 1).clamp_min(0)
    q, y = (kept[:, :, at].movedim(2, 0) for kept in (blocks.q, blocks.y))
    keys = torch.cat([around(blocks, blocks.k, first, many), always(blocks, blocks.k, many)], 2)
    seen = torch.cat(
        [around_read(blocks, first, many)[:, 0], always_read(blocks, first, many)], dim=-1
    )
    logits = (q.flatten(2, 3) @ keys.mT).view(*q.shape[:-1], -1)
    return y, (logits + only(seen)[:, None, None, None]).logsumexp(-1)
