"""A prompt's tree with whole levels switched off."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch

from hsa.field.splat_field import PHRASE
from hsa.field.tree import PromptTree


def without_levels(tree: PromptTree, skipped: Collection[int]) -> PromptTree:
    """The tree in which every node hangs below its nearest ancestor of a level that is left.

    Nodes of the levels skipped keep their places, so that nothing is renumbered, but stand in
    no row of the field, at no level and below no node: they cannot be evaluated. `key_node`
    still names them. Keys are routed to Phrases, which therefore cannot be skipped.
    """
    assert PHRASE not in skipped, "keys lie in Phrases"
    gone = torch.zeros_like(tree.level, dtype=torch.bool)
    for level in skipped:
        gone |= tree.level == level
    parent = tree.parent
    for _ in range(len(skipped)):
        above = parent.clamp_min(0)
        over = (parent >= 0) & gone.gather(1, above)
        parent = torch.where(over, tree.parent.gather(1, above), parent)
    return replace(
        tree,
        row=tree.row.masked_fill(gone, -1),
        level=tree.level.masked_fill(gone, -1),
        parent=parent.masked_fill(gone, -1),
    )
