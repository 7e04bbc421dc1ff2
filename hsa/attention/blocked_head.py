"""One head of blocked HSA in the reference's words, beside the reference at the same reads.

Every weight is worked out by the reference's formulas from the opening that blocked HSA shared;
the output is the one that blocked HSA gave. That the weights add up to it is a check that can
fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from hsa.activations import Activations
from hsa.attention.block_opening import SharedOpening
from hsa.attention.block_plan import BlockPlan
from hsa.attention.blocked import BlockedResult, blocked_attention
from hsa.attention.fits import check_rows
from hsa.attention.opening import Opening
from hsa.attention.reference import answer, block_cut, openings
from hsa.attention.result import BlockCut, HSAResult
from hsa.attention.views import BlockView, FramedLayer, block_views, into_layer
from hsa.field.layer_field import LayerField
from hsa.field.splat_field import PHRASE


@dataclass(frozen=True)
class BlockedHead:
    """What blocked HSA did in one head, and what its queries do when each opens for itself.

    Attributes:
        framed: the head alone, as both results see it, without the tilt, which blocks have not.
        blocked: its openings are those that the blocks shared.
        reference: the same near keys, and each query has the reads that its block spent,
            choosing included; opened by itself, with the tilt.
    """

    framed: FramedLayer
    blocked: HSAResult
    reference: HSAResult


def blocked_head(
    group: Activations,
    field: LayerField,
    plan: BlockPlan,
    member: int,
    queries: Int[Tensor, " Q"] | None = None,
) -> BlockedHead:
    """Run one key/value head in blocks, and look at one of its query heads.

    In a text read both ways the near keys that stand anywhere are the blocks', for both results.

    Args:
        group: the key/value head with all its query heads, which choose together.
        field: of this key/value head.
        member: the query head to look at, counted within the group.
        queries: positions to look at; all of the text when None.
    """
    plan = replace(plan, causal=group.causal)
    if queries is None:
        queries = torch.arange(group.tokens, device=group.k.device)
    own = field.group(0, slice(member, member + 1))
    alone = replace(group, q=group.q[member : member + 1])
    if not group.causal:
        special = torch.zeros_like(group.near_special)
        special[plan.always_near(group.tokens)] = True
        alone = replace(alone, near_special=special)
    plain = into_layer(alone, replace(own, tilt=torch.zeros_like(own.tilt)), plan.near)
    check_rows(plain, 2 * queries.numel())
    run = blocked_attention(group.q, group.k, group.v, group.scaling, field, plan, keep=True)
    shared_cuts, own_cuts, outputs = [], [], []
    for view in block_views(plain, queries):
        opening = shared_cut(view, run, plan)
        exact = torch.zeros_like(opening.raised)
        said = answer(view, opening, exact, plain.field.temper, plain.field.tilt)
        shared_cuts.append(block_cut(view, opening, exact, said))
        chosen, whole = _alone(view, opening.reads)
        given = answer(view, chosen, whole, own.temper, own.tilt)
        own_cuts.append(block_cut(view, chosen, whole, given))
        outputs.append(given.output)
    order = torch.cat([cut.queries for cut in shared_cuts])
    place = torch.full((group.tokens,), -1).scatter(0, order.cpu(), torch.arange(order.numel()))
    reference = torch.cat(outputs, dim=1)[:, place[queries.cpu()]]
    return BlockedHead(
        plain,
        _result(plain, queries, run.output[0, member, queries].unsqueeze(0), shared_cuts),
        _result(plain, queries, reference, own_cuts),
    )


def shared_cut(view: BlockView, run: BlockedResult, plan: BlockPlan) -> Opening:
    """The cut that a block's queries shared, as nodes of the prompt's tree.

    Its reads hold each query's part of the choosing: splats evaluated are splats read.
    """
    tree, rows = view.layer.tree, view.y.shape[1]
    # Queries of the first two blocks may stand in one view: they have no far keys.
    block = int(view.block.queries[0]) // plan.block
    part, at = divmod(block, plan.chunk)
    shared = run.openings[part]
    closed = torch.zeros(tree.row.shape, dtype=torch.bool, device=tree.row.device)
    opened = torch.zeros_like(closed)
    for group in range(tree.row.shape[0]):
        _mark(view, shared, (at, group), closed, opened)
    reads = (shared.reads()[at] + run.choosing[block]).round().long()
    reads = reads.unsqueeze(1).expand(-1, rows)
    spread = (-1, rows, -1)
    return Opening(
        closed.unsqueeze(1).expand(spread), opened.unsqueeze(1).expand(spread),
        reads, torch.zeros_like(reads, dtype=torch.bool),
    )  # fmt: skip


def _mark(
    view: BlockView, shared: SharedOpening, where: tuple[int, int], closed: Tensor, opened: Tensor
) -> None:
    """Mark a group's closed nodes, and as opened its Phrases read and all nodes above both."""
    tree, group = view.layer.tree, where[1]
    splats = shared.splat[where][shared.splat_there[where]]
    tokens = shared.token[where][shared.token_there[where]]
    closed[group] = torch.isin(tree.row[group], splats)
    opened[group, tree.key_node[group, tokens, PHRASE]] = True
    below = (closed[group] | opened[group]).nonzero().squeeze(1)
    while below.numel():
        above = tree.parent[group, below]
        below = above[above >= 0].unique()
        opened[group, below] = True


def _alone(view: BlockView, reads: Int[Tensor, "G B"]) -> tuple[Opening, Tensor]:
    """Each query's own cut within these reads; those that reach all far keys read them."""
    far = int(view.block.far.sum())
    whole = reads >= far
    cut = openings(view, reads.masked_fill(whole, 0)).until(reads)
    return Opening(
        cut.closed & ~whole.unsqueeze(-1), cut.opened & ~whole.unsqueeze(-1),
        cut.reads.masked_fill(whole, far), cut.raised & ~whole,
    ), whole  # fmt: skip


def _result(layer: FramedLayer, queries: Tensor, output: Tensor, cuts: list[BlockCut]) -> HSAResult:
    given = layer.activations
    return HSAResult(
        given.layer, layer.near, given.causal, layer.tree, queries, output, tuple(cuts)
    )
