"""Answer a block of queries under the opening that they share."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import LOG2_E, SharedOpening, rows_at
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks, block_part
from hsa.attention.closed_splats import closed_splats
from hsa.attention.masks import only
from hsa.attention.near_blocks import always, always_read, around, around_read


def answer_together(
    blocks: Blocks, first: int, table: SplatTable, opening: SharedOpening
) -> Float[Tensor, "G R T V"]:
    """Outputs of the blocks under their shared openings: two products each way, one softmax."""
    plan, many = blocks.plan, table.count.shape[0]
    groups, heads = blocks.q.shape[:2]
    q = block_part(blocks.q, first, many, plan.block)
    y = block_part(blocks.y, first, many, plan.block)

    def read(kept: Tensor) -> Tensor:
        parts = around(blocks, kept, first, many), always(blocks, kept, many)
        return torch.cat([*parts, rows_at(kept, opening.token)], dim=2)

    k, v = read(blocks.k), read(blocks.v)
    near = only(around_read(blocks, first, many))[:, None, None]
    there = always_read(blocks, first, many).unsqueeze(1).expand(-1, groups, -1)
    far = only(torch.cat([there, opening.token_there], dim=-1))[:, :, None, None]
    logits = (q.flatten(2, 3) @ (LOG2_E * k).mT).unflatten(2, (heads, plan.block))
    logits[..., : near.shape[-1]] += near
    logits[..., near.shape[-1] :] += far

    closed = closed_splats(blocks.field, table, opening, plan.closed_answer)
    masses = LOG2_E * closed.log_mass(y)
    top = torch.maximum(logits.amax(-1, True), masses.amax(-1, True)).detach()
    weights, shares = (part.sub_(top).exp2_().flatten(2, 3) for part in (logits, masses))
    # The last column sums the weights: cheaper than a product with it alone.
    output = weights @ torch.nn.functional.pad(v, (0, 1), value=1.0)
    splats = shares @ closed.value
    output = (output[..., :-1] + splats) / (output[..., -1:] + shares.sum(-1, True))
    return output.view(many, groups, heads, plan.block, -1).movedim(0, 2).flatten(2, 3)
