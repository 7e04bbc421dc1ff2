"""Heads that look up single tokens: each query opens for itself (design §6, `query`).

Written as masked products: at prompt lengths a dense product of which most is masked is
faster than gathering other keys for every query. What is masked counts as not read, for
nothing of it reaches the output; decoding gathers.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hsa.attention.block_opening import LOG2_E, cut, level_weights, slots
from hsa.attention.block_sums import SplatTable
from hsa.attention.blocks import Blocks
from hsa.field.layer_field import LayerField


def answer_alone(
    blocks: Blocks,
    first: int,
    table: SplatTable,
    head: tuple[int, int],
    tokens: int,
    output: Float[Tensor, "G R T V"],
    reads: Float[Tensor, "B G R"],
) -> None:
    """Write one head's outputs and reads over some blocks.

    Args:
        head: key/value head and query head within its group.
        tokens: far tokens that each query may open.
        output: of these blocks' queries.
    """
    size, (group, one) = blocks.plan.block, head
    field = blocks.field.group(group, slice(one, one + 1))
    for at in range(table.count.shape[0]):
        begin = (first + at) * size
        near = max(begin - size, 0)
        rows = slice(begin, begin + size)
        q, y = blocks.q[group, one, rows], blocks.y[group, one, rows]
        own = SplatTable(*(t[at, group] for t in table.__dict__.values()))
        phrase = blocks.keys.phrase[group, :near]
        closed, opened, log_mass = open_alone(
            field, own, y, slots(field, blocks.plan.splats), tokens
        )
        logits = LOG2_E * (q @ blocks.k[group, : begin + size].mT)
        position = torch.arange(size, device=q.device)
        logits[:, begin:] = logits[:, begin:].masked_fill(position > position[:, None], -torch.inf)
        # Sinks stand beyond the last splat, among what is always read.
        always = torch.nn.functional.pad(opened, (0, 1), value=True)
        logits[:, :near] = logits[:, :near].masked_fill(~always[:, phrase], -torch.inf)
        masses = LOG2_E * log_mass.masked_fill(~closed, -torch.inf)
        top = torch.maximum(logits.amax(-1, True), masses.amax(-1, True)).detach()
        weights, shares = (logits - top).exp2(), (masses - top).exp2()
        total = weights.sum(-1, True) + shares.sum(-1, True)
        mixed = weights @ blocks.v[group, : begin + size] + shares @ own.value
        within = slice(at * size, (at + 1) * size)
        output[group, one, within] = mixed / total
        read = closed.sum(-1) + (own.count * opened).sum(-1)
        reads[at, group, one] = read.float().mean()


def open_alone(
    field: LayerField,
    table: SplatTable,
    y: Float[Tensor, "Q D"],
    splats: int,
    tokens: int,
) -> tuple[Tensor, Tensor, Float[Tensor, "Q N"]]:
    """Closed splats and opened Phrases [Q, N] of each query of one head, and log masses.

    Args:
        field: of this head alone.
        table: its splats, without leading dimensions.
    """
    temper = level_weights(field, 0.5 * field.temper)[0, 0]
    spread = (y * y) @ table.variance.mT
    log_mass = y @ table.mean.mT + temper * spread + table.count.log()
    log_error = log_mass + 0.5 * spread.clamp_min(1e-30).log()
    log_error = log_error + table.value_spread.clamp_min(1e-30).log()
    count = table.count.expand(y.shape[0], 1, -1)
    closed, opened = cut(field, count, log_error.unsqueeze(1), splats, tokens)
    return closed.squeeze(1), opened.squeeze(1), log_mass
