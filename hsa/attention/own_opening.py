"""Heads that look up single tokens: each query opens for itself (design §6, `query`).

Written as masked products: at prompt lengths a dense product of which most is masked is
faster than gathering other keys for every query. What is masked counts as not read, for
nothing of it reaches the output; decoding gathers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.block_opening import LOG2_E, cut, level_weights, own_reads
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks
from hsa.attention.masks import only
from hsa.field.layer_field import LayerField


@dataclass(frozen=True)
class OwnOpening:
    """Closed splats and opened Phrases of every query, and the log masses of all splats."""

    closed: Bool[Tensor, "B G R Q N"]
    opened: Bool[Tensor, "B G R Q N"]
    log_mass: Float[Tensor, "B G R Q N"]

    def reads(self, count: Float[Tensor, "B G N"]) -> Float[Tensor, "B G R Q"]:
        """Closed splats and opened tokens of each query, `count` keys in each splat."""
        tokens = (self.opened.to(count.dtype) @ count[:, :, None, :, None]).squeeze(-1)
        return self.closed.sum(-1) + tokens


def open_alone(
    field: LayerField,
    table: SplatTable,
    y: Float[Tensor, "B G R Q D"],
    reads: Int[Tensor, "G R"],
) -> OwnOpening:
    """What each query opens by the error that it expects itself: m·√u·√tr Var(v) (design §6)."""
    heads = y.shape[2:4]
    rows = y.flatten(2, 3)
    spread = (rows * rows) @ table.variance.mT
    log_mass = (rows @ table.mean.mT).add_(table.count.log().unsqueeze(2)).unflatten(2, heads)
    temper = level_weights(field, 0.5 * field.temper).unsqueeze(2)
    log_mass.addcmul_(temper, spread.unflatten(2, heads))
    scatter = spread.unflatten(2, heads).clamp_min_(1e-30).log_()
    wrong = table.value_spread.clamp_min(1e-30).log()[:, :, None, None]
    log_error = scatter.mul_(0.5).add_(log_mass).add_(wrong)
    splats, tokens = own_reads(field, reads)
    count = table.count[:, :, None, None].expand(log_error.shape)
    closed, opened = cut(
        field,
        count.movedim(1, 3), log_error.movedim(1, 3),
        splats.mT[:, None, :, None], tokens.mT[:, None, :, None],
    )  # fmt: skip
    return OwnOpening(closed.movedim(3, 1), opened.movedim(3, 1), log_mass)


def answer_alone(
    blocks: Blocks,
    first: int,
    table: SplatTable,
    spent: Int[Tensor, "G R"],
    output: Float[Tensor, "G R T V"],
    reads: Float[Tensor, "B G R"],
) -> None:
    """Write the outputs and reads, over some blocks, of heads that open for themselves.

    Args:
        spent: far reads of each query of a head; heads with 0 are left alone.
        output: of these blocks' queries.
    """
    many, size = table.count.shape[0], blocks.plan.block
    position = torch.arange(first * size, (first + many) * size, device=output.device)
    real = (position < blocks.tokens).to(output.dtype).view(many, 1, size)
    for group in range(spent.shape[0]):
        heads = spent[group].nonzero().flatten()
        if heads.numel() == 0:
            continue
        field = blocks.field.group(group, heads)
        own = table.group(group)
        y = blocks.y[group, heads][:, position].unflatten(1, (many, size)).movedim(1, 0)
        opening = open_alone(field, own, y.unsqueeze(1), spent[group : group + 1, heads])
        output[group, heads] = _answer(blocks, group, heads, position, own, opening)
        total = opening.reads(own.count).squeeze(1) * real
        reads[:, group, heads] = total.sum(-1) / real.sum(-1)


def _answer(
    blocks: Blocks,
    group: int,
    heads: Int[Tensor, " R"],
    position: Int[Tensor, " Q"],
    table: SplatTable,
    opening: OwnOpening,
) -> Float[Tensor, "R Q V"]:
    """Outputs of some heads of a group: one softmax over all keys and splats, mostly masked.

    Keys stand in rows and queries in columns, so that what a Phrase's keys are to all queries is
    one row of the mask, copied for each.
    """
    size, causal = blocks.plan.block, blocks.plan.causal
    first, last = int(position[0]), int(position[-1])
    end = last + 1 if causal else blocks.tokens
    tail, stop = max(first - size, 0), min(last + 1 + size, end)
    k, v = blocks.k[group, :end], blocks.v[group, :end]
    q = LOG2_E * blocks.q[group, heads][:, position]
    shut = torch.zeros_like(opening.log_mass).masked_fill_(~opening.opened, -torch.inf)
    shut = shut.squeeze(1).permute(3, 1, 0, 2).flatten(1)
    # What is in no splat stands beyond the last one, among what is always read.
    shut = torch.nn.functional.pad(shut, (0, 0, 0, 1))
    logits = k @ q.flatten(0, 1).mT
    bias = shut.index_select(0, blocks.keys.phrase[group, :end])
    key = torch.arange(tail, stop, device=q.device).unsqueeze(1)
    away = key // size - position // size
    unseen = key > position if causal else torch.zeros_like(away, dtype=torch.bool)
    near = only(~unseen).repeat(1, len(heads))
    far = ((away < -1) | ((away > 1) & (not causal))).repeat(1, len(heads))
    bias[tail:stop] = torch.where(far, bias[tail:stop], near)
    logits += bias
    closed = opening.closed & blocks.plan.closed_answer
    masses = (LOG2_E * opening.log_mass).masked_fill_(~closed, -torch.inf).squeeze(1)
    masses = masses.movedim(0, 1)
    top = torch.maximum(logits.amax(0).view(masses.shape[:-1]), masses.amax(-1)).detach()
    weights = logits.sub_(top.flatten()).exp2_()
    shares = masses.sub(top.unsqueeze(-1)).exp2_()
    total = weights.sum(0).view(top.shape) + shares.sum(-1)
    found = (weights.mT @ v).view(*top.shape, -1) + torch.einsum(
        "rbqn,bnv->rbqv", shares, table.value.squeeze(1)
    )
    return (found / total.unsqueeze(-1)).flatten(1, 2)
