"""Blocked HSA: queries of a block share what they open; linear in T (design §6, `block`).

The meaning is the reference's at the same cut without the tilt. Blocks are cut at multiples
of B; block b reads the sinks and the keys from (b-1)·B on as tokens, and of the far keys
before them what queries of block b-1 chose. Nothing later is looked at, so an output depends
on nothing that comes after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.block_opening import (
    LOG2_E,
    KeysByPhrase,
    SharedOpening,
    by_phrase,
    choose,
    level_weights,
)
from hsa.attention.block_plan import SINKS, BlockPlan
from hsa.attention.block_sums import (
    RoutedKeys,
    SplatTable,
    carry_sums,
    no_block_sums,
    routed,
    splat_table,
)
from hsa.field.frame import keys_into_frame, queries_into_frame
from hsa.field.layer_field import LayerField
from hsa.field.routing import route


@dataclass(frozen=True)
class Blocks:
    """A layer's text in blocks, padded to whole ones; keys `k` already scaled.

    Query heads stand as G groups of R.
    """

    plan: BlockPlan
    field: LayerField
    tokens: int
    q: Float[Tensor, "G R T D"]
    y: Float[Tensor, "G R T D"]
    k: Float[Tensor, "G T D"]
    v: Float[Tensor, "G T V"]
    keys: RoutedKeys
    sorted: KeysByPhrase

    @property
    def count(self) -> int:
        return self.k.shape[1] // self.plan.block


@dataclass(frozen=True)
class BlockedResult:
    """Outputs, and what every block read: [blocks, G]. `openings` are kept when asked for."""

    output: Float[Tensor, "G R T V"]
    reads: Int[Tensor, "B G"]
    openings: tuple[SharedOpening, ...]


def into_blocks(
    q: Float[Tensor, "H T D"],
    k: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    scaling: float,
    field: LayerField,
    plan: BlockPlan,
) -> Blocks:
    """Bring a layer's q, k, v into its field's frame, route the keys, sort them by Phrase."""
    groups, tokens, dim = k.shape
    missing = -tokens % plan.block
    q, k, v = (torch.nn.functional.pad(t.float(), (0, 0, 0, missing)) for t in (q, k, v))
    q = q.view(groups, -1, tokens + missing, dim)
    x = keys_into_frame(field.frame, k)
    phrase = route(x, field)
    number = torch.arange(tokens + missing, device=k.device)
    phrase = phrase.masked_fill((number < SINKS) | (number >= tokens), -1)
    keys = routed(field, x, phrase)
    return Blocks(
        plan, field, tokens, q, queries_into_frame(field.frame, q, scaling), k * scaling, v, keys,
        by_phrase(keys.phrase, field.position.shape[1]),
    )  # fmt: skip


def blocked_attention(
    q: Float[Tensor, "H T D"],
    k: Float[Tensor, "G T D"],
    v: Float[Tensor, "G T V"],
    scaling: float,
    field: LayerField,
    plan: BlockPlan,
    keep: bool = False,
) -> BlockedResult:
    """Causal HSA of one layer over one text, T of any length."""
    blocks = into_blocks(q, k, v, scaling, field, plan)
    outputs, reads, openings = [], [], []
    for first, table in _tables(blocks):
        opening = _chosen(blocks, first, table)
        outputs.append(_answer(blocks, first, table, opening))
        reads.append(opening.reads())
        if keep:
            openings.append(opening)
    output = torch.cat(outputs, dim=2)[:, :, : blocks.tokens]
    return BlockedResult(output, torch.cat(reads), tuple(openings))


def _tables(blocks: Blocks) -> Iterator[tuple[int, SplatTable]]:
    """For some blocks at a time: the first of them, and every splat's moments at each.

    Block b knows the keys of blocks 0 … b-2.
    """
    size, field = blocks.plan.block, blocks.field
    known = no_block_sums(field, blocks.v.shape[-1])
    for first in range(0, blocks.count, blocks.plan.chunk):
        many = min(blocks.plan.chunk, blocks.count - first)
        part = slice(max(first - 2, 0) * size, max(first - 2 + many, 0) * size)
        sums = carry_sums(field, known, blocks.keys.part(part), blocks.v[:, part], many, size)
        known = sums[-1]
        yield first, splat_table(field, sums)


def _block(tensor: Tensor, first: int, many: int, size: int) -> Tensor:
    """Blocks first … first+many-1 of [..., T, D] as [many, ..., size, D]; zeros before 0."""
    lead = max(-first, 0)
    part = tensor[..., max(first, 0) * size : (first + many) * size, :]
    part = torch.nn.functional.pad(part, (0, 0, lead * size, 0))
    return part.unflatten(-2, (many, size)).movedim(-3, 0)


def _chosen(blocks: Blocks, first: int, table: SplatTable) -> SharedOpening:
    plan, many = blocks.plan, table.count.shape[0]
    size, stride = plan.block, plan.block // plan.scored
    q = _block(blocks.q, first - 1, many, size)[..., stride - 1 :: stride, :]
    y = _block(blocks.y, first - 1, many, size)[..., stride - 1 :: stride, :]
    near = _block(blocks.k, first - 1, many, size)
    position = torch.arange(size, device=q.device)
    later = position > position[stride - 1 :: stride].unsqueeze(1)
    rows = q.flatten(2, 3)
    keys = torch.cat([near, blocks.k[:, :SINKS].expand(many, -1, -1, -1)], dim=2)
    logits = (rows @ keys.mT).view(*q.shape[:-1], -1)
    logits[..., :size] += torch.zeros_like(logits[0, 0, 0, :, :size]).masked_fill(later, -torch.inf)
    return choose(blocks.field, table, blocks.sorted, y, logits.logsumexp(-1), plan)


def _answer(
    blocks: Blocks, first: int, table: SplatTable, opening: SharedOpening
) -> Float[Tensor, "G R T V"]:
    """Outputs of the blocks under their shared openings: two products each way, one softmax."""
    plan, many = blocks.plan, table.count.shape[0]
    size, field = plan.block, blocks.field
    groups, heads, _, dim = blocks.q.shape
    q = _block(blocks.q, first, many, size)
    y = _block(blocks.y, first, many, size)

    def read(kept: Tensor) -> Tensor:
        sinks = kept[:, :SINKS].expand(many, -1, -1, -1)
        before, own = _block(kept, first - 1, many, size), _block(kept, first, many, size)
        return torch.cat([own, before, sinks, _rows(kept, opening.token)], dim=2).flatten(0, 1)

    k, v = read(blocks.k), read(blocks.v)
    logits = torch.bmm(q.flatten(2, 3).flatten(0, 1), (LOG2_E * k).mT)
    position = torch.arange(size, device=q.device)
    later = torch.zeros(size, size, device=q.device)
    later = later.masked_fill(position > position.unsqueeze(1), -torch.inf)
    logits.unflatten(1, (heads, size))[..., :size] += later

    keys, sums = _closed(table, opening, level_weights(field, 0.5 * field.temper))
    wide = torch.cat([LOG2_E * y, LOG2_E * y * y], -1)
    masses = torch.bmm(wide.flatten(0, 2), keys.mT).view(many * groups, heads * size, -1)
    top = torch.maximum(logits.amax(-1, True), masses.amax(-1, True)).detach()
    weights, shares = logits.sub_(top).exp2_(), masses.sub_(top).exp2_()
    there = _there(blocks, first, opening).to(v.dtype).flatten(0, 1).unsqueeze(2)
    # The last column sums the weights: cheaper than a product with it alone.
    output = torch.baddbmm(torch.bmm(weights, torch.cat([v * there, there], -1)), shares, sums)
    output = output[..., :-1] / output[..., -1:]
    return output.view(many, groups, heads, size, -1).movedim(0, 2).flatten(2, 3)


def _rows(
    kept: Float[Tensor, "G T F"], at: Int[Tensor, "B G K"]
) -> Float[Tensor, "B G K F"]:
    """Rows `at` of each group."""
    start = kept.shape[1] * torch.arange(kept.shape[0], device=at.device).unsqueeze(1)
    rows = kept.flatten(0, 1).index_select(0, (at + start).flatten())
    return rows.view(*at.shape, -1)


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


def _closed(
    table: SplatTable, opening: SharedOpening, temper: Float[Tensor, "G R N"]
) -> tuple[Float[Tensor, "BGR M 2D"], Float[Tensor, "BG M V+1"]]:
    """Closed splats as keys (x̄, ½τs²) of queries (y, y²), and n·v̄ beside n; 0 for padding."""
    many = opening.splat.shape[0]
    heads = temper.shape[1]
    at = opening.splat.flatten(0, 1).unsqueeze(0)

    def gathered(of_splat: Tensor) -> Tensor:
        return _rows(of_splat.flatten(0, 1), at).squeeze(0)

    mean, variance, value = (gathered(t) for t in (table.mean, table.variance, table.value))
    index = opening.splat.unsqueeze(2).expand(-1, -1, heads, -1)
    weight = temper.expand(many, -1, -1, -1).gather(3, index).flatten(0, 1).unsqueeze(-1)
    keys = torch.cat(
        [mean.unsqueeze(1).expand(-1, heads, -1, -1), variance.unsqueeze(1) * weight], dim=-1
    )
    count = table.count.gather(2, opening.splat).where(opening.splat_there, 0.0)
    count = count.flatten(0, 1).unsqueeze(2)
    return keys.flatten(0, 1), torch.cat([value * count, count], -1)
