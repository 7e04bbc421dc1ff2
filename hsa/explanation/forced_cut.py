"""A cut in which one splat is closed, or read as tokens, in every row that has far keys of it."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from hsa.attention.opening import Opening
from hsa.attention.views import BlockView
from hsa.field.splat_field import PHRASE


def forced(
    view: BlockView,
    opening: Opening,
    exact: Bool[Tensor, "1 B"],
    node: int,
    *,
    closed: bool,
) -> tuple[Opening, Bool[Tensor, "1 B"]]:
    """The cut of one head's block with `node` closed in every row, or opened down to its tokens.

    A node that its only child with far keys stands for is that child. What stands closed above
    it is opened down to it, the other children closed. A row that read all of its far keys still
    reads all others when the node is closed. Without far keys of the node nothing changes.

    Returns:
        The cut, and which rows read all their far keys.
    """
    if float(view.moments.count[0, node]) == 0:
        return opening, exact
    tree, own = view.layer.tree, view.opening
    node = _stand_in(view, node)
    shut, opened, whole = opening.closed[0].clone(), opening.opened[0].clone(), exact[0].clone()
    for above in reversed(_above(own.parent[0].tolist(), node)):
        rows = shut[:, above]
        children = own.kept[0] & (own.parent[0] == above)
        shut[rows] |= children
        opened[rows, above] = True
        shut[:, above] = False
    below = _below(tree.parent[0], node)
    phrases = own.kept[0] & (tree.level[0] == PHRASE)
    if closed:
        shut[whole] = False
        opened[whole] = phrases
        whole[:] = False
        shut[:, below] = False
        opened[:, below] = False
        shut[:, node], opened[:, node] = True, False
    else:
        shut[:, node], opened[:, node] = False, True
        shut[:, below] = False
        opened |= phrases & below
        shut[whole], opened[whole] = False, False
    return Opening(shut[None], opened[None], opening.reads, opening.raised), whole[None]


def keys_of_node(view: BlockView, node: int) -> Bool[Tensor, " T"]:
    """The keys of a node, near and far, which a removal takes away."""
    level = int(view.layer.tree.level[0, node])
    return view.layer.tree.key_node[0, :, level] == node


def _stand_in(view: BlockView, node: int) -> int:
    tree = view.layer.tree
    while not bool(view.opening.kept[0, node]):
        children = (tree.parent[0] == node) & (view.moments.count[0] > 0)
        node = int(children.nonzero().item())
    return node


def _above(parent: list[int], node: int) -> list[int]:
    """Ancestors as the cut sees them, the nearest first."""
    found = []
    while parent[node] >= 0:
        node = parent[node]
        found.append(node)
    return found


def _below(parent: Tensor, node: int) -> Bool[Tensor, " C"]:
    """All that lies below a node."""
    below = torch.zeros(parent.numel(), dtype=torch.bool, device=parent.device)
    for _ in range(PHRASE):
        below = (parent == node) | (below[parent.clamp_min(0)] & (parent >= 0))
    return below
