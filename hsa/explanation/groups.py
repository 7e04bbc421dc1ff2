"""A row summed over groups of tokens: words, noun chunks, sentences in place of sub-words."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hsa.attention.effective import cut_rows
from hsa.attention.result import HSAResult
from hsa.attention.views import FramedLayer


@dataclass(frozen=True)
class GroupedRow:
    """One query's row in both attentions, by the P groups that hold a key it may see.

    Attributes:
        group: number of each group, rising.
        keys: how many of its tokens the query may see.
        standard, hsa: Σ A over these; both sum to the row's own sum, which is one.
        standard_norm, hsa_norm: ‖Σ A v‖ over these: what the group adds to the output.
    """

    query: int
    group: Int[Tensor, " P"]
    keys: Int[Tensor, " P"]
    standard: Float[Tensor, " P"]
    hsa: Float[Tensor, " P"]
    standard_norm: Float[Tensor, " P"]
    hsa_norm: Float[Tensor, " P"]


def groups_of(label: Int[Tensor, " T"]) -> Int[Tensor, " T"]:
    """The group of each token: tokens of the same label, and each token labelled -1 alone.

    Groups are numbered by their first tokens, in reading order.
    """
    count = label.numel()
    alone = torch.arange(count) + int(label.max()) + 1
    _, inverse = torch.where(label < 0, alone, label).unique(return_inverse=True)
    first = torch.full((int(inverse.max()) + 1,), count).scatter_reduce(
        0, inverse, torch.arange(count), "amin"
    )
    return first.argsort().argsort()[inverse]


def group_sums(
    weights: Float[Tensor, " T"], v: Float[Tensor, "T V"], group: Int[Tensor, " T"]
) -> tuple[Float[Tensor, " P"], Float[Tensor, " P"]]:
    """Σ A and ‖Σ A v‖ over the tokens of each group."""
    groups = int(group.max()) + 1
    total = weights.new_zeros(groups).index_add_(0, group, weights)
    added = v.new_zeros(groups, v.shape[1]).index_add_(0, group, weights.unsqueeze(1) * v)
    return total, added.norm(dim=1)


def explain_groups(
    result: HSAResult, layer: FramedLayer, head: int, query: int, group: Int[Tensor, " T"]
) -> GroupedRow:
    """One query's row by groups.

    Args:
        group: of each token of the text, as `groups_of` gives it.

    Raises:
        InputError: a head or a query that the result does not hold.
    """
    (cut,) = cut_rows(result, layer, head, [query])
    visible: Bool[Tensor, " T"] = cut.visible[0]
    standard = cut.logits[0].masked_fill(~visible, -torch.inf).softmax(0)
    keys = torch.zeros(int(group.max()) + 1, dtype=torch.long)
    keys.index_add_(0, group, visible.long())
    columns = (*group_sums(standard, cut.v, group), *group_sums(cut.weights()[0], cut.v, group))
    seen = keys > 0
    of_standard, standard_norm, of_hsa, hsa_norm = (column[seen] for column in columns)
    return GroupedRow(
        query, seen.nonzero().squeeze(1), keys[seen], of_standard, of_hsa, standard_norm, hsa_norm
    )
