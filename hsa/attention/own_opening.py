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

from hsa.attention.block_opening import LOG2_E, cut, level_weights, own_reads
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks
from hsa.field.layer_field import LayerField


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
    size = blocks.plan.block
    group, head = spent.nonzero(as_tuple=True)
    field = blocks.field
    alone = replace(
        field,
        **{name: t[group] for name, t in field.__dict__.items() if name not in ("temper", "tilt")},
        temper=field.temper[group, head].unsqueeze(1),
        tilt=field.tilt[group, head].unsqueeze(1),
    )
    many, end = table.count.shape[0], (first + table.count.shape[0]) * size
    rows = slice(first * size, end)
    q, y = blocks.q[group, head, rows], blocks.y[group, head, rows]
    own = SplatTable(*(t[:, group] for t in table.__dict__.values()))
    budget = spent[group, head]
    closed, opened, log_mass = open_alone(
        alone, own, y.unflatten(1, (many, size)).movedim(1, 0), budget
    )
    opened, closed, log_mass = (t.movedim(0, 1).flatten(1, 2) for t in (opened, closed, log_mass))
    logits = LOG2_E * (q @ blocks.k[:, :end][group].mT)
    # Sinks stand beyond the last splat, among what is always read.
    always = torch.nn.functional.pad(opened, (0, 1), value=True)
    phrase = blocks.keys.phrase[group, :end].unsqueeze(1).expand(-1, many * size, -1)
    key = torch.arange(end, device=q.device)
    position = key[rows].unsqueeze(1)
    near = (position // size - 1) * size
    read = torch.where(key < near, always.gather(2, phrase), key <= position)
    logits.masked_fill_(~read, -torch.inf)
    masses = LOG2_E * log_mass.masked_fill(~(closed & blocks.plan.closed_answer), -torch.inf)
    top = torch.maximum(logits.amax(-1, True), masses.amax(-1, True)).detach()
    weights, shares = logits.sub_(top).exp2_(), masses.sub_(top).exp2_()
    total = weights.sum(-1, True) + shares.sum(-1, True)
    values = torch.einsum("hbqn,bhnv->hbqv", shares.unflatten(1, (many, size)), own.value).flatten(
        1, 2
    )
    output[group, head] = (weights @ blocks.v[:, :end][group] + values) / total
    count = own.count.movedim(0, 1).repeat_interleave(size, 1)
    total_read = closed.sum(-1) + (count * opened).sum(-1)
    real = (key[rows] < blocks.tokens).float()
    total_read = (total_read * real).unflatten(1, (many, size)).sum(-1)
    reads[:, group, head] = (total_read / real.view(many, size).sum(-1)).mT


def open_alone(
    field: LayerField,
    table: SplatTable,
    y: Float[Tensor, "B G Q D"],
    reads: Int[Tensor, " G"],
) -> tuple[Bool[Tensor, "B G Q N"], Bool[Tensor, "B G Q N"], Float[Tensor, "B G Q N"]]:
    """Closed splats and opened Phrases of every query, and the log masses of all splats.

    Args:
        field: one query head a group.
        table: its splats at B blocks.
    """
    temper = level_weights(field, 0.5 * field.temper)
    spread = (y * y) @ table.variance.mT
    log_mass = y @ table.mean.mT + temper * spread + table.count.log().unsqueeze(2)
    log_error = log_mass + 0.5 * spread.clamp_min(1e-30).log()
    log_error = log_error + table.value_spread.clamp_min(1e-30).log().unsqueeze(2)
    count = table.count.unsqueeze(2).expand(log_mass.shape).movedim(2, 1)
    splats, tokens = own_reads(field, reads.unsqueeze(1))
    closed, opened = cut(field, count, log_error.movedim(2, 1), splats, tokens)
    return closed.movedim(1, 2), opened.movedim(1, 2), log_mass
