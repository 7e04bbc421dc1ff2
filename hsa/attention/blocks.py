"""A layer's text in blocks of queries, and every splat's moments at each (design §4, §6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import KeysByPhrase, by_phrase
from hsa.attention.block_plan import BlockPlan
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
    nowhere = number >= tokens
    nowhere[[at for at in plan.always_near(tokens) if at < tokens]] = True
    phrase = torch.cat(phrases, 1).masked_fill(nowhere, -1)
    keys = routed(field, torch.cat(xs, 1), phrase)
    return Blocks(
        plan, field, tokens, q, torch.cat(ys, 2), k * scaling, v, keys,
        by_phrase(keys.phrase, field.position.shape[1]),
    )  # fmt: skip


def tables(blocks: Blocks) -> Iterator[tuple[int, SplatTable]]:
    """For some blocks at a time: the first of them, and every splat's moments at each.

    Block b knows the keys of blocks 0 … b-2, and in a text read both ways those of b+2 … too.
    """
    field, chunk = blocks.field, blocks.plan.chunk
    ahead = None if blocks.plan.causal else _sums_ahead(blocks)
    known = no_block_sums(field, blocks.v.shape[-1])
    for first in range(0, blocks.count, chunk):
        many = min(chunk, blocks.count - first)
        sums = _carry(blocks, known, first - 2, many)
        known = sums[-1]
        if ahead is None:
            yield first, splat_table(field, sums)
        else:
            after = _carry(blocks, ahead[first], first + 2, many, back=True)
            yield first, splat_table(field, sums + after, sums[..., 0])


def _sums_ahead(blocks: Blocks) -> dict[int, Float[Tensor, "G N F"]]:
    """By the first of some blocks, the sums that the last of them carries from far after it."""
    known, found = no_block_sums(blocks.field, blocks.v.shape[-1]), {}
    chunk = blocks.plan.chunk
    for first in reversed(range(0, blocks.count, chunk)):
        found[first] = known
        many = min(chunk, blocks.count - first)
        known = _carry(blocks, known, first + 2, many, back=True)[0]
    return found


def _carry(
    blocks: Blocks, known: Float[Tensor, "G N F"], begin: int, many: int, back: bool = False
) -> Float[Tensor, "B G N F"]:
    """`known`, carried over blocks begin … begin+many-1, or `back` from the last to the first."""
    size = blocks.plan.block
    part = slice(max(begin, 0) * size, max(begin + many, 0) * size)
    keys, v = blocks.keys.part(part), blocks.v[:, part]
    if not back:
        return carry_sums(blocks.field, known, keys, v, many, size)
    return carry_sums(blocks.field, known, keys.flip(), v.flip(1), many, size).flip(0)


def block_part(tensor: Tensor, first: int, many: int, size: int) -> Tensor:
    """Blocks first … first+many-1 of [..., T, D] as [many, ..., size, D]; zeros outside."""
    part = tensor[..., max(first, 0) * size : (first + many) * size, :]
    lead = max(-first, 0) * size
    part = torch.nn.functional.pad(part, (0, 0, lead, many * size - lead - part.shape[-2]))
    return part.unflatten(-2, (many, size)).movedim(-3, 0)
