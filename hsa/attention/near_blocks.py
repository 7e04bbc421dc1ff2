"""Near keys of blocks of queries: whole blocks around them, and a few wherever they stand."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.attention.blocks import Blocks, block_part


def around(
    blocks: Blocks, kept: Float[Tensor, "G T F"], first: int, many: int
) -> Float[Tensor, "B G n F"]:
    """What is kept of the keys in the near blocks of blocks first … first+many-1."""
    size = blocks.plan.block
    parts = [block_part(kept, first + offset, many, size) for offset in blocks.plan.around]
    return torch.cat(parts, dim=2)


def around_read(blocks: Blocks, first: int, many: int) -> Bool[Tensor, "B Q n"]:
    """Which keys of `around` each query reads; one block's for all where they are alike.

    None outside of the text, and in a causal one none to come.
    """
    plan, device = blocks.plan, blocks.k.device
    if plan.causal and first > 0:
        many = 1
    position = torch.arange(plan.block, device=device)
    begin = plan.block * torch.arange(first, first + many, device=device)[:, None, None]
    key = begin + torch.cat([position + offset * plan.block for offset in plan.around])
    if plan.causal:
        return (key >= 0) & (key <= begin + position.unsqueeze(1))
    return ((key >= 0) & (key < blocks.tokens)).expand(-1, plan.block, -1)


def always(blocks: Blocks, kept: Float[Tensor, "G T F"], many: int) -> Float[Tensor, "B G S F"]:
    """What is kept of the keys that every query reads, for each of many blocks."""
    return kept[:, blocks.plan.always_near(blocks.tokens)].expand(many, -1, -1, -1)


def always_read(blocks: Blocks, first: int, many: int) -> Bool[Tensor, "B S"]:
    """Which keys of `always` a block reads beside those of `around`, that is, far from it."""
    plan, device = blocks.plan, blocks.k.device
    home = torch.tensor(plan.always_near(blocks.tokens), device=device) // plan.block
    away = torch.arange(first, first + many, device=device).unsqueeze(1) - home
    return away > 1 if plan.causal else away.abs() > 1
