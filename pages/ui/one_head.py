"""Doors to the engine for one head of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.ui import engine

if TYPE_CHECKING:
    from hsa.activations import Activations
    from hsa.attention.block_plan import BlockPlan
    from hsa.attention.blocked_head import BlockedHead
    from hsa.attention.result import HSAResult
    from hsa.attention.spending import Spending


def head_result(
    given: Activations,
    ready: engine.ReadyField,
    spent: tuple[Spending, ...],
    layer: int,
    head: int,
    key: tuple,
) -> HSAResult:
    """HSA of one head for every query, as `hsa.attention.reference.attend` gives it.

    Args:
        given: the whole layer's activations.
        key: what the result depends on, besides field, layer and head: model, ids, reads, way.
    """

    def make() -> HSAResult:
        from hsa.attention.reference import attend

        group, member = divmod(head, given.group)
        one = ready.field.layer(layer).group(group, slice(member, member + 1))
        return attend(given.head(head), one, spent[layer].heads(slice(head, head + 1)))

    name = ("head", ready.identity, layer, head, *key)
    return engine.kept(name, "HSA of one head", make)


def shared_blocks(
    ready: engine.ReadyField, count: int, reads: int, causal: bool
) -> BlockPlan | None:
    """Blocks that suit a text of `count` tokens; None where the reads reach every key."""
    from hsa.inference.plan import shared_blocks as plan

    return plan(ready.field, count, reads, causal)


def blocked_head(
    given: Activations,
    ready: engine.ReadyField,
    blocks: BlockPlan,
    layer: int,
    head: int,
    shown: range | None,
    key: tuple,
) -> BlockedHead:
    """Blocked HSA of one head beside the reference, as `hsa.attention.blocked_head` gives it.

    Args:
        given: the whole layer's activations.
        shown: the queries to look at; all when None.
        key: all that the result depends on.
    """

    def make() -> BlockedHead:
        from dataclasses import replace

        import torch

        from hsa.attention.blocked_head import blocked_head as run

        group, member = divmod(head, given.group)
        heads = slice(group * given.group, (group + 1) * given.group)
        one = slice(group, group + 1)
        own = replace(given, q=given.q[heads], k=given.k[one], v=given.v[one])
        queries = None if shown is None else torch.tensor(shown)
        return run(own, ready.field.layer(layer).group(group), blocks, member, queries)

    return engine.kept(key, "Blocked HSA of one head", make)
