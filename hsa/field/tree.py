"""The part of a hierarchy that a prompt uses: its Phrases and their ancestors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.field.layer_field import LayerField
from hsa.field.splat_field import DOCUMENT, PHRASE, SECTION


@dataclass(frozen=True)
class PromptTree:
    """Compact hierarchy of one layer for one prompt; C nodes a group, padded with row -1.

    `row` is the splat's row in the field, `parent` a node number (-1 for Documents and
    padding), `key_node` [G, T, 3] the Document, Section and Phrase node of every key.
    """

    row: Int[Tensor, "G C"]
    level: Int[Tensor, "G C"]
    parent: Int[Tensor, "G C"]
    centre: Float[Tensor, "G C D"]
    key_node: Int[Tensor, "G T 3"]

    @property
    def nodes(self) -> int:
        return self.row.shape[1]


def prompt_tree(field: LayerField, phrase_row: Int[Tensor, "G T"]) -> PromptTree:
    """The Phrases that hold the prompt's keys, and their Sections and Documents."""
    section_row = field.parent.gather(1, phrase_row)
    rows_of_keys = torch.stack(
        [field.parent.gather(1, section_row), section_row, phrase_row], dim=-1
    )
    used = [group.unique() for group in rows_of_keys]
    nodes = max(rows.numel() for rows in used)
    row = torch.stack([torch.cat([r, r.new_full((nodes - r.numel(),), -1)]) for r in used])

    node_of_row = field.parent.new_full((field.groups, field.level.shape[1] + 1), -1)
    node_of_row.scatter_(
        1,
        torch.where(row < 0, field.level.shape[1], row),
        torch.arange(nodes, device=row.device).expand_as(row),
    )
    node_of_row[:, -1] = -1
    present = row.clamp_min(0)
    parent_row = field.parent.gather(1, present)
    parent = node_of_row.gather(1, torch.where(parent_row < 0, field.level.shape[1], parent_row))
    dim = field.position.shape[-1]
    return PromptTree(
        row=row,
        level=field.level.gather(1, present).masked_fill(row < 0, -1),
        parent=parent.masked_fill(row < 0, -1),
        centre=field.position.gather(1, present.unsqueeze(-1).expand(-1, -1, dim)),
        key_node=node_of_row.gather(1, rows_of_keys.flatten(1)).view_as(rows_of_keys),
    )


@dataclass(frozen=True)
class OpeningTree:
    """The tree as a cut sees it, for one set of far keys (design §6).

    Empty nodes are gone and a node with a single non-empty child is replaced by it, so
    `parent` skips such nodes. `cost` is what opening reads: non-empty children, or a Phrase's
    n tokens; `openable` leaves out single tokens, which are exact as they are.
    """

    kept: Bool[Tensor, "G C"]
    root: Bool[Tensor, "G C"]
    parent: Int[Tensor, "G C"]
    cost: Int[Tensor, "G C"]
    openable: Bool[Tensor, "G C"]

    def child(self) -> Bool[Tensor, "G C C"]:
        """child[g, s, c]: opening s evaluates c."""
        nodes = torch.arange(self.kept.shape[1], device=self.kept.device)
        return self.kept.unsqueeze(1) & (self.parent.unsqueeze(1) == nodes.view(1, -1, 1))


def opening_tree(tree: PromptTree, count: Float[Tensor, "G C"]) -> OpeningTree:
    """Drop empty nodes and pass through nodes with a single non-empty child."""
    nonempty = (count > 0) & (tree.row >= 0)
    children = torch.zeros_like(tree.parent)
    with_parent = nonempty & (tree.parent >= 0)
    children.scatter_add_(1, tree.parent.clamp_min(0), with_parent.long())
    passed = nonempty & (tree.level < PHRASE) & (children == 1)
    parent = tree.parent
    for _ in (SECTION, DOCUMENT):
        above = parent.clamp_min(0)
        skip = (parent >= 0) & passed.gather(1, above)
        parent = torch.where(skip, parent.gather(1, above), parent)
    kept = nonempty & ~passed
    cost = torch.where(tree.level == PHRASE, count.long(), children)
    return OpeningTree(
        kept=kept,
        root=kept & (parent < 0),
        parent=parent,
        cost=cost,
        openable=kept & ((tree.level < PHRASE) | (count > 1)),
    )
