"""Blocked HSA: queries of a block share what they open; linear in T (design §6, `block`).

The meaning is the reference's at the same cut, without the tilt where a block shares it. Blocks
are cut at multiples of B; block b reads the sinks and the keys from (b-1)·B on as tokens, and of
the far keys before them what queries of block b-1 chose, or, in heads whose queries open for
themselves, what each query chooses. Nothing later is looked at, so an output depends on nothing
that comes after it, to the last bit.

A text that is read both ways has no such order: its blocks read the block after them as well,
know the far keys on both sides, and choose for themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_answer import answer_together
from hsa.attention.block_fused import answer_fused, can_fuse
from hsa.attention.block_opening import SharedOpening, choosing_reads
from hsa.attention.block_plan import BlockPlan
from hsa.attention.block_scoring import shared_opening
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks, into_blocks, tables
from hsa.attention.own_opening import answer_alone
from hsa.attention.side_by_side import side_by_side
from hsa.field.layer_field import LayerField


@dataclass(frozen=True)
class BlockedResult:
    """Outputs, and mean far reads per query of each block and head.

    `reads` are closed splats and opened tokens; `choosing` the splats that the scoring queries
    evaluated for a block, spread over its queries: what heads that share read besides.
    `openings` are the shared ones, kept when asked for.
    """

    output: Float[Tensor, "G R T V"]
    reads: Float[Tensor, "B G R"]
    choosing: Float[Tensor, "B G"]
    openings: tuple[SharedOpening, ...]


def blocked_attention(
    q: Float[Tensor, "H T D"],
    k: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    scaling: float,
    field: LayerField,
    plan: BlockPlan,
    own_reads: Sequence[int] | None = None,
    keep: bool = False,
) -> BlockedResult:
    """HSA of one layer over one text, T of any length; causal or both ways by the plan.

    Args:
        own_reads: for each query head, the far reads of each of its queries, which then opens
            for itself; 0 where a head shares what its block opens. None: all share.
        keep: hand out the shared openings too.
    """
    blocks = into_blocks(q, k, v, scaling, field, plan)
    return attend_blocks(blocks, own_reads, keep)


def attend_blocks(
    blocks: Blocks, own_reads: Sequence[int] | None = None, keep: bool = False
) -> BlockedResult:
    """The same for a text already in blocks."""
    groups, heads = blocks.q.shape[:2]
    own = torch.tensor(own_reads or [0] * groups * heads, device=blocks.k.device).view(
        groups, heads
    )
    fused = can_fuse(blocks)
    shares, alone = bool((own == 0).any()), bool(own.any())

    def part(item: tuple[int, SplatTable]) -> _Part:
        first, table = item
        many = table.count.shape[0]
        output = blocks.q.new_empty(groups, heads, many * blocks.plan.block, blocks.v.shape[-1])
        read = blocks.q.new_empty(many, groups, heads)
        opening = shared_opening(blocks, first, table) if shares or keep else None
        if opening is not None and shares:
            answer = answer_fused if fused else answer_together
            output = answer(blocks, first, table, opening)
            read = opening.reads().unsqueeze(2).repeat(1, 1, heads).float()
        if alone:
            answer_alone(blocks, first, table, own, output, read)
        return _Part(output, read, choosing_reads(table, blocks.plan), opening if keep else None)

    parts = list((side_by_side if fused else map)(part, tables(blocks)))
    return BlockedResult(
        output=torch.cat([part.output for part in parts], dim=2)[:, :, : blocks.tokens],
        reads=torch.cat([part.reads for part in parts]),
        choosing=torch.cat([part.choosing for part in parts]),
        openings=tuple(part.opening for part in parts if part.opening is not None),
    )


@dataclass(frozen=True)
class _Part:
    """What comes of some blocks."""

    output: Float[Tensor, "G R n V"]
    reads: Float[Tensor, "B G R"]
    choosing: Float[Tensor, "B G"]
    opening: SharedOpening | None
