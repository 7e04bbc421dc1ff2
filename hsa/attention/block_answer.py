"""Answer a block of queries under the opening that they share."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hsa.attention.block_opening import LOG2_E, SharedOpening, choose, level_weights, rows_at
from hsa.attention.block_plan import SINKS
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks, block_part


def shared_opening(blocks: Blocks, first: int, table: SplatTable) -> SharedOpening:
    """What each of some blocks opens, by the choice of scoring queries of the block before."""
    plan, many = blocks.plan, table.count.shape[0]
    size, stride = plan.block, plan.block // plan.scored
    q = block_part(blocks.q, first - 1, many, size)[..., stride - 1 :: stride, :]
    y = block_part(blocks.y, first - 1, many, size)[..., stride - 1 :: stride, :]
    near = block_part(blocks.k, first - 1, many, size)
    position = torch.arange(size, device=q.device)
    later = position > position[stride - 1 :: stride].unsqueeze(1)
    rows = q.flatten(2, 3)
    keys = torch.cat([near, blocks.k[:, :SINKS].expand(many, -1, -1, -1)], dim=2)
    logits = (rows @ keys.mT).view(*q.shape[:-1], -1)
    logits[..., :size] += torch.zeros_like(logits[0, 0, 0, :, :size]).masked_fill(later, -torch.inf)
    return choose(blocks.field, table, blocks.sorted, y, logits.logsumexp(-1), plan)


def answer_together(
    blocks: Blocks, first: int, table: SplatTable, opening: SharedOpening
) -> Float[Tensor, "G R T V"]:
    """Outputs of the blocks under their shared openings: two products each way, one softmax."""
    plan, many = blocks.plan, table.count.shape[0]
    size, field = plan.block, blocks.field
    groups, heads = blocks.q.shape[:2]
    q = block_part(blocks.q, first, many, size)
    y = block_part(blocks.y, first, many, size)

    def read(kept: Tensor) -> Tensor:
        sinks = kept[:, :SINKS].expand(many, -1, -1, -1)
        before, own = block_part(kept, first - 1, many, size), block_part(kept, first, many, size)
        return torch.cat([own, before, sinks, rows_at(kept, opening.token)], dim=2).flatten(0, 1)

    k, v = read(blocks.k), read(blocks.v)
    logits = torch.bmm(q.flatten(2, 3).flatten(0, 1), (LOG2_E * k).mT)
    position = torch.arange(size, device=q.device)
    later = torch.zeros(size, size, device=q.device)
    later = later.masked_fill(position > position.unsqueeze(1), -torch.inf)
    logits.unflatten(1, (heads, size))[..., :size] += later

    keys, sums = closed_keys(table, opening, level_weights(field, 0.5 * field.temper))
    wide = torch.cat([LOG2_E * y, LOG2_E * y * y], -1)
    masses = torch.bmm(wide.flatten(0, 2), keys.mT).view(many * groups, heads * size, -1)
    there = _there(blocks, first, opening).flatten(0, 1).unsqueeze(1)
    logits.masked_fill_(~there, -torch.inf)
    shut = (opening.splat_there & plan.closed_answer).flatten(0, 1).unsqueeze(1)
    masses.masked_fill_(~shut, -torch.inf)
    top = torch.maximum(logits.amax(-1, True), masses.amax(-1, True)).detach()
    weights, shares = logits.sub_(top).exp2_(), masses.sub_(top).exp2_()
    there = there.mT.to(v.dtype)
    # The last column sums the weights: cheaper than a product with it alone.
    output = torch.baddbmm(torch.bmm(weights, torch.cat([v * there, there], -1)), shares, sums)
    output = output[..., :-1] / output[..., -1:]
    return output.view(many, groups, heads, size, -1).movedim(0, 2).flatten(2, 3)


def _there(blocks: Blocks, first: int, opening: SharedOpening) -> Bool[Tensor, "B G n"]:
    """Which keys of the gather are there: none before the text, no sink twice, no padding."""
    many, groups, _ = opening.token.shape
    size = blocks.plan.block
    block = torch.arange(first, first + many, device=opening.token.device)[:, None, None]
    return torch.cat(
        [
            (block >= 0).expand(-1, groups, size),
            (block >= 1).expand(-1, groups, size),
            (block >= 2).expand(-1, groups, SINKS),
            opening.token_there,
        ],
        dim=2,
    )


def closed_keys(
    table: SplatTable, opening: SharedOpening, temper: Float[Tensor, "G R N"]
) -> tuple[Float[Tensor, "BGR M 2D"], Float[Tensor, "BG M V+1"]]:
    """Closed splats as keys (x̄, ½τs²) of queries (y, y²), and n·v̄ beside n; 0 for padding."""
    many = opening.splat.shape[0]
    heads = temper.shape[1]
    at = opening.splat.flatten(0, 1).unsqueeze(0)

    def gathered(of_splat: Tensor) -> Tensor:
        return rows_at(of_splat.flatten(0, 1), at).squeeze(0)

    mean, variance, value = (gathered(t) for t in (table.mean, table.variance, table.value))
    index = opening.splat.unsqueeze(2).expand(-1, -1, heads, -1)
    weight = temper.expand(many, -1, -1, -1).gather(3, index).flatten(0, 1).unsqueeze(-1)
    keys = torch.cat(
        [mean.unsqueeze(1).expand(-1, heads, -1, -1), variance.unsqueeze(1) * weight], dim=-1
    )
    count = table.count.gather(2, opening.splat).where(opening.splat_there, 0.0)
    count = count.flatten(0, 1).unsqueeze(2)
    return keys.flatten(0, 1), torch.cat([value * count, count], -1)
