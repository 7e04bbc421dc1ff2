"""Heads that look up single tokens: each query opens for itself (design §6, `query`).

Written as masked products: at prompt lengths a dense product of which most is masked is
faster than gathering other keys for every query. What is masked counts as not read: what a
closed splat says of its tokens, tilt included, follows from its moments alone, as in decoding,
which gathers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.block_opening import (
    BESIDE,
    LOG2_E,
    closed_under,
    non_empty_children,
    open_phrases,
    split_sections,
)
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks
from hsa.attention.masks import only
from hsa.attention.tails import bounded, lean
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import SECTION

PHRASES = 0.4
"""Share of its reads beyond the Sections that a query which opens for itself gives to Phrases."""


@dataclass(frozen=True)
class OwnOpening:
    """Closed splats and opened Phrases of every query, and what all splats weigh for it.

    Attributes:
        looked_at: splats that the query evaluated: closed ones, and those that it opened.
        middle: y·x̄, the logit of a splat's mean key.
        log_mass, lean: log m and θ of design §5.
    """

    closed: Bool[Tensor, "B G R Q N"]
    opened: Bool[Tensor, "B G R Q N"]
    looked_at: Int[Tensor, "B G R Q"]
    middle: Float[Tensor, "B G R Q N"]
    log_mass: Float[Tensor, "B G R Q N"]
    lean: Float[Tensor, "B G R Q N"]

    def reads(self, count: Float[Tensor, "B G N"]) -> Float[Tensor, "B G R Q"]:
        """Splats and tokens that each query read, `count` keys in each splat."""
        tokens = (self.opened.to(count.dtype) @ count[:, :, None, :, None]).squeeze(-1)
        return self.looked_at + tokens


def open_alone(
    field: LayerField,
    table: SplatTable,
    y: Float[Tensor, "B G R Q D"],
    reads: Int[Tensor, "G R"],
    tilted: int,
) -> OwnOpening:
    """What each query opens by the error that it expects itself: m·√u·√tr Var(v) (design §6).

    Args:
        reads: splats and tokens that a query may read.
        tilted: keys from which on a closed splat leans.
    """
    heads = y.shape[2:4]
    rows = y.flatten(2, 3)
    spread = ((rows * rows) @ table.variance.mT).unflatten(2, heads)
    middle = (rows @ table.mean.mT).unflatten(2, heads)
    log_mass = middle + table.count.log()[:, :, None, None]
    log_mass = log_mass.addcmul(field.per_splat(0.5 * field.temper).unsqueeze(2), bounded(spread))
    wrong = table.value_spread.clamp_min(1e-30).log()[:, :, None, None]
    log_error = spread.clamp_min(1e-30).log_().mul_(0.5).add_(log_mass).add_(wrong)
    count = table.count[:, :, None, None].expand(log_error.shape)
    closed, opened, looked_at = (
        part.movedim(3, 1)
        for part in own_cut(
            field, count.movedim(1, 3), log_error.movedim(1, 3), reads.mT[:, None, :, None]
        )
    )
    leaning = lean(field, table.count, spread, tilted)
    return OwnOpening(closed, opened, looked_at, middle, log_mass, leaning)


def own_cut(
    field: LayerField,
    count: Float[Tensor, "... G N"],
    log_error: Float[Tensor, "... G N"],
    reads: Int[Tensor, "... G 1"],
) -> tuple[Bool[Tensor, "... G N"], Bool[Tensor, "... G N"], Int[Tensor, "... G"]]:
    """Closed splats and opened Phrases within so many reads, and how many splats were looked at.

    A query looks at every non-empty Section, and of what is left, a share goes to the Phrases of
    those that it opens and the rest to tokens. A Section of one Phrase is that Phrase (design
    §6). Reads that the Sections exceed are raised to them.
    """
    children = non_empty_children(field, count)
    price = children.where(children > 1, 0.0)
    sections = ((field.level == SECTION) & (count > 0)).sum(-1, keepdim=True)
    left = (reads - sections).clamp_min(0)
    split = split_sections(field, count, log_error, price, (PHRASES * left).round())
    phrases = (price * split).sum(-1, keepdim=True)
    tokens = (left - phrases).clamp_min(0)
    looked_at = (sections + phrases).squeeze(-1)
    opened = open_phrases(field, count, log_error, split, tokens, reads // 2 + BESIDE)
    return closed_under(field, count, split, opened), opened, looked_at.long()


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
        spends = spent[group : group + 1, heads]
        opening = open_alone(field, own, y.unsqueeze(1), spends, blocks.plan.tilted)
        output[group, heads] = _answer(blocks, group, heads, position, field, own, opening)
        total = opening.reads(own.count).squeeze(1) * real
        reads[:, group, heads] = total.sum(-1) / real.sum(-1)


def _answer(
    blocks: Blocks,
    group: int,
    heads: Int[Tensor, " R"],
    position: Int[Tensor, " Q"],
    field: LayerField,
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
    phrase = blocks.keys.phrase[group, :end]
    logits = k @ (LOG2_E * blocks.q[group, heads][:, position]).flatten(0, 1).mT
    shut = torch.zeros_like(opening.log_mass).masked_fill_(~opening.opened, -torch.inf)
    bias = _of_keys(shut, phrase)
    key = torch.arange(tail, stop, device=k.device).unsqueeze(1)
    away = key // size - position // size
    unseen = key > position if causal else torch.zeros_like(away, dtype=torch.bool)
    near = only(~unseen).repeat(1, len(heads))
    far = ((away < -1) | ((away > 1) & (not causal))).repeat(1, len(heads))
    bias[tail:stop] = torch.where(far, bias[tail:stop], near)
    bias += logits
    answers = blocks.plan.closed_answer
    closed = opening.closed & answers
    masses = (LOG2_E * opening.log_mass).masked_fill_(~closed, -torch.inf).squeeze(1)
    masses = masses.movedim(0, 1)
    top = torch.maximum(bias.amax(0).view(masses.shape[:-1]), masses.amax(-1)).detach()
    weights = bias.sub_(top.flatten()).exp2_()
    shares = masses.sub(top.unsqueeze(-1)).exp2_()
    total = weights.sum(0).view(top.shape) + shares.sum(-1)
    if answers and bool(field.tilt.any()):
        # Each token of a closed splat has its share of it, more or less by θ·y·(x - x̄).
        slope = shares.movedim(0, 1).unsqueeze(1) * opening.lean
        slope = slope / table.count.clamp_min(1)[:, :, None, None]
        slope, middle = _of_covering(field, slope, opening.middle)
        tilted = logits.mul_(1 / LOG2_E).sub_(_of_keys(middle, phrase)) * _of_keys(slope, phrase)
        tilted[tail:stop] = tilted[tail:stop].where(far, 0.0)
        weights = weights + tilted
    found = (weights.mT @ v).view(*top.shape, -1) + torch.einsum(
        "rbqn,bnv->rbqv", shares, table.value.squeeze(1)
    )
    return (found / total.unsqueeze(-1)).flatten(1, 2)


def _of_covering(
    field: LayerField, slope: Float[Tensor, "B 1 R Q N"], middle: Float[Tensor, "B 1 R Q N"]
) -> tuple[Tensor, Tensor]:
    """Both for the closed splat that covers each Phrase: itself or its Section.

    A cut closes no more than one of the two, and the slope of what is not closed is 0.
    """
    section = field.parent[0].clamp_min(0)
    above = slope.index_select(-1, section)
    return slope + above, middle.index_select(-1, section).where(above != 0, middle)


def _of_keys(of_splat: Float[Tensor, "B 1 R Q N"], phrase: Int[Tensor, " T"]) -> Tensor:
    """What each key's Phrase is to every query [T, R·B·Q]; 0 for keys of no splat."""
    rows = of_splat.squeeze(1).permute(3, 1, 0, 2).flatten(1)
    # What is in no splat stands beyond the last one, among what is always read.
    return torch.nn.functional.pad(rows, (0, 0, 0, 1)).index_select(0, phrase)
