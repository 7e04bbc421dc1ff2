"""A layer's text in blocks of queries, and every splat's moments at each (design §4, §6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import KeysByPhrase, by_phrase
from hsa.attention.block_plan import SINKS, BlockPlan
from hsa.attention.block_sums import (
    RoutedKeys,
    SplatTable,
    carry_sums,
    no_block_sums,
    routed,
    splat_table,
)
from hsa.attention.side_by_side import on_cores, side_by_side
from hsa.field.frame import keys_into_frame, queries_into_frame
from hsa.field.layer_field import LayerField
from hsa.field.routing import router

FRAMED_AT_ONCE = 1024


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
    phrase_of = router(field)

    def framed(some: slice) -> tuple[Tensor, Tensor, Tensor]:
        x = keys_into_frame(field.frame, k[:, some])
        return x, phrase_of(x), queries_into_frame(field.frame, q[:, :, some], scaling)

    parts = [slice(at, at + FRAMED_AT_ONCE) for at in range(0, tokens + missing, FRAMED_AT_ONCE)]
    found = (side_by_side if on_cores(q, k) else map)(framed, parts)
    xs, phrases, ys = zip(*found, strict=True)
    number = torch.arange(tokens + missing, device=k.device)
    phrase = torch.cat(phrases, 1).masked_fill((number < SINKS) | (number >= tokens), -1)
    keys = routed(field, torch.cat(xs, 1), phrase)
    return Blocks(
        plan, field, tokens, q, torch.cat(ys, 2), k * scaling, v, keys,
        by_phrase(keys.phrase, field.position.shape[1]),
    )  # fmt: skip


def tables(blocks: Blocks) -> Iterator[tuple[int, SplatTable]]:
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


def block_part(tensor: Tensor, first: int, many: int, size: int) -> Tensor:
    """Blocks first … first+many-1 of [..., T, D] as [many, ..., size, D]; zeros before 0."""
    lead = max(-first, 0)
    part = tensor[..., max(first, 0) * size : (first + many) * size, :]
    part = torch.nn.functional.pad(part, (0, 0, lead * size, 0))
    return part.unflatten(-2, (many, size)).movedim(-3, 0)
