"""Heads that look up single tokens: each query opens for itself (design §6, `query`).

Written as masked products: at prompt lengths a dense product of which most is masked is
faster than gathering other keys for every query. What is masked counts as not read, for
nothing of it reaches the output; decoding gathers.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.block_opening import LOG2_E, cut, level_weights, slots
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks
from hsa.field.layer_field import LayerField


def answer_alone(
    blocks: Blocks,
    first: int,
    table: SplatTable,
    tokens: Int[Tensor, "G R"],
    output: Float[Tensor, "G R T V"],
    reads: Float[Tensor, "B G R"],
) -> None:
    """Write the outputs and reads, over some blocks, of heads that open for themselves.

    Args:
        tokens: far tokens that each query of a head may open; heads with 0 are left alone.
        output: of these blocks' queries.
    """
    size = blocks.plan.block
    group, head = tokens.nonzero(as_tuple=True)
    field, budget = blocks.field, tokens[group, head].view(-1, 1, 1)
    alone = replace(
        field,
        **{name: t[group] for name, t in field.__dict__.items() if name not in ("temper", "tilt")},
        temper=field.temper[group, head].unsqueeze(1),
        tilt=field.tilt[group, head].unsqueeze(1),
    )
    splats = slots(alone, blocks.plan.splats)
    position = torch.arange(size, device=budget.device)
    for at in range(table.count.shape[0]):
        begin = (first + at) * size
        near, end = max(begin - size, 0), begin + size
        q, y = blocks.q[group, head, begin:end], blocks.y[group, head, begin:end]
        own = SplatTable(*(t[at, group] for t in table.__dict__.values()))
        closed, opened, log_mass = open_alone(alone, own, y, splats, budget)
        logits = LOG2_E * (q @ blocks.k[:, :end][group].mT)
        logits[..., begin:].masked_fill_(position > position.unsqueeze(1), -torch.inf)
        # Sinks stand beyond the last splat, among what is always read.
        always = torch.nn.functional.pad(opened, (0, 1), value=True)
        phrase = blocks.keys.phrase[group, :near].unsqueeze(1).expand(-1, size, -1)
        logits[..., :near].masked_fill_(~always.gather(2, phrase), -torch.inf)
        masses = LOG2_E * log_mass.masked_fill(~closed, -torch.inf)
        top = torch.maximum(logits.amax(-1, True), masses.amax(-1, True)).detach()
        weights, shares = logits.sub_(top).exp2_(), masses.sub_(top).exp2_()
        total = weights.sum(-1, True) + shares.sum(-1, True)
        mixed = weights @ blocks.v[:, :end][group] + shares @ own.value
        output[group, head, at * size : (at + 1) * size] = mixed / total
        read = closed.sum(-1) + (own.count.unsqueeze(1) * opened).sum(-1)
        reads[at, group, head] = read.float().mean(-1)


def open_alone(
    field: LayerField,
    table: SplatTable,
    y: Float[Tensor, "G Q D"],
    splats: int,
    tokens: Int[Tensor, "G 1 1"],
) -> tuple[Bool[Tensor, "G Q N"], Bool[Tensor, "G Q N"], Float[Tensor, "G Q N"]]:
    """Closed splats and opened Phrases of every query, and the log masses of all splats.

    Args:
        field: one query head a group.
        table: its splats at one block, without the leading dimension.
    """
    temper = level_weights(field, 0.5 * field.temper)
    spread = (y * y) @ table.variance.mT
    log_mass = y @ table.mean.mT + temper * spread + table.count.log().unsqueeze(1)
    log_error = log_mass + 0.5 * spread.clamp_min(1e-30).log()
    log_error = log_error + table.value_spread.clamp_min(1e-30).log().unsqueeze(1)
    count = table.count.expand(y.shape[1], -1, -1)
    budget = tokens.squeeze(-1).unsqueeze(0)
    closed, opened = cut(field, count, log_error.movedim(1, 0), splats, budget)
    return closed.movedim(0, 1), opened.movedim(0, 1), log_mass
